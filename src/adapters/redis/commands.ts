import { startTimer } from '../../clock.js';
import { StoreError } from '../../fleet/store-error.js';
import type { Driver } from './client.js';
import { failure, replyCode } from './failure.js';
import type { Script } from './scripts.js';

/** A client that is not connected keeps commands for later; what nobody answers must not pile up there. */
const MOST_UNANSWERED = 100;
/** Nor here: a burst waits its turn, each command for as long as it may take. */
const MOST_QUEUED = 10_000;

/** Sends commands, each with a deadline: both clients wait for ever if left alone. */
export class Commands {
  readonly #driver: Driver;
  readonly #ms: number;
  readonly #waiting = new Set<(error: StoreError) => void>();
  /** Those that have not been handed to the client. */
  readonly #queue = new Set<() => void>();
  #unanswered = 0;
  #closed = false;

  constructor(driver: Driver, ms: number) {
    this.#driver = driver;
    this.#ms = ms;
  }

  /** By its digest, and spelt out where the server does not know it (any more). */
  async run(script: Script, key: string, args: readonly string[]): Promise<string> {
    let answer: unknown;
    try {
      answer = await this.#send(['EVALSHA', script.digest, '1', key, ...args]);
    } catch (error) {
      if (replyCode(error) !== 'NOSCRIPT') throw toStoreError(error);
      answer = await this.#send(['EVAL', script.lua, '1', key, ...args]).catch((again: unknown) => {
        throw toStoreError(again);
      });
    }
    return String(answer);
  }

  /** What is still waited for fails. */
  close(): void {
    this.#closed = true;
    for (const fail of [...this.#waiting]) fail(closed());
  }

  #send(args: readonly string[]): Promise<unknown> {
    if (this.#closed) return Promise.reject(closed());
    if (this.#queue.size >= MOST_QUEUED) return Promise.reject(new StoreError('STORE_DOWN', 'too many commands are unanswered'));
    return new Promise((resolve, reject) => {
      const controller = new AbortController();
      const begin = (): void => this.#begin(args, controller.signal, stop, resolve, reject);
      const stop = (): void => {
        timer.cancel();
        this.#waiting.delete(fail);
        this.#queue.delete(begin);
      };
      const fail = (error: StoreError): void => {
        stop();
        reject(error);
        controller.abort();
      };
      const timer = startTimer(this.#ms, () => fail(new StoreError('STORE_DOWN', `no answer within ${this.#ms} ms`)));
      this.#waiting.add(fail);
      if (this.#unanswered < MOST_UNANSWERED) begin();
      else this.#queue.add(begin);
    });
  }

  #begin(
    args: readonly string[],
    signal: AbortSignal,
    stop: () => void,
    resolve: (answer: unknown) => void,
    reject: (error: unknown) => void,
  ): void {
    this.#unanswered++;
    // After the deadline an answer still counts: until it comes, the command lies in the client.
    const answered = (tell: (answer: unknown) => void) => (answer: unknown) => {
      this.#unanswered--;
      stop();
      tell(answer);
      this.#next();
    };
    this.#ask(args, signal).then(answered(resolve), answered(reject));
  }

  #next(): void {
    for (const begin of this.#queue) {
      if (this.#unanswered >= MOST_UNANSWERED) return;
      this.#queue.delete(begin);
      begin();
    }
  }

  /** A client that throws has failed like one that rejects. */
  async #ask(args: readonly string[], signal: AbortSignal): Promise<unknown> {
    return await this.#driver.command(args, signal);
  }
}

function closed(): StoreError {
  return new StoreError('STORE_DOWN', 'the store is closed');
}

function toStoreError(error: unknown): StoreError {
  return error instanceof StoreError ? error : failure(error);
}
