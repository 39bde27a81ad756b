import { startTimer } from '../../clock.js';
import type { RunContext } from '../../worker/context.js';
import { isPeeked, LONGEST_MS, MOST_DRAINED_BYTES, MOST_PEEKED_BYTES } from '../../worker/response.js';
import { Answer, type Holder } from './answer.js';
import type { Relay } from './relay.js';
import type { DispatchController, DispatchHandler } from './types.js';

/**
 * `sent`: no answer yet. `reading`: the beginning of a failed answer's body. `held`: until `run` has decided what becomes of it. Then
 * `passing` it on, or `draining` it. `over`: there was no answer, or nobody is to have it.
 */
type Stage = 'sent' | 'reading' | 'held' | 'passing' | 'draining' | 'over';

interface Head {
  readonly statusCode: number;
  readonly headers: object;
  readonly statusMessage: string | undefined;
}

/** One call made with a lease. What succeeds goes to the caller at once; what fails is held back until `run` has decided. */
export class Call implements DispatchHandler, Holder {
  /** What `run` judges. */
  readonly answer: Promise<Answer>;
  controller: DispatchController | undefined = undefined;
  readonly #relay: Relay;
  readonly #context: RunContext;
  /** The header that carries the lease's credential; undefined if the call goes without. */
  readonly #header: string | undefined;
  #resolve!: (answer: Answer) => void;
  #reject!: (error: unknown) => void;
  #stage: Stage = 'sent';
  #history: readonly unknown[] = [];
  #head: Head = { statusCode: 0, headers: {}, statusMessage: undefined };
  #held: Answer | undefined = undefined;
  #chunks: Uint8Array[] = [];
  #heldBytes = 0;
  #replaying = false;
  #end: { readonly trailers: object } | { readonly error: unknown } | undefined = undefined;
  #givenUp: { readonly reason: unknown } | undefined = undefined;
  #peekTimer: { cancel(): void } | undefined = undefined;

