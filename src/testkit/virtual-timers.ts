/** A timer as Node gives it, as far as anybody uses that; where a number is wanted it is its id. */
interface VirtualTimer {
  ref(): VirtualTimer;
  unref(): VirtualTimer;
  hasRef(): boolean;
  refresh(): VirtualTimer;
  close(): VirtualTimer;
  [Symbol.toPrimitive](): number;
}

interface Entry {
  readonly id: number;
  readonly fire: () => void;
  readonly delayMs: number;
  readonly repeats: boolean;
  at: number;
  /** Of two that are due at once the one that was started first fires first. */
  order: number;
}

/** The longest delay that a Node timer can hold; a longer one, and one that is no number, counts as 1. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** Timers that fire when they are told that it is time. */
export class VirtualTimers {
  readonly #now: () => number;
  readonly #entries = new Map<number, Entry>();
  #ids = 0;
  #orders = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** When the next one is due; undefined if none is. */
  get nextAt(): number | undefined {
    return this.#next()?.at;
  }

  start(fire: () => void, delay: unknown, repeats: boolean): VirtualTimer {
    const ms = Number(delay ?? 0);
    const delayMs = ms >= 1 && ms <= LONGEST_DELAY_MS ? Math.trunc(ms) : repeats || !(ms <= 0) ? 1 : 0;
    const entry: Entry = { id: ++this.#ids, fire, delayMs, repeats, at: this.#now() + delayMs, order: ++this.#orders };
    this.#entries.set(entry.id, entry);
    return this.#handle(entry);
  }

  /** What is no timer of ours is none. */
  stop(timer: unknown): void {
    const isOurs = typeof timer === 'number' || (typeof timer === 'object' && timer !== null && Symbol.toPrimitive in timer);
    if (isOurs) this.#entries.delete(Number(timer));
  }

  /** Takes the next one that is due by then. */
  take(until: number): { readonly at: number; readonly fire: () => void } | undefined {
    const entry = this.#next();
    if (entry === undefined || entry.at > until) return undefined;
    const { at, fire } = entry;
    if (entry.repeats) this.#rearm(entry, at);
    else this.#entries.delete(entry.id);
    return { at, fire };
  }

  #next(): Entry | undefined {
    let next: Entry | undefined;
    for (const entry of this.#entries.values())
      if (next === undefined || entry.at < next.at || (entry.at === next.at && entry.order < next.order)) next = entry;
    return next;
  }

  #rearm(entry: Entry, from: number): void {
    entry.at = from + entry.delayMs;
    entry.order = ++this.#orders;
  }

  #handle(entry: Entry): VirtualTimer {
    let isRef = true;
    const timer: VirtualTimer = {
      ref: () => {
        isRef = true;
        return timer;
      },
      unref: () => {
        isRef = false;
        return timer;
      },
      hasRef: () => isRef,
      refresh: () => {
        if (this.#entries.has(entry.id)) this.#rearm(entry, this.#now());
        return timer;
      },
      close: () => {
        this.stop(entry.id);
        return timer;
      },
      [Symbol.toPrimitive]: () => entry.id,
    };
    return timer;
  }
}
