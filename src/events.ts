import { channel } from 'node:diagnostics_channel';
import type { ScopeParts } from './errors.js';
import type { Incident, IncidentEnd, Suppression } from './policy/incident.js';
import type { BlockReason, Status, StatusState } from './policy/status.js';
import type { Reach } from './policy/verdict.js';
import { isPromiseLike } from './promise-like.js';

/** Which function of the user's threw, hung or rejected; or what else was wrong. */
export type ErrorOrigin = 'canonicalProvider' | 'classify' | 'fallback' | 'listener' | 'refresh' | 'refreshKey' | 'reporter' | 'store';

/** @inline */
interface About {
  readonly scope: ScopeParts;
  /** Of the credential; never its value. */
  readonly fingerprint: string;
}

/** What is told, by event name. Nothing here ever holds the value of a credential. Times are milliseconds since the epoch. */
export interface LatchkeyEvents {
  /**
   * A capture or pin changed what its slot points at; `remote` where it came from another process, through the store, `refreshed` where a refresh
   * brought it.
   */
  captured: About & { readonly usable: boolean; readonly pinned: boolean; readonly remote?: true; readonly refreshed?: true };
  /** A call got a 2xx or 304. */
  accepted: About;
  /**
   * A call was answered by a rejection; `late` when a call sent later had an outcome already, so that it changed nothing, `strike` when it does not
   * count yet.
   */
  rejected: About & { readonly status: number | undefined; readonly reach: Reach; readonly late: boolean; readonly strike: boolean };
  /** The credential is fine, this request is not allowed with it. */
  denied: About & { readonly status: number | undefined };
  held: About & { readonly until: number; readonly reason: string | undefined };
  /** A run repeats its attempt, once, with another credential; with the same one after a rejection that does not count yet. */
  retried: About & { readonly from: string };
  /** The global credential was lent to a session that did not bring it. */
  borrowed: About;
  /** A scope's work met a block caused by a rejection; told once until it resumes. */
  blocked: About & { readonly incident: string; readonly status: number | undefined };
  /** A blocked scope can work again, or is gone (`evicted`). */
  resumed: { readonly scope: ScopeParts; readonly incident: string; readonly end: IncidentEnd };
  /** A run with `whenBlocked: 'skip'` was skipped. */
  skipped: { readonly scope: ScopeParts; readonly reason: BlockReason };
  /** A run waits for fresh auth. */
  parked: { readonly scope: ScopeParts; readonly reason: BlockReason };
  incident: { readonly incident: Incident };
  recovered: { readonly incident: Incident };
  /** A refresh brought another credential in place of `from`. */
  refreshed: About & { readonly from: string };
  /**
   * A try to refresh a credential came to nothing: refused for good, failed for reasons that pass, called off, or without a credential that is any better.
   * `code`: the token endpoint's `error`, or the connection's; `next`: when it is tried again.
   */
  refreshFailed: About & {
    readonly kind: 'permanent' | 'transient' | 'aborted' | 'unchanged';
    readonly status: number | undefined;
    readonly code: string | undefined;
    readonly next: number | undefined;
  };
  /** A scope's work met that it stands otherwise than before; the first time that it is not `ready`, and until it is. */
  status: { readonly scope: ScopeParts; readonly from: StatusState } & Status;
  /** A report was not sent. */
  suppressed: { readonly incident: string; readonly why: Suppression };
  /** A session left memory: asked for, idle for too long, or one too many. */
  evicted: { readonly tenant: string | undefined; readonly session: string | undefined; readonly why: 'asked' | 'idle' | 'limit' };
  /** The store answers, or does not any more: told when that changes. */
  store: { readonly state: 'up' | 'down'; readonly error: Error | undefined };
  /** A function of the user's failed, or (`store`) something is wrong with what the store holds; it was contained. */
  error: { readonly origin: ErrorOrigin; readonly error: unknown };
}