  constructor(relay: Relay, context: RunContext, header: string | undefined) {
    this.#relay = relay;
    this.#context = context;
    this.#header = header;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  onRequestStart(controller: DispatchController, context?: object): void {
    this.controller = controller;
    if (this.#givenUp !== undefined) {
      controller.abort(this.#givenUp.reason);
      return;
    }
    Object.assign(this.#relay.context, context);
    const history = (context as { history?: unknown } | undefined)?.history;
    if (Array.isArray(history)) this.#history = history;
    // undici takes only `authorization` off when a redirect leaves the origin, and where this one leads cannot be seen from here.
    if (this.#history.length === 0 || this.#header === undefined || this.#header === 'authorization') return;
    this.#context.unused();
    controller.abort(
      new TypeError(
        `createAuthInterceptor: a redirect would take \`${this.#header}\` along wherever it leads; compose the redirect interceptor after this one`,
      ),
    );
  }

  onRequestUpgrade(_controller: DispatchController, statusCode: number, headers: object, socket: unknown): void {
    // Until it is over the caller may still be told that it failed: by undici, if the caller's own handler throws.
    this.#stage = 'passing';
    this.#resolve(new Answer(statusCode, headers));
    this.#relay.upgrade(statusCode, headers, socket);
    this.#stage = 'over';
  }

  onResponseStarted(): void {
    this.#relay.firstByte();
  }

  onResponseStart(controller: DispatchController, statusCode: number, headers: object, statusMessage?: string): void {
    if (statusCode < 200) {
      this.#relay.inform(statusCode, headers, statusMessage);
      return;
    }
    this.#head = { statusCode, headers, statusMessage };
    const carried = this.#header !== undefined && originsOf(this.#history) < 2;
    if (!carried) this.#context.unused();
    if (!carried || statusCode < 400) {
      this.#stage = 'passing';
      // The verdict is recorded before the caller's code goes on.
      this.#resolve(new Answer(statusCode, headers));
      this.#relay.answer(statusCode, headers, statusMessage);
      if (this.#relay.paused) controller.pause();
    } else if (isPeeked(statusCode)) {
      this.#stage = 'reading';
      this.#peekTimer = startTimer(LONGEST_MS, () => this.#hold());
    } else {
      this.#hold();
    }
  }

  onResponseData(controller: DispatchController, chunk: Uint8Array): void {
    if (this.#stage === 'draining') this.#held?.body?.emit('data', chunk);
    else if (this.#stage === 'passing' && this.#chunks.length === 0) this.#relay.data(chunk);
    else this.#chunks.push(chunk);
    if (this.#stage !== 'reading' && this.#stage !== 'held') return;
    this.#heldBytes += chunk.length;
    if (this.#stage === 'reading' && this.#heldBytes >= MOST_PEEKED_BYTES) this.#hold();
    // A short body is read whole, so that its socket serves others while `run` decides, which may take as long as a Retry-After.
    if (this.#heldBytes >= MOST_DRAINED_BYTES) controller.pause();
  }

  onResponseEnd(_controller: DispatchController, trailers: object): void {
    this.#end = { trailers };
    if (this.#stage === 'reading') this.#hold();
    else if (this.#stage === 'draining') this.#endBody();
    else if (this.#stage === 'passing' && this.#chunks.length === 0) this.#finish();
  }

  onResponseError(_controller: DispatchController, error: unknown): void {
    this.#end = { error };
    if (this.#stage === 'sent') {
      this.#stage = 'over';
      this.#reject(error);
    } else if (this.#stage === 'reading') this.#hold();
    else if (this.#stage === 'draining') this.#held?.body?.emit('error', error);
    else if (this.#stage === 'passing') {
      this.#chunks = [];
      this.#finish();
    }
  }

  /** Gives the caller what was held back. */
  release(): void {
    if (this.#stage !== 'held') return;
    this.#stage = 'passing';
    const { statusCode, headers, statusMessage } = this.#head;
    // A handler that resumes before it has returned gets the body after that, as from undici itself.
    this.#replaying = true;
    try {
      this.#relay.answer(statusCode, headers, statusMessage);
    } catch (error) {
      this.abort(error);
      return;
    } finally {
      this.#replaying = false;
    }
    this.resume();
  }

  drain(): void {
    if (this.#stage !== 'held') return;
    this.#stage = 'draining';
    const chunks = this.#chunks;
    this.#chunks = [];
    for (const chunk of chunks) this.#held?.body?.emit('data', chunk);
    if (this.#end !== undefined) this.#endBody();
    else this.controller?.resume();
  }

  /** The caller wants more: first what was held back, then what comes. */
  resume(): void {
    if (this.#stage !== 'passing' || this.#replaying) return;
    this.#replaying = true;
    try {
      while (this.#chunks.length > 0 && !this.#relay.paused) this.#relay.data(this.#chunks.shift() as Uint8Array);
    } catch (error) {
      this.abort(error);
    } finally {
      this.#replaying = false;
    }
    if (this.#relay.paused || this.#chunks.length > 0) {
      if (this.#end === undefined) this.controller?.pause();
      return;
    }
    if (this.#end === undefined) this.controller?.resume();
    else this.#finish();
  }

  abort(reason?: unknown): void {
    if (this.#stage === 'over') return;
    if (this.controller === undefined) this.#givenUp = { reason };
    else if (this.#end === undefined) this.controller.abort(reason);
    else if (this.#stage === 'passing') {
      // undici is done with it, so it will say no more.
      this.#end = { error: reason ?? this.#relay.reason };
      this.#chunks = [];
      this.#finish();
    }
  }

  /** Nobody waits for the answer any more. One that has begun is left to `run`, which reads it away so that its socket can serve another call. */
  giveUp(reason: unknown): void {
    if (this.#stage === 'sent') this.abort(reason);
  }

  #hold(): void {
    this.#peekTimer?.cancel();
    const { statusCode, headers } = this.#head;
    const data = this.#stage === 'reading' ? textOf(this.#chunks) : undefined;
    this.#stage = 'held';
    this.#held = new Answer(statusCode, headers, this, data);
    this.#resolve(this.#held);
  }

  #finish(): void {
    if (this.#stage !== 'passing' || this.#end === undefined) return;
    this.#stage = 'over';
    if ('error' in this.#end) {
      this.#relay.fail(this.#end.error);
      return;
    }
    try {
      this.#relay.end(this.#end.trailers);
    } catch (error) {
      this.#relay.fail(error);
    }
  }

  /** undici lends the socket out again one turn of the event loop after the answer's end; a repeat made before that would open another. */
  #endBody(): void {
    queueMicrotask(() => setImmediate(() => this.#held?.body?.emit('end')));
  }
}

/** A redirect interceptor's history holds the final URL too by the time that its answer comes. */
function originsOf(history: readonly unknown[]): number {
  return new Set(history.map((url) => (url as URL).origin)).size;
}

function textOf(chunks: readonly Uint8Array[]): string {
  return new TextDecoder().decode(Buffer.concat(chunks).subarray(0, MOST_PEEKED_BYTES));
}
