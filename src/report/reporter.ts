import type { Emitter } from '../events.js';
import type { Incident } from '../policy/incident.js';
import { isPromiseLike } from '../promise-like.js';

/** Where incidents are told: at most once when one opens, and once when it ends. */
export interface Reporter {
  opened(incident: Incident): void | Promise<void>;
  /** Not called for an incident whose opening was not reported, nor for one whose scopes were merely evicted. */
  ended(incident: Incident): void | Promise<void>;
}

/** Deliveries beyond so many that hang are not waited for any more when Latchkey closes. */
const MOST_PENDING = 100;

/** Hands incidents to the user's reporter, whose failures are contained and whose slowness holds nobody up. */
export class Delivery {
  readonly #reporter: Reporter | undefined;
  readonly #emitter: Emitter;
  readonly #pending = new Set<Promise<void>>();

  constructor(reporter: Reporter | undefined, emitter: Emitter) {
    this.#reporter = reporter;
    this.#emitter = emitter;
  }

  /** Returns whether there is anybody to tell. */
  send(what: 'opened' | 'ended', incident: Incident): boolean {
    if (this.#reporter === undefined) return false;
    try {
      const result = this.#reporter[what](incident);
      if (isPromiseLike(result)) this.#await(result);
    } catch (error) {
      this.#emitter.contain('reporter', error);
    }
    return true;
  }

  /** Resolves when what is on its way has arrived. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending);
  }

  #await(result: PromiseLike<unknown>): void {
    const settled = Promise.resolve(result).then(
      () => {},
      (error: unknown) => this.#emitter.contain('reporter', error),
    );
    if (this.#pending.size >= MOST_PENDING) return;
    this.#pending.add(settled);
    void settled.then(() => this.#pending.delete(settled));
  }
}
