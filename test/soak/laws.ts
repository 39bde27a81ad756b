/** The laws that are watched, by the numbers that the README gives them; `fresh` and `handled` are corollaries of several. */
export const LAWS = {
  L1: 'nothing unusable is sent, but by a probe',
  L2: 'the verdict is that of the latest-sent call',
  L3: 'one auth retry a run, never with the same dead credential',
  L4: 'nothing leaves after the first rejection',
  L5: 'what is dead displaces nothing that is alive',
  L6: 'an incident is told once, and ended once',
  L7: 'no secret in anything that is told',
  L8: 'never across tenants or providers',
  L9: 'asking changes nothing, and all answers agree',
  L10: 'memory stays within its limits',
  L11: 'processes end in the same state',
  L12: 'every wait ends, and for a reason of its own',
  fresh: 'a fresh credential is usable at once',
  handled: 'nothing is unhandled',
} as const;
export type Law = keyof typeof LAWS;

/** Counts what was checked, and ends everything when a law is broken. */
export class Laws {
  readonly checks = new Map<Law, number>();
  /** When the event loop last turned, in milliseconds since the epoch: whoever was kept from running in between knows of nothing later. */
  turnedAt = Date.now();
  readonly #last: string[] = [];
  readonly #onBroken: (law: Law, what: string, last: readonly string[]) => void;

  readonly #most: number;

  /** `most`: so many events are remembered. */
  constructor(most: number, onBroken: (law: Law, what: string, last: readonly string[]) => void) {
    this.#most = most;
    this.#onBroken = onBroken;
  }

  /** Something has happened: told if a law is broken soon after. */
  note(what: string): void {
    this.#last.push(`${(performance.now() / 1_000).toFixed(3)} ${what}`);
    if (this.#last.length > this.#most) this.#last.shift();
  }

  check(law: Law, holds: boolean, what: () => string): void {
    this.checks.set(law, (this.checks.get(law) ?? 0) + 1);
    if (!holds) this.#onBroken(law, what(), [...this.#last]);
  }
}
