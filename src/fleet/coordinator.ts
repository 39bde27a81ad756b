import { randomUUID } from 'node:crypto';
import { startTimer } from '../clock.js';
import type { CanaryClaim, Coordinator, IncidentClaim, IncidentEnding } from '../ledger/store.js';
import type { Identity } from '../ledger/verdicts.js';
import type { AfterCanary } from '../policy/canary.js';
import type { Carrier, Name } from './carrier.js';
import type { Names } from './names.js';

/** A process that dies leaves its incidents after so long. */
const MEMBERSHIP_MS = 60_000;
const RENEW_EVERY_MS = 20_000;
/** Other processes' canaries beyond so many are not listened for: whoever waits for one goes when its time is up. */
const MOST_AWAITED = 1_000;
const MOST_UNLEFT = 1_000;

const DOWN = { state: 'down' } as const;

export interface FleetCoordinatorOptions {
  readonly carrier: Pick<Carrier, 'lock' | 'enter' | 'leave'>;
  readonly names: Pick<Names, 'identity' | 'lock'>;
  /** Whether the store answers; if not, it is not asked. */
  readonly isUp: () => boolean;
  /** A canary is back: its lock is to be given back, once what it learnt has been pushed. */
  readonly release: (lock: Name, owner: string, note: AfterCanary) => void;
  /** Brings in what the store knows of an identity: what the last canary learnt may not have been heard yet. */
  readonly refresh: (identity: Name) => Promise<void>;
}

/** A canary of another process that is waited for. */
interface Awaited {
  readonly lock: Name;
  readonly forget: { cancel(): void };
  note: AfterCanary | undefined;
  listener: ((after: AfterCanary) => void) | undefined;
}

/** An incident that is open here and known to the store. */
interface Membership {
  readonly tag: string;
  /** How many incidents here go by the same name: an identity that was forgotten and has come back may have a second one. */
  count: number;
  renewal: Promise<void> | undefined;
}

/** What only one process of a fleet is to do, decided by locks and groups in the store. */
export class FleetCoordinator implements Coordinator {
  readonly #options: FleetCoordinatorOptions;
  readonly #process: string = randomUUID();
  readonly #awaited = new Map<Name, Set<Awaited>>();
  readonly #memberships = new Map<Name, Membership>();
  /** Groups that this process may still count as a member of: the store did not hear it leave. */
  readonly #unleft = new Set<Name>();
  #awaitedCount = 0;
  #claims = 0;
  #renewing: { cancel(): void } | undefined;
  #closed = false;

  constructor(options: FleetCoordinatorOptions) {
    this.#options = options;
  }

