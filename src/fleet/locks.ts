import { startTimer } from '../clock.js';
import { Absence, type AbsenceOptions } from './absence.js';
import type { Arrears } from './arrears.js';
import type { Carrier, Name } from './carrier.js';

/** Other processes' locks beyond so many are not listened for: whoever waits for one goes when its time is up. */
const MOST_AWAITED = 1_000;
/** Locks of this process's beyond so many end by themselves when it closes. */
const MOST_HELD = 2_000;
/** An answer that comes later than so many milliseconds has used up too much of what it grants. */
const MOST_LATE_MS = 1_000;

export interface LocksOptions extends AbsenceOptions {
  readonly carrier: Pick<Carrier, 'lock' | 'unlock'>;
  readonly arrears: Arrears;
  /** The name of this process. */
  readonly process: string;
  /** A lock is to be given back, once what its owner learnt has been pushed. */
  readonly release: (lock: Name, owner: string, note: string) => void;
}

export interface HeldLock {
  /**
   * Keeps it for so many milliseconds from now. False: somebody else has it. A store that does not answer is waited for, unless it lasts for so long
   * anyway; true where that does not come back in time. Never rejects.
   */
  keep(ms: number): Promise<boolean>;
  /** Gives it back, once. */
  done(note: string): void;
  /** Lets it end by itself. */
  leave(): void;
}

export type LockClaim =
  | { readonly state: 'acquired'; readonly held: HeldLock }
  /** Another has it for `leftMs`; `onDone` hears the note with which it is given back. Returns how to hear no more. */
  | { readonly state: 'held'; readonly leftMs: number; onDone(listener: (note: string) => void): () => void }
  | { readonly state: 'down' };

/** A lock of another process that is waited for. */
interface Awaited {
  readonly lock: Name;
  readonly ifLost: string;
  readonly isPatient: boolean;
  readonly forget: { cancel(): void };
  note: string | undefined;
  listener: ((note: string) => void) | undefined;
}

interface Held {
  readonly lock: Name;
  readonly owner: string;
  readonly ifLost: string;
  /** By the time since this process began. */
  until: number;
}

/** Locks in the store: taken by one process of a fleet, waited for by the others. */
export class Locks {
  readonly #options: LocksOptions;
  readonly #awaited = new Map<Name, Set<Awaited>>();
  readonly #held = new Set<Held>();
  readonly #asking = new Set<Promise<LockClaim>>();
  #awaitedCount = 0;
  #claims = 0;
  #closed = false;
  readonly #absence: Absence;

  constructor(options: LocksOptions) {
    this.#options = options;
    this.#absence = new Absence(options);
  }

  /** `ifLost`: the note that those who wait get where its owner closes, or the store is gone. Never rejects. */
  async claim(lock: Name, ms: number, ifLost: string): Promise<LockClaim> {
    return this.#claim(lock, ms, ifLost, false);
  }

