/** A request's headers in any of the forms that undici takes: an object, a flat list of names and values, or pairs. */
export class RequestHeaders {
  readonly #given: unknown;
  /** Names and values in turn; undefined if they were given as an object. */
  readonly #list: readonly unknown[] | undefined;
  readonly #names = new Set<string>();

  /** Reads them once: they may be an iterator. @throws {TypeError} for pairs that are none. */
  constructor(headers: unknown) {
    this.#given = headers;
    if (typeof headers !== 'object' || headers === null) return;
    this.#list = listOf(headers);
    if (this.#list === undefined) {
      for (const [name, value] of Object.entries(headers)) this.#note(name, value);
    } else {
      for (let at = 0; at < this.#list.length; at += 2) this.#note(this.#list[at], this.#list[at + 1]);
    }
  }

  /** Whether a header is there; the name in lower case. */
  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** As they were given, in a form that can be read again. */
  get unchanged(): unknown {
    return this.#list ?? this.#given;
  }

  with(added: Readonly<Record<string, string>>): unknown {
    if (this.#list !== undefined) return [...this.#list, ...Object.entries(added).flat()];
    // What is no headers at all is for undici to refuse.
    if (this.#given !== undefined && typeof this.#given !== 'object') return this.#given;
    return { ...this.#given, ...added };
  }

  /** undici leaves out what has no value. */
  #note(name: unknown, value: unknown): void {
    if (value === undefined) return;
    if (typeof name === 'string') this.#names.add(name.toLowerCase());
    else if (name instanceof Uint8Array) this.#names.add(Buffer.from(name).toString('latin1').toLowerCase());
  }
}

function listOf(headers: object): readonly unknown[] | undefined {
  if (Array.isArray(headers) && !Array.isArray(headers[0])) return headers;
  if (typeof (headers as { [Symbol.iterator]?: unknown })[Symbol.iterator] !== 'function') return undefined;
  return [...(headers as Iterable<unknown>)].flatMap((pair) => {
    if (!Array.isArray(pair) || pair.length !== 2) throw new TypeError('headers must be pairs of a name and a value');
    return pair as unknown[];
  });
}
