import { ResponseError } from '../errors.js';
import type { Flight } from './flight.js';

/** What an attempt gets beside its lease. */
export interface RunContext {
  /** Aborts when the run is broken off: by its `signal`, its `timeoutMs`, or `close()`. Pass it on to the client. Made on first use. */
  readonly signal: AbortSignal;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /**
   * Gives back a 2xx answer, which counts as accepted from this moment, however long its body takes; throws what `run` understands for any other.
   * @throws {ResponseError} with the unread answer on `response`.
   */
  check<R extends { readonly status: number; readonly headers: unknown }>(response: R): Promise<R>;
  /** Says that nothing was sent with the lease, so that nothing is learnt from what the attempt returns or throws. */
  unused(): void;
}

export class AttemptContext implements RunContext {
  readonly attempt: number;
  readonly #flight: Flight;
  readonly #onChecked: (response: object) => void;
  #unused = false;
  #wasChecked = false;

  constructor(flight: Flight, attempt: number, onChecked: (response: object) => void) {
    this.#flight = flight;
    this.attempt = attempt;
    this.#onChecked = onChecked;
  }

  get signal(): AbortSignal {
    return this.#flight.signal;
  }

  get wasUnused(): boolean {
    return this.#unused;
  }

  /** A good answer has been checked, and recorded. */
  get wasChecked(): boolean {
    return this.#wasChecked;
  }

  // Properties, so that they work when they are taken out of the context.

  get unused(): () => void {
    return () => {
      this.#unused = true;
    };
  }

  get check(): RunContext['check'] {
    return async (response) => {
      // What has no status is not good.
      if (!(response.status >= 200 && response.status < 300)) throw new ResponseError(response);
      if (!this.#wasChecked) {
        this.#wasChecked = true;
        this.#onChecked(response);
      }
      return response;
    };
  }
}
