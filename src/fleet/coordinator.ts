import { randomUUID } from 'node:crypto';
import { startTimer } from '../clock.js';
import type { CanaryClaim, Coordinator, IncidentClaim, IncidentEnding, IncidentOf, RefreshClaim } from '../ledger/store.js';
import type { Identity } from '../ledger/verdicts.js';
import type { AfterCanary } from '../policy/canary.js';
import { Arrears } from './arrears.js';
import type { Carrier, Name } from './carrier.js';
import { Endings } from './endings.js';
import { Memberships } from './memberships.js';
import type { Names } from './names.js';

/** Other processes' canaries beyond so many are not listened for: whoever waits for one goes when its time is up. */
const MOST_AWAITED = 1_000;

const DOWN = { state: 'down' } as const;

export interface FleetCoordinatorOptions {
  readonly carrier: Pick<Carrier, 'lock' | 'unlock' | 'enter' | 'leave'>;
  readonly names: Pick<Names, 'identity' | 'provider' | 'lock'>;
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

/** What only one process of a fleet is to do, decided by locks and groups in the store. */
export class FleetCoordinator implements Coordinator {
  readonly #options: FleetCoordinatorOptions;
  readonly #process: string = randomUUID();
  readonly #awaited = new Map<Name, Set<Awaited>>();
  readonly #arrears: Arrears;
  readonly #endings: Endings;
  readonly #memberships: Memberships;
  #awaitedCount = 0;
  #claims = 0;
  #closed = false;

  constructor(options: FleetCoordinatorOptions) {
    this.#options = options;
    const { carrier, names, isUp } = options;
    const process = this.#process;
    this.#arrears = new Arrears(isUp);
    this.#endings = new Endings({ carrier, names, isUp, arrears: this.#arrears, process });
    this.#memberships = new Memberships({ carrier, names, isUp, endings: this.#endings, process });
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
      // It may get there yet, and would keep everybody waiting for nobody.
      this.#arrears.owe(owner, () => carrier.unlock(lock, owner, 'next'));
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

  async claimRefresh(): Promise<RefreshClaim> {
    return DOWN;
  }

  /** A lock was given back, here or elsewhere. */
  released(lock: Name, note: string): void {
    // What this version does not know says only that things have changed.
    const after = note === 'go' || note === 'next' ? note : 'choose';
    for (const awaited of [...(this.#awaited.get(lock) ?? [])]) this.#answer(awaited, after);
  }

  /** The store answers again. */
  found(): void {
    this.#arrears.payAll();
  }

  /** The store has lost what it had. */
  reset(): void {
    this.#endings.forgetAll();
  }

  /** The store is gone: what others find out is not heard any more, and whoever waits for it goes first here. */
  lost(): void {
    for (const awaited of [...this.#awaited.values()].flatMap((all) => [...all])) this.#answer(awaited, 'next');
  }

  enterIncident(of: IncidentOf, id: string): Promise<IncidentClaim> {
    return this.#memberships.enter(of, id);
  }

  leaveIncident(of: IncidentOf, tellEnd?: (id: string) => void): Promise<IncidentEnding> {
    return this.#memberships.leave(of, tellEnd);
  }

  /** Nothing is renewed or heard any more; the incidents that are open are left to those who have them open too. */
  close(): void {
    this.#closed = true;
    this.#memberships.close();
    this.#endings.close();
    this.#arrears.close();
    for (const all of this.#awaited.values()) for (const { forget } of all) forget.cancel();
    this.#awaited.clear();
    this.#awaitedCount = 0;
  }

  #isAlone(): boolean {
    return this.#closed || !this.#options.isUp();
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
}

/** Never at once: whoever asks is only about to wait. */
function listen(awaited: Awaited, listener: (after: AfterCanary) => void): void {
  const { note } = awaited;
  if (note === undefined) awaited.listener = listener;
  else queueMicrotask(() => listener(note));
}
