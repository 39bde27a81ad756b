import type { Answer } from './answer.js';
import type { DispatchController, DispatchHandler } from './types.js';

/** The call that a relay steers. */
interface SteeredCall {
  readonly answer: Promise<Answer>;
  readonly controller: DispatchController | undefined;
  /** The caller takes more of the answer. */
  resume(): void;
  abort(reason?: unknown): void;
  /** Nobody waits for the answer any more. */
  giveUp(reason: unknown): void;
}

/**
 * Stands between the caller's handler and the calls made for it: the handler sees one request with one answer, and steers whichever
 * call is out.
 */
export class Relay implements DispatchController {
  /** What undici says about the request beside its answer; a redirect interceptor keeps its history here. */
  readonly context = {};
  readonly #handler: DispatchHandler;
  readonly #calledOff = new AbortController();
  /** Private, since handlers print their controller and an answer can hold anything. */
  #call: SteeredCall | undefined = undefined;
  #stage: 'asking' | 'answering' | 'over' = 'asking';
  #paused = false;

  constructor(handler: DispatchHandler) {
    this.#handler = handler;
  }

  /** The call that is out, or was last. */
  get call(): SteeredCall | undefined {
    return this.#call;
  }

  set call(call: SteeredCall) {
    this.#call = call;
  }

  /** Aborts when the caller has called the request off. */
  get signal(): AbortSignal {
    return this.#calledOff.signal;
  }

  /** The handler has been given neither an answer nor an error. */
  get asking(): boolean {
    return this.#stage === 'asking';
  }

  get paused(): boolean {
    return this.#paused;
  }

  get aborted(): boolean {
    return this.signal.aborted;
  }

  get reason(): unknown {
    return this.aborted ? this.signal.reason : null;
  }

  get rawHeaders(): unknown {
    return this.#call?.controller?.rawHeaders ?? null;
  }

  set rawHeaders(value: unknown) {
    if (this.#call?.controller !== undefined) this.#call.controller.rawHeaders = value;
  }

  get rawTrailers(): unknown {
    return this.#call?.controller?.rawTrailers ?? null;
  }

  set rawTrailers(value: unknown) {
    if (this.#call?.controller !== undefined) this.#call.controller.rawTrailers = value;
  }

  pause(): void {
    this.#paused = true;
    if (this.#stage === 'answering') this.#call?.controller?.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#stage === 'answering') this.#call?.resume();
  }

  abort(reason?: unknown): void {
    this.#calledOff.abort(reason);
    if (this.#stage === 'answering') this.#call?.abort(reason);
    else this.fail(this.reason);
  }

  /** Before anything is sent, so that the caller can call off what waits for a credential. */
  start(): void {
    try {
      this.#handler.onRequestStart?.(this, this.context);
    } catch (error) {
      this.fail(error);
    }
  }

  upgrade(statusCode: number, headers: object, socket: unknown): void {
    this.#stage = 'answering';
    this.#handler.onRequestUpgrade?.(this, statusCode, headers, socket);
    this.#stage = 'over';
  }

  firstByte(): void {
    this.#handler.onResponseStarted?.();
  }

  /** An informational answer: the real one is still to come. */
  inform(statusCode: number, headers: object, statusMessage: string | undefined): void {
    if (this.asking) this.#handler.onResponseStart?.(this, statusCode, headers, statusMessage);
  }

  answer(statusCode: number, headers: object, statusMessage: string | undefined): void {
    this.#stage = 'answering';
    this.#handler.onResponseStart?.(this, statusCode, headers, statusMessage);
  }

  data(chunk: Uint8Array): void {
    if (this.#stage === 'answering') this.#handler.onResponseData?.(this, chunk);
  }

  end(trailers: object): void {
    if (this.#stage !== 'answering') return;
    this.#stage = 'over';
    try {
      this.#handler.onResponseEnd?.(this, trailers);
    } catch (error) {
      // One that will not have the answer gets to hear so as an error, as from undici itself.
      this.#stage = 'answering';
      throw error;
    }
  }

  /** Tells the handler how it ends; once. */
  fail(error: unknown): void {
    if (this.#stage === 'over') return;
    const wasAsking = this.asking;
    this.#stage = 'over';
    if (wasAsking) this.#call?.giveUp(error);
    try {
      this.#handler.onResponseError?.(this, error);
    } catch {
      // There is nobody left to tell.
    }
  }
}
