import { startTimer } from '../clock.js';
import type { Arrears } from './arrears.js';
import type { Carrier, Name } from './carrier.js';

/** Other processes' locks beyond so many are not listened for: whoever waits for one goes when its time is up. */
const MOST_AWAITED = 1_000;
/** Locks of this process's beyond so many end by themselves when it closes. */
const MOST_HELD = 2_000;

/** Whether the store is back is looked at so often, in milliseconds; what it would not do is asked for less and less often. */
const LOOK_MS = 250;
const LONGEST_LOOK_MS = 4_000;

export interface LocksOptions {
  readonly carrier: Pick<Carrier, 'lock' | 'unlock'>;
  /** Whether the store answers; if not, it is not asked. */
  readonly isUp: () => boolean;
  /** Asks where the store stands, if that is all there is in the way. Never rejects. */
  readonly greet: () => Promise<void>;
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
  #awaitedCount = 0;
  #claims = 0;
  #closed = false;
  /** Since when the store has been away; undefined while it is not. */
  #lostAt: number | undefined = performance.now();
  readonly #waiting = new Set<() => void>();

  constructor(options: LocksOptions) {
    this.#options = options;
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
    const { isUp } = this.#options;
    const deadline = performance.now() + ms;
    for (let pauseMs = LOOK_MS; await this.#isBack(ms, deadline); pauseMs = Math.min(2 * pauseMs, LONGEST_LOOK_MS)) {
      const claim = await this.#claim(lock, ms, ifLost, true);
      if (claim.state === 'held') return claim;
      if (claim.state === 'acquired') {
        if ((await prepare()) && isUp() && (await claim.held.keep(ms))) return claim;
        claim.held.done(ifLost);
      }
      await this.#look(Math.min(pauseMs, deadline - performance.now()));
    }
    return { state: 'down' };
  }

  async #claim(lock: Name, ms: number, ifLost: string, isPatient: boolean): Promise<LockClaim> {
    if (this.#isAlone()) return { state: 'down' };
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

  /** Whether the store answers, once it does or there is no more point in waiting. */
  async #isBack(ms: number, deadline: number): Promise<boolean> {
    const { isUp, greet } = this.#options;
    for (;;) {
      if (!this.#closed && !isUp()) await greet();
      const now = performance.now();
      if (this.#closed || now >= deadline) return false;
      if (isUp()) return true;
      const left = Math.min(deadline, (this.#lostAt ?? now) + ms) - now;
      if (left <= 0) return false;
      await this.#look(Math.min(left, LOOK_MS));
    }
  }

  /** A moment, or until the store is back. */
  #look(ms: number): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        this.#waiting.delete(end);
        resolve();
      };
      const timer = startTimer(ms, end);
      this.#waiting.add(end);
    });
  }

  /** A lock was given back, here or elsewhere. */
  released(lock: Name, note: string): void {
    for (const awaited of [...(this.#awaited.get(lock) ?? [])]) this.#answer(awaited, note);
  }

  /** The store is gone: what others find out is not heard any more. */
  lost(): void {
    this.#lostAt = performance.now();
    this.#answerAll((awaited) => !awaited.isPatient);
  }

  /** The store answers again: what was given back meanwhile was not heard. */
  found(): void {
    this.#lostAt = undefined;
    this.#answerAll((awaited) => awaited.isPatient);
    this.#proceed();
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
    this.#proceed();
    const held = [...this.#held];
    this.#held.clear();
    if (this.#options.isUp()) await Promise.all(held.map((one) => this.#giveBack(one)));
  }

  #answerAll(isMeant: (awaited: Awaited) => boolean): void {
    for (const awaited of [...this.#awaited.values()].flatMap((all) => [...all].filter(isMeant))) this.#answer(awaited, awaited.ifLost);
  }

  /** Those who wait for the store look again. */
  #proceed(): void {
    for (const end of [...this.#waiting]) end();
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
    const { carrier } = this.#options;
    const deadline = performance.now() + ms;
    // What it lasts still will do while the store does not answer.
    for (
      let pauseMs = LOOK_MS;
      held.until < deadline && (await this.#isBack(ms, deadline));
      pauseMs = Math.min(2 * pauseMs, LONGEST_LOOK_MS)
    ) {
      const asked = performance.now();
      try {
        const isKept = (await carrier.lock(held.lock, held.owner, ms)) === 0;
        if (isKept) held.until = asked + ms;
        else this.#held.delete(held);
        return isKept;
      } catch {
        await this.#look(Math.min(pauseMs, deadline - performance.now()));
      }
    }
    return true;
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
