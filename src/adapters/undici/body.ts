/** A body as undici takes it, with the content type that goes with it if undici would set none. */
export interface MadeBody {
  readonly body: unknown;
  readonly contentType?: string | undefined;
}

/** A request's body, which is to be sent once or twice. */
export class RequestBody {
  /** It can be sent once only: a stream would have to be kept in memory whole. */
  readonly once: boolean;
  /** undici takes it as it is. */
  readonly plain: boolean;
  readonly #given: unknown;

  constructor(given: unknown) {
    this.#given = given;
    this.once = !isReplayable(given);
    this.plain = typeof given !== 'function' && !isForm(given);
  }

  /** What is sent; a factory is asked anew for each sending. */
  make(): MadeBody {
    const body: unknown = typeof this.#given === 'function' ? this.#given() : this.#given;
    if (!isForm(body)) return { body };
    const encoded = new Response(body);
    return { body: encoded.body, contentType: encoded.headers.get('content-type') ?? undefined };
  }

  /** Hears a stream fail while nobody else listens to it yet: unheard, that would end the process. */
  onFailure(listener: (error: unknown) => void): void {
    const stream = this.#given as { on?: unknown } | null | undefined;
    if (this.once && typeof stream?.on === 'function') stream.on('error', listener);
  }
}

function isReplayable(body: unknown): boolean {
  if (body === undefined || body === null || typeof body === 'string' || typeof body === 'function') return true;
  if (ArrayBuffer.isView(body) || body instanceof ArrayBuffer) return true;
  return ['Blob', 'File', 'FormData', 'URLSearchParams'].some((tag) => isTagged(body, tag));
}

/** What `fetch` takes and undici's `request` does not: Node's own forms. */
function isForm(body: unknown): body is FormData | URLSearchParams {
  return body instanceof FormData || body instanceof URLSearchParams;
}

/** By its tag, since undici brings classes of its own. */
function isTagged(value: unknown, tag: string): boolean {
  return typeof value === 'object' && value !== null && (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] === tag;
}
