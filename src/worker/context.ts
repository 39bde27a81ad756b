import { ResponseError } from '../errors.js';
import type { Flight } from './flight.js';

/** What an attempt gets beside its lease. */
export interface RunContext {
  /** Aborts when the run is broken off: by its `signal`, its `timeoutMs`, or `close()`. Pass it on to the client. Made on first use. */
  readonly signal: AbortSignal;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /**
   * Gives back a 2xx answer; throws what `run` understands for any other.
   * @throws {ResponseError} with the unread answer on `response`.
   */
  check<R extends { readonly status: number; readonly headers: unknown }>(response: R): Promise<R>;
  /** Says that nothing was sent with the lease, so that nothing is learnt from what the attempt returns or throws. */
  unused(): void;
}

export class AttemptContext implements RunContext {
  readonly attempt: number;
  readonly #flight: Flight;
  #unused = false;

  constructor(flight: Flight, attempt: number) {
    this.#flight = flight;
    this.attempt = attempt;
  }

  get signal(): AbortSignal {
    return this.#flight.signal;
  }

  get wasUnused(): boolean {
    return this.#unused;
  }

  /** A property, so that it works when it is taken out of the context. */
  get unused(): () => void {
    return () => {
      this.#unused = true;
    };
  }

  async check<R extends { readonly status: number; readonly headers: unknown }>(response: R): Promise<R> {
    if (response.status >= 200 && response.status < 300) return response;
    throw new ResponseError(response);
  }
}
