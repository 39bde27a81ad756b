import { Credential } from '../credential/credential.js';
import { isPromiseLike } from '../promise-like.js';

const MOST_CHARACTERS = 1_024;
/** A longer text is not looked through for secrets, so none of it is shown. */
const MOST_READ = 65_536;
const DEEPEST = 6;
const UNREADABLE = '[unreadable]';

/**
 * JSON text of anything, within so many bytes: written as text at once, so that no name, such as `__proto__`, means anything on the way.
 * Never throws. What does not fit is left out, and `isCut` is then true.
 */
export class BoundedJson {
  isCut = false;
  #left: number;
  readonly #clean: (text: string) => string;
  readonly #above = new Set<object>();

  /** `clean` takes out of a text what must not be written. */
  constructor(bytes: number, clean: (text: string) => string) {
    this.#left = bytes;
    this.#clean = clean;
  }

  /** Names and values, as members of an object without its braces. */
  members(names: Iterable<string>, read: (name: string) => unknown): string {
    const written: string[] = [];
    for (const name of names) {
      // The comma and the colon, before the value takes all the room; a member that is left out costs as much, because there may be many.
      if (!this.#fits(written.length === 0 ? 1 : 2)) break;
      const value = contained(() => read(name));
      // As `JSON.stringify` has it.
      if (value === undefined) continue;
      const key = this.#string(name);
      const text = key === undefined ? undefined : this.value(value);
      if (text !== undefined) written.push(`${key}:${text}`);
    }
    return written.join(',');
  }

  /** Undefined if there is no room for it. */
  value(value: unknown): string | undefined {
    switch (typeof value) {
      case 'string':
        return this.#string(value);
      case 'boolean':
        return this.#plain(String(value));
      case 'number':
      case 'bigint':
        return this.#number(value);
      case 'object':
        return value === null ? this.#plain('null') : this.#object(value);
      case 'undefined':
        return this.#plain('null');
      default:
        return this.#string(`[${typeof value}]`);
    }
  }

  #object(value: object, isPlain = false): string | undefined {
    if (this.#above.has(value)) return this.#string('[circular]');
    if (this.#above.size >= DEEPEST) {
      this.isCut = true;
      return this.#string('[too deep]');
    }
    this.#above.add(value);
    try {
      if (value instanceof Credential) return this.#string(value.toString());
      if (value instanceof Error) return this.#braced(['name', 'message'], (name) => text(value[name as 'name' | 'message']));
      if (value instanceof Date) return this.#string(Number.isNaN(value.getTime()) ? '[invalid date]' : value.toISOString());
      if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return this.#string(`[${value.byteLength} bytes]`);
      if (Array.isArray(value) || value instanceof Map || value instanceof Set) return this.#list(value);
      const asJson = isPlain ? undefined : (value as { toJSON?: unknown }).toJSON;
      if (typeof asJson === 'function') return this.#given(asJson.call(value));
      return this.#braced(Object.keys(value), (name) => (value as Record<string, unknown>)[name]);
    } catch {
      return this.#string(UNREADABLE);
    } finally {
      this.#above.delete(value);
    }
  }

  /** What a `toJSON` gave, which is not asked again: it might go on for ever. */
  #given(value: unknown): string | undefined {
    if (isPromiseLike(value)) {
      value.then(undefined, () => {});
      return this.#string(UNREADABLE);
    }
    return typeof value === 'object' && value !== null ? this.#object(value, true) : this.value(value);
  }

  #braced(names: Iterable<string>, read: (name: string) => unknown): string | undefined {
    return this.#fits(2) ? `{${this.members(names, read)}}` : undefined;
  }

  #list(values: Iterable<unknown>): string | undefined {
    if (!this.#fits(2)) return undefined;
    const written: string[] = [];
    for (const value of values) {
      const text = this.#fits(written.length === 0 ? 0 : 1) ? this.value(value) : undefined;
      if (text === undefined) break;
      written.push(text);
    }
    return `[${written.join(',')}]`;
  }

  #number(value: number | bigint): string | undefined {
    const digits = String(value);
    // JSON has no others; a secret may be all digits.
    const isPlain = typeof value === 'number' && Number.isFinite(value) && this.#clean(digits) === digits;
    return isPlain ? this.#plain(digits) : this.#string(digits);
  }

  #string(value: string): string | undefined {
    return this.#plain(quoted(this.#shortened(value)));
  }

  #shortened(value: string): string {
    if (value.length > MOST_READ) {
      this.isCut = true;
      return `[${value.length} characters]`;
    }
    const clean = this.#clean(value);
    if (clean.length <= MOST_CHARACTERS) return clean;
    this.isCut = true;
    // Not half of a character.
    return `${clean.slice(0, MOST_CHARACTERS - 1).replace(/[\ud800-\udbff]$/, '')}…`;
  }

  #plain(json: string): string | undefined {
    return this.#fits(Buffer.byteLength(json)) ? json : undefined;
  }

  /** Once something does not fit, nothing does: what comes later must not look as if all before it were there. */
  #fits(bytes: number): boolean {
    this.#left = bytes > this.#left ? 0 : this.#left - bytes;
    if (this.#left > 0) return true;
    this.isCut = true;
    return false;
  }
}

function quoted(value: string): string {
  // What a terminal, or a reader that splits lines its own way, would act on.
  return JSON.stringify(value).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    Array.from({ length: character.length }, (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
  );
}

function contained(read: () => unknown): unknown {
  try {
    return read();
  } catch {
    return UNREADABLE;
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
