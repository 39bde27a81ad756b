type Listener = (value?: unknown) => void;

/** What can be done with an answer that is held back. */
export interface Holder {
  /** Gives it to the caller. */
  release(): void;
  /** Has the rest of it read and thrown away. */
  drain(): void;
  abort(): void;
}

/** An answer as `run` judges it. */
export class Answer {
  readonly statusCode: number;
  readonly headers: object;
  /** The beginning of the body, where that may say more than the status. */
  readonly data: string | undefined;
  readonly body: HeldBody | undefined;
  readonly #holder: Holder | undefined;

  /** Without a holder it is on its way to the caller already. */
  constructor(statusCode: number, headers: object, holder?: Holder, data?: string) {
    this.statusCode = statusCode;
    this.headers = headers;
    this.data = data;
    this.#holder = holder;
    this.body = holder && new HeldBody(holder);
  }

  /** Gives it to the caller, if it was held back for that. */
  release(): void {
    this.#holder?.release();
  }
}

/** The body of an answer that is held back, with as much of a Node stream as it takes to empty it. */
export class HeldBody {
  readableDidRead = false;
  destroyed = false;
  readonly #holder: Holder;
  readonly #listeners: { readonly event: string; readonly listener: Listener }[] = [];

  constructor(holder: Holder) {
    this.#holder = holder;
  }

  on(event: string, listener: Listener): this {
    this.#listeners.push({ event, listener });
    return this;
  }

  resume(): this {
    this.readableDidRead = true;
    this.#holder.drain();
    return this;
  }

  destroy(): this {
    this.destroyed = true;
    this.#holder.abort();
    return this;
  }

  emit(event: 'data' | 'end' | 'error', value?: unknown): void {
    for (const heard of this.#listeners) if (heard.event === event) heard.listener(value);
  }
}
