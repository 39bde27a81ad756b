import { startTimer } from '../../clock.js';
import { StoreError } from '../../fleet/store-error.js';
import type { Driver } from './client.js';
import { failure, replyCode } from './failure.js';
import type { Script } from './scripts.js';

/** A client that is not connected keeps commands for later; what nobody answers must not pile up there. */
const MOST_UNANSWERED = 100;

/** Sends commands, each with a deadline: both clients wait for ever if left alone. */
export class Commands {
  readonly #driver: Driver;
  readonly #ms: number;
  readonly #waiting = new Set<(error: StoreError) => void>();
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
    if (this.#unanswered >= MOST_UNANSWERED) return Promise.reject(new StoreError('STORE_DOWN', 'too many commands are unanswered'));
    return new Promise((resolve, reject) => {
      const controller = new AbortController();
      const stop = (): void => {
        timer.cancel();
        this.#waiting.delete(fail);
      };
      const fail = (error: StoreError): void => {
        stop();
        reject(error);
        controller.abort();
      };
      const timer = startTimer(this.#ms, () => fail(new StoreError('STORE_DOWN', `no answer within ${this.#ms} ms`)));
      this.#waiting.add(fail);
      this.#unanswered++;
      // After the deadline an answer still counts: until it comes, the command lies in the client.
      this.#ask(args, controller.signal).then(
        (answer) => {
          this.#unanswered--;
          stop();
          resolve(answer);
        },
        (error: unknown) => {
          this.#unanswered--;
          stop();
          reject(error);
        },
      );
    });
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
