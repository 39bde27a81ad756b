import { startTimer } from '../../clock.js';
import { isPromiseLike } from '../../promise-like.js';
import type { Workload, WorkloadState } from './workload.js';

/**
 * A promise that it returns is waited for.
 * @inline
 */
export type WriteStatus = (workload: Workload, options: { readonly signal: AbortSignal }) => unknown;

export interface StatusWriterOptions {
  /** How the workload stands now; undefined if nobody is to be told. */
  readonly current: () => Workload | undefined;
  readonly write: WriteStatus;
  readonly timeoutMs: number;
  readonly failed: (error: unknown) => void;
  /** No write is out any more. */
  readonly idle: () => void;
}

interface Write {
  readonly state: WorkloadState;
  /** It took too long: nobody waits for it, and it may yet arrive. */
  abandoned: boolean;
}

/** Keeps what was written of one workload equal to how it stands: one write at a time, and another if the state has changed meanwhile. */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
  /** What was last written; undefined if nobody knows. That a workload is starting needs no telling. */
  #written: WorkloadState | undefined = 'starting';
  /** While the present write is out an older one has arrived, perhaps over it. */
  #doubted = false;
  #newest: Write | undefined;
  #out: Write | undefined;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  get busy(): boolean {
    return this.#out !== undefined;
  }

  /** Writes how the workload stands if that is not what was written. While a write is out there is nothing to do: its end looks again. */
  sync(): void {
    if (this.#out !== undefined) return;
    const workload = this.#options.current();
    if (workload !== undefined && workload.state !== this.#written) this.#start(workload);
  }

  #start(workload: Workload): void {
    const { write, timeoutMs } = this.#options;
    const own: Write = { state: workload.state, abandoned: false };
    this.#out = this.#newest = own;
    const controller = new AbortController();
    let result: unknown;
    let pending: boolean;
    try {
      result = write(workload, { signal: controller.signal });
      pending = isPromiseLike(result);
    } catch (error) {
      this.#failed(own, error);
      return;
    }
    if (!pending) {
      this.#succeeded(own);
      return;
    }
    const timer = startTimer(timeoutMs, () => {
      own.abandoned = true;
      const late = new Error(`onWorkload: not done within ${timeoutMs} ms`);
      this.#failed(own, late);
      controller.abort(late);
    });
    // Adopted, so that one whose `then` throws is a failure like any other.
    new Promise((resolve) => resolve(result)).then(
      () => {
        timer.cancel();
        if (own.abandoned) this.#succeededLate(own);
        else this.#succeeded(own);
      },
      (error: unknown) => {
        timer.cancel();
        if (own.abandoned) this.#failedLate(own);
        else this.#failed(own, error);
      },
    );
  }

  #succeeded({ state }: Write): void {
    this.#out = undefined;
    this.#written = this.#doubted ? undefined : state;
    this.#doubted = false;
    this.sync();
    if (this.#out === undefined) this.#options.idle();
  }

  /**
   * How much of it arrived nobody knows. The same state is tried again only when the next answer asks, or a store that is down
   * would never be left alone.
   */
  #failed({ state }: Write, error: unknown): void {
    this.#out = undefined;
    this.#written = undefined;
    this.#doubted = false;
    this.#options.failed(error);
    if (this.#out !== undefined) return;
    const workload = this.#options.current();
    if (workload !== undefined && workload.state !== state) this.#start(workload);
    else this.#options.idle();
  }

  /** A write that nobody waited for any more has arrived. */
  #succeededLate(late: Write): void {
    if (this.#newest === late) {
      this.#written = late.state;
    } else {
      if (this.#newest?.state === late.state) return;
      this.#doubt();
    }
    this.sync();
  }

  /** It has had its failure, and may have arrived all the same; the next answer looks again. */
  #failedLate(late: Write): void {
    if (this.#newest?.state !== late.state) this.#doubt();
  }

  #doubt(): void {
    this.#written = undefined;
    this.#doubted = this.#out !== undefined;
  }
}
