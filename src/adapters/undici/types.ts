/** What undici gives a handler to steer its request by; the part that is needed here. */
export interface DispatchController {
  readonly paused: boolean;
  readonly aborted: boolean;
  readonly reason: unknown;
  rawHeaders?: unknown;
  rawTrailers?: unknown;
  pause(): void;
  resume(): void;
  abort(reason?: unknown): void;
}

/** What undici tells of a request and its answer. */
export interface DispatchHandler {
  onRequestStart?(controller: DispatchController, context?: object): void;
  onRequestUpgrade?(controller: DispatchController, statusCode: number, headers: object, socket: unknown): void;
  /** The first byte of an answer: fetch takes the time of it. */
  onResponseStarted?(): void;
  onResponseStart?(controller: DispatchController, statusCode: number, headers: object, statusMessage?: string): void;
  onResponseData?(controller: DispatchController, chunk: Uint8Array): void;
  onResponseEnd?(controller: DispatchController, trailers: object): void;
  onResponseError?(controller: DispatchController, error: unknown): void;
}

export interface DispatchOptions {
  readonly origin?: unknown;
  readonly path?: unknown;
  readonly query?: unknown;
  readonly method?: unknown;
  readonly headers?: unknown;
  readonly body?: unknown;
}

export type Dispatch = (options: DispatchOptions, handler: DispatchHandler) => boolean;