  /**
   * The same where to go without leave does harm: it is had once `prepare` has succeeded, for so many milliseconds from then on. A store that has gone is
   * waited for, but no longer than anybody can have what was locked for `ms` when it went; whoever waits for a lock goes on waiting. Never rejects.
   */
  async claimPatiently(lock: Name, ms: number, ifLost: string, prepare: () => Promise<boolean>): Promise<LockClaim> {
    const claimed = await this.#absence.insist(ms, async () => {
      const claim = await this.#claim(lock, ms, ifLost, true);
      if (claim.state === 'held') return claim;
      if (claim.state === 'down') return undefined;
      if ((await prepare()) && this.#options.isUp() && (await claim.held.keep(ms))) return claim;
      claim.held.done(ifLost);
      return undefined;
    });
    return claimed ?? { state: 'down' };
  }

  async #claim(lock: Name, ms: number, ifLost: string, isPatient: boolean): Promise<LockClaim> {
    if (this.#isAlone()) return { state: 'down' };
    const asking = this.#ask(lock, ms, ifLost, isPatient);
    this.#asking.add(asking);
    const claim = await asking;
    this.#asking.delete(asking);
    return claim;
  }

  /** Never rejects. */
  async #ask(lock: Name, ms: number, ifLost: string, isPatient: boolean): Promise<LockClaim> {
    const { carrier, arrears, process } = this.#options;
    const owner = `${process}.${++this.#claims}`;
    // Listened for from now on: the other's may be back before the answer to this question is.
    const awaited = this.#await(lock, ms, ifLost, isPatient);
    const asked = performance.now();
    let leftMs: number;
    try {
      leftMs = await carrier.lock(lock, owner, ms);
    } catch {
      this.#forget(awaited);
      // It may get there yet, and would keep everybody waiting for nobody.
      arrears.owe(owner, () => carrier.unlock(lock, owner, ifLost));
      return { state: 'down' };
    }
    if (leftMs > 0) return { state: 'held', leftMs, onDone: (listener) => this.#listen(awaited, listener) };
    this.#forget(awaited);
    const held: Held = { lock, owner, ifLost, until: asked + ms };
    if (this.#closed) {
      await this.#giveBack(held);
      return { state: 'down' };
    }
    return { state: 'acquired', held: this.#hold(held) };
  }

  /** A lock was given back, here or elsewhere. */
  released(lock: Name, note: string): void {
    for (const awaited of [...(this.#awaited.get(lock) ?? [])]) this.#answer(awaited, note);
  }

  /** The store is gone: what others find out is not heard any more. */
  lost(): void {
    this.#absence.lost();
    this.#answerAll((awaited) => !awaited.isPatient);
  }

  /** The store answers again: what was given back meanwhile was not heard. */
  found(): void {
    this.#answerAll((awaited) => awaited.isPatient);
    this.#absence.found();
  }

  /** The store has lost what it had: what is held here is still. */
  reset(): void {
    const now = performance.now();
    for (const { lock, owner, until } of this.#held) if (until > now) this.#options.carrier.lock(lock, owner, until - now).catch(() => {});
  }

  /** Nothing is heard any more, and what is held is given back. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const all of this.#awaited.values()) for (const { forget } of all) forget.cancel();
    this.#awaited.clear();
    this.#awaitedCount = 0;
    this.#absence.close();
    const held = [...this.#held];
    this.#held.clear();
    if (!this.#options.isUp()) return;
    // What is granted only now is given back, too.
    await Promise.all([...held.map((one) => this.#giveBack(one)), ...this.#asking]);
  }

  #answerAll(isMeant: (awaited: Awaited) => boolean): void {
    for (const awaited of [...this.#awaited.values()].flatMap((all) => [...all].filter(isMeant))) this.#answer(awaited, awaited.ifLost);
  }

  #isAlone(): boolean {
    return this.#closed || !this.#options.isUp();
  }

  #hold(held: Held): HeldLock {
    const { release } = this.#options;
    const { lock, owner } = held;
    this.#held.add(held);
    for (const oldest of this.#held) {
      if (this.#held.size <= MOST_HELD) break;
      this.#held.delete(oldest);
    }
    let isDone = false;
    return {
      keep: async (ms) => !isDone && (await this.#keep(held, ms)),
      done: (note) => {
        if (isDone) return;
        isDone = true;
        this.#held.delete(held);
        // Those behind are told before a proof is recorded; the store is to have the proof first.
        queueMicrotask(() => release(lock, owner, note));
      },
      leave: () => {
        isDone = true;
        this.#held.delete(held);
      },
    };
  }

  async #keep(held: Held, ms: number): Promise<boolean> {
    // What it lasts still will do while the store does not answer.
    if (held.until >= performance.now() + ms) return true;
    const isKept = await this.#absence.insist(ms, async () => {
      const asked = performance.now();
      try {
        const isOurs = (await this.#options.carrier.lock(held.lock, held.owner, ms)) === 0;
        if (isOurs) held.until = asked + ms;
        else this.#held.delete(held);
        return isOurs && performance.now() > asked + MOST_LATE_MS ? undefined : isOurs;
      } catch {
        return undefined;
      }
    });
    return isKept ?? true;
  }

  async #giveBack({ lock, owner, ifLost }: Held): Promise<void> {
    // Where that fails it ends by itself.
    await this.#options.carrier.unlock(lock, owner, ifLost).catch(() => {});
  }

  #await(lock: Name, ms: number, ifLost: string, isPatient: boolean): Awaited {
    const awaited: Awaited = {
      lock,
      ifLost,
      isPatient,
      forget: startTimer(ms, () => this.#forget(awaited)),
      note: undefined,
      listener: undefined,
    };
    const all = this.#awaited.get(lock);
    if (all === undefined) this.#awaited.set(lock, new Set([awaited]));
    else all.add(awaited);
    if (++this.#awaitedCount > MOST_AWAITED) this.#forgetOldest();
    return awaited;
  }

  #listen(awaited: Awaited, listener: (note: string) => void): () => void {
    const { note } = awaited;
    awaited.listener = listener;
    // Never at once: whoever asks is only about to wait.
    if (note !== undefined) queueMicrotask(() => awaited.listener?.(note));
    return () => {
      awaited.listener = undefined;
      this.#forget(awaited);
    };
  }

  #answer(awaited: Awaited, note: string): void {
    awaited.note = note;
    this.#forget(awaited);
    awaited.listener?.(note);
  }

  #forget(awaited: Awaited): void {
    awaited.forget.cancel();
    const all = this.#awaited.get(awaited.lock);
    if (all === undefined || !all.delete(awaited)) return;
    this.#awaitedCount--;
    if (all.size === 0) this.#awaited.delete(awaited.lock);
  }

  #forgetOldest(): void {
    for (const all of this.#awaited.values()) {
      for (const oldest of all) {
        this.#forget(oldest);
        return;
      }
    }
  }
}
