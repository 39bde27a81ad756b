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
  isStopped: boolean;
  /** Of two that are due at once the one that was started first fires first. */
  order: number;
}

/** Where ids begin: a real timer's own are far below, and must not be taken for one of these. */
const FIRST_ID = 1_000_000_000;
/** The longest delay that a Node timer can hold; a longer one, one below 1, and one that is no number count as 1. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** Timers that fire when they are told that it is time. */
export class VirtualTimers {
  readonly #now: () => number;
  readonly #entries = new Map<number, Entry>();
  readonly #handles = new WeakMap<object, Entry>();
  #ids = FIRST_ID;
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
    const ms = Number(delay);
    const delayMs = ms >= 1 && ms <= LONGEST_DELAY_MS ? Math.trunc(ms) : 1;
    const entry: Entry = { id: ++this.#ids, fire, delayMs, repeats, at: this.#now() + delayMs, isStopped: false, order: ++this.#orders };
    this.#entries.set(entry.id, entry);
    return this.#handle(entry);
  }

  /** Returns whether it is one of these, running or not. */
  stop(timer: unknown): boolean {
    if (typeof timer === 'object' && timer !== null) {
      const entry = this.#handles.get(timer);
      if (entry !== undefined) this.#stop(entry);
      return entry !== undefined;
    }
    const id = typeof timer === 'number' || typeof timer === 'string' ? Number(timer) : 0;
    const entry = this.#entries.get(id);
    if (entry !== undefined) this.#stop(entry);
    return id > FIRST_ID && id <= this.#ids;
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

  #stop(entry: Entry): void {
    entry.isStopped = true;
    this.#entries.delete(entry.id);
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
        // One that has fired runs again.
        if (!entry.isStopped) {
          this.#entries.set(entry.id, entry);
          this.#rearm(entry, this.#now());
        }
        return timer;
      },
      close: () => {
        this.#stop(entry);
        return timer;
      },
      [Symbol.toPrimitive]: () => entry.id,
    };
    this.#handles.set(timer, entry);
    return timer;
  }
}