/** The events that there are. */
export type LatchkeyEventName = keyof LatchkeyEvents;
/** Hears one event. What it returns is not looked at; what it throws is contained. */
export type LatchkeyListener<Name extends LatchkeyEventName> = (event: LatchkeyEvents[Name]) => unknown;

const NAMES: Readonly<Record<LatchkeyEventName, true>> = {
  captured: true,
  accepted: true,
  rejected: true,
  denied: true,
  held: true,
  retried: true,
  borrowed: true,
  blocked: true,
  resumed: true,
  skipped: true,
  parked: true,
  incident: true,
  recovered: true,
  refreshed: true,
  refreshFailed: true,
  status: true,
  suppressed: true,
  evicted: true,
  store: true,
  error: true,
};

interface Outlet {
  readonly channel: ReturnType<typeof channel>;
  readonly listeners: Set<(event: never) => unknown>;
}

/**
 * Tells listeners and the `latchkey:NAME` channels of node:diagnostics_channel. Payloads are built only when somebody hears them.
 * Events that a listener causes are told after the one that it is hearing.
 */
export class Emitter {
  readonly #outlets = Object.fromEntries(
    Object.keys(NAMES).map((name) => [name, { channel: channel(`latchkey:${name}`), listeners: new Set<(event: never) => unknown>() }]),
  ) as Record<LatchkeyEventName, Outlet>;
  readonly #told = new WeakSet<object>();
  readonly #queue: (() => void)[] = [];
  #telling = false;
  /** How often a function of the user's failed. */
  failures = 0;

  /** @throws {TypeError} for a name that is no event, or a listener that is no function. */
  on<Name extends LatchkeyEventName>(name: Name, listener: LatchkeyListener<Name>): () => void {
    if (typeof name !== 'string' || !Object.hasOwn(NAMES, name)) throw new TypeError(`on: unknown event \`${String(name)}\``);
    if (typeof listener !== 'function') throw new TypeError('on: `listener` must be a function');
    const { listeners } = this.#outlets[name];
    // Wrapped, so that the same function may listen twice and each `off` removes its own.
    const own = (event: never): unknown => listener(event);
    listeners.add(own);
    return () => void listeners.delete(own);
  }

  heard(name: LatchkeyEventName): boolean {
    const { listeners, channel } = this.#outlets[name];
    return listeners.size > 0 || channel.hasSubscribers;
  }

  emit<Name extends LatchkeyEventName>(name: Name, build: () => LatchkeyEvents[Name]): void {
    if (!this.heard(name)) return;
    const event = build();
    this.#queue.push(() => this.#tell(name, event));
    if (this.#telling) return;
    this.#telling = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) next();
    } finally {
      this.#telling = false;
    }
  }

  /**
   * A function of the user's failed: counted and told, never thrown. Given the function, it is told of that one once only: what fails at
   * every call must not make a storm of its own.
   */
  contain(origin: ErrorOrigin, error: unknown, failing?: object): void {
    this.failures++;
    if (failing !== undefined) {
      if (this.#told.has(failing)) return;
      this.#told.add(failing);
    }
    this.emit('error', () => ({ origin, error }));
  }

  #tell<Name extends LatchkeyEventName>(name: Name, event: LatchkeyEvents[Name]): void {
    // A subscriber that throws is node's to report: diagnostics_channel turns it into an uncaught exception by contract.
    const { listeners, channel } = this.#outlets[name];
    if (channel.hasSubscribers) channel.publish(event);
    for (const listener of listeners) {
      try {
        const result = (listener as (event: LatchkeyEvents[Name]) => unknown)(event);
        if (isPromiseLike(result)) result.then(undefined, (error: unknown) => this.#failed(name, error, listener));
      } catch (error) {
        this.#failed(name, error, listener);
      }
    }
  }

  #failed(name: LatchkeyEventName, error: unknown, listener: object): void {
    // A listener to `error` that throws is only counted, or it would be told of itself for ever.
    if (name === 'error') this.failures++;
    else this.contain('listener', error, listener);
  }
}