  async claimCanary(identity: Identity, ms: number): Promise<CanaryClaim> {
    const { carrier, names, release, refresh } = this.#options;
    if (this.#isAlone()) return DOWN;
    const name = names.identity(identity.provider, identity.fingerprint);
    const lock = names.lock('canary', name);
    const owner = `${this.#process}.${++this.#claims}`;
    // Listened for from now on: the other's may be back before the answer to this question is.
    const awaited = this.#await(lock, ms);
    let acquired: boolean;
    try {
      acquired = await carrier.lock(lock, owner, ms);
    } catch {
      this.#forget(awaited);
      return DOWN;
    }
    if (!acquired) return { state: 'held', onDone: (listener) => listen(awaited, listener) };
    this.#forget(awaited);
    // If that fails, what is known here has to do.
    await refresh(name).catch(() => {});
    let done = false;
    return {
      state: 'acquired',
      done: (after) => {
        if (done) return;
        done = true;
        // Those behind are told before a proof is recorded; the store is to have the proof first.
        queueMicrotask(() => release(lock, owner, after));
      },
    };
  }

  /** A lock was given back, here or elsewhere. */
  released(lock: Name, note: string): void {
    // What this version does not know says only that things have changed.
    const after = note === 'go' || note === 'next' ? note : 'choose';
    for (const awaited of [...(this.#awaited.get(lock) ?? [])]) this.#answer(awaited, after);
  }

  /** The store is gone: what others find out is not heard any more, and whoever waits for it goes first here. */
  lost(): void {
    for (const awaited of [...this.#awaited.values()].flatMap((all) => [...all])) this.#answer(awaited, 'next');
  }

  async enterIncident(identity: Identity, id: string): Promise<IncidentClaim> {
    if (this.#isAlone()) return { state: 'down', id };
    const group = this.#group(identity);
    const known = this.#memberships.get(group);
    if (known !== undefined) {
      known.count++;
      return { state: 'held', id: known.tag };
    }
    const { carrier } = this.#options;
    try {
      // Or it would find itself there, and take that for somebody who has told.
      if (this.#unleft.delete(group)) await carrier.leave(group, this.#process);
      const { first, tag } = await carrier.enter(group, this.#process, id, MEMBERSHIP_MS);
      const membership: Membership = { tag, count: 1, renewal: undefined };
      if (this.#closed) {
        await this.#leave(group, membership);
        return { state: 'down', id };
      }
      this.#memberships.set(group, membership);
      this.#renewLater();
      // Asked twice by a client that repeats what was not answered, it is still the first.
      return { state: first || tag === id ? 'acquired' : 'held', id: tag };
    } catch {
      this.#noteUnleft(group);
      return { state: 'down', id };
    }
  }

  async leaveIncident(identity: Identity): Promise<IncidentEnding> {
    const group = this.#group(identity);
    const membership = this.#memberships.get(group);
    // Who reported alone ends alone.
    if (membership === undefined) return { state: 'down', id: undefined };
    const { tag } = membership;
    if (--membership.count > 0) return { state: 'others', id: tag };
    this.#memberships.delete(group);
    if (!this.#isAlone()) return this.#leave(group, membership);
    this.#noteUnleft(group);
    return { state: 'down', id: tag };
  }

  /** Nothing is renewed or heard any more; the incidents that are open are left to those who have them open too. Never rejects. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#renewing?.cancel();
    for (const all of this.#awaited.values()) for (const { forget } of all) forget.cancel();
    this.#awaited.clear();
    this.#awaitedCount = 0;
    const left = [...this.#memberships];
    this.#memberships.clear();
    if (this.#options.isUp()) await Promise.all(left.map(([group, membership]) => this.#leave(group, membership)));
  }

  async #leave(group: Name, { tag, renewal }: Membership): Promise<IncidentEnding> {
    // Overtaken by its own renewal it would be back in.
    await renewal;
    try {
      const left = await this.#options.carrier.leave(group, this.#process);
      // The store has lost the group: everybody who was in it hears that nobody is left.
      if (left.tag === undefined) return { state: 'down', id: tag };
      return { state: left.last ? 'last' : 'others', id: left.tag };
    } catch {
      this.#noteUnleft(group);
      return { state: 'down', id: tag };
    }
  }

  #noteUnleft(group: Name): void {
    this.#unleft.add(group);
    if (this.#unleft.size <= MOST_UNLEFT) return;
    for (const oldest of this.#unleft) {
      this.#unleft.delete(oldest);
      return;
    }
  }

  #isAlone(): boolean {
    return this.#closed || !this.#options.isUp();
  }

  #group({ provider, fingerprint }: Identity): Name {
    const { names } = this.#options;
    return names.lock('incident', names.identity(provider, fingerprint));
  }

  #await(lock: Name, ms: number): Awaited {
    const awaited: Awaited = { lock, forget: startTimer(ms, () => this.#forget(awaited)), note: undefined, listener: undefined };
    const all = this.#awaited.get(lock);
    if (all === undefined) this.#awaited.set(lock, new Set([awaited]));
    else all.add(awaited);
    if (++this.#awaitedCount > MOST_AWAITED) this.#forgetOldest();
    return awaited;
  }

  #answer(awaited: Awaited, after: AfterCanary): void {
    awaited.note = after;
    this.#forget(awaited);
    awaited.listener?.(after);
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

  #renewLater(): void {
    if (this.#closed) return;
    this.#renewing ??= startTimer(RENEW_EVERY_MS, () => {
      this.#renewing = undefined;
      if (this.#options.isUp()) for (const [group, membership] of this.#memberships) this.#renew(group, membership);
      if (this.#memberships.size > 0) this.#renewLater();
    });
  }

  #renew(group: Name, membership: Membership): void {
    // Under the tag that it was entered with: a store that has lost the group gets the same incident back.
    const renewed = this.#options.carrier.enter(group, this.#process, membership.tag, MEMBERSHIP_MS);
    membership.renewal = renewed.then(
      () => {},
      () => {},
    );
  }
}

/** Never at once: whoever asks is only about to wait. */
function listen(awaited: Awaited, listener: (after: AfterCanary) => void): void {
  const { note } = awaited;
  if (note === undefined) awaited.listener = listener;
  else queueMicrotask(() => listener(note));
}
