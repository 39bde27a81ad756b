import { startTimer } from '../clock.js';
import type { Identity } from '../ledger/verdicts.js';
import type { AfterCanary } from '../policy/canary.js';

/** What a waiter is told: go with this credential, choose anew, or be the next canary. */
export type Turn = { readonly do: 'go' } | { readonly do: 'choose' } | { readonly do: 'lead'; readonly lead: Lead };

interface Gate {
  readonly identity: Identity;
  readonly waiters: Set<(turn: Turn) => void>;
  timer: { cancel(): void } | undefined;
}

/** The right, and the duty, to try a credential first. Reports once; further reports are ignored. */
export class Lead {
  #report: ((after: AfterCanary) => void) | undefined;
  #alsoTold: ((after: AfterCanary) => void) | undefined = undefined;

  constructor(report: (after: AfterCanary) => void) {
    this.#report = report;
  }

  /** How the call went for those behind. */
  done(after: AfterCanary): void {
    const report = this.#report;
    const alsoTold = this.#alsoTold;
    this.#report = this.#alsoTold = undefined;
    report?.(after);
    alsoTold?.(after);
  }

  /** Who else is told, once, how the call went. */
  alsoTell(listener: (after: AfterCanary) => void): void {
    this.#alsoTold = listener;
  }
}

/** One call goes first on a doubtful identity while the others wait for what it learns. */
export class Canaries {
  readonly #gates = new Map<Identity, Gate>();
  readonly #canaryMs: number;

  constructor(canaryMs: number) {
    this.#canaryMs = canaryMs;
  }

  /** The lead, if nobody has it. */
  lead(identity: Identity): Lead | undefined {
    if (this.#gates.has(identity)) return undefined;
    const gate: Gate = { identity, waiters: new Set(), timer: undefined };
    this.#gates.set(identity, gate);
    return this.#send(gate);
  }

  /** Waits for a turn behind the canary that is out; to be called when `lead` gave none. Returns how to give the place up. */
  wait(identity: Identity, turn: (turn: Turn) => void): () => void {
    const gate = this.#gates.get(identity);
    if (gate === undefined) {
      turn({ do: 'choose' });
      return () => {};
    }
    gate.waiters.add(turn);
    return () => gate.waiters.delete(turn);
  }

  /** Somebody else has learnt about the identity meanwhile: those who wait choose again, and most need not wait then. */
  overtake(identity: Identity): void {
    const gate = this.#gates.get(identity);
    if (gate !== undefined) this.#release(gate, { do: 'choose' });
  }

  /** Nobody is waited for any more; those who wait are broken off by their own runs. */
  close(): void {
    for (const gate of this.#gates.values()) gate.timer?.cancel();
    this.#gates.clear();
  }

  #send(gate: Gate): Lead {
    gate.timer?.cancel();
    gate.timer = startTimer(this.#canaryMs, () => {
      // Too slow to be waited for: the next one goes too.
      if (this.#isOpen(gate)) this.#next(gate);
    });
    return new Lead((after) => {
      if (!this.#isOpen(gate)) return;
      if (after === 'next') return this.#next(gate);
      this.#release(gate, { do: after });
    });
  }

  #release(gate: Gate, turn: Turn): void {
    this.#dissolve(gate);
    for (const take of gate.waiters) take(turn);
  }

  #next(gate: Gate): void {
    for (const turn of gate.waiters) {
      gate.waiters.delete(turn);
      turn({ do: 'lead', lead: this.#send(gate) });
      return;
    }
    this.#dissolve(gate);
  }

  #isOpen(gate: Gate): boolean {
    return this.#gates.get(gate.identity) === gate;
  }

  #dissolve(gate: Gate): void {
    gate.timer?.cancel();
    this.#gates.delete(gate.identity);
  }
}
