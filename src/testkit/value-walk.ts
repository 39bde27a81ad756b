import { TestkitAssertionError } from './assertion.js';

/** A text that a value holds, and where. */
interface FoundText {
  readonly path: string;
  readonly text: string;
}

/** Enough for any event, error or snapshot; what is larger is to be looked at in parts. */
const MOST_VALUES = 100_000;
const TOO_MANY = `assertNoSecret: the value holds more than ${MOST_VALUES} values: look at its parts`;
const LONGEST_NAME = 40;
/** A proxy may have prototypes without end. */
const MOST_PROTOTYPES = 100;
/** The own names of larger ones are not looked at: every byte is one. */
const MOST_NAMED_BYTES = 2 ** 20;
const INSPECT = Symbol.for('nodejs.util.inspect.custom');
/** What every object has, and which says nothing of this one. */
const OF_LANGUAGE: ReadonlySet<unknown> = new Set([
  Object.prototype.toString,
  Object.prototype.valueOf,
  Object.prototype.toLocaleString,
  Function.prototype.toString,
  Array.prototype.toString,
  Array.prototype.toLocaleString,
]);

interface Place {
  readonly path: string;
  readonly value: unknown;
  /** What it is called there. */
  readonly name?: string | undefined;
}

/**
 * Every text that can be got out of a value without calling its methods, but those that print it: properties of any kind, getters, those of its
 * classes too, causes, the entries of maps, sets and headers, bytes, and what it makes of itself for JSON and for consoles.
 * @throws {TestkitAssertionError} if it holds more than 100,000 values.
 */
export function* textsIn(root: unknown): Iterable<FoundText> {
  const seen = new Set<object>();
  const places: Place[] = [{ path: '$', value: root }];
  let count = 0;
  for (let place = places.pop(); place !== undefined; place = places.pop()) {
    if (++count > MOST_VALUES) throw new TestkitAssertionError(TOO_MANY);
    const { path, value } = place;
    if (typeof value === 'string') yield { path, text: value };
    else if (typeof value === 'symbol') yield { path, text: value.description ?? '' };
    else if (typeof value === 'bigint' || typeof value === 'number') yield { path, text: String(value) };
    else if ((typeof value === 'object' && value !== null) || typeof value === 'function') {
      if (seen.has(value)) continue;
      seen.add(value);
      const bytes = bytesIn(value);
      // What is made of bytes is read as a whole.
      if (bytes !== undefined) for (const text of textsOf(bytes)) yield { path, text };
      const parts: Place[] = [];
      for (const part of bytes === undefined || Array.isArray(value) ? partsOf(value, path) : namedOf(value, bytes, path)) {
        if (count + parts.length > MOST_VALUES) throw new TestkitAssertionError(TOO_MANY);
        parts.push(part);
      }
      for (const { name } of parts) if (name !== undefined) yield { path: `${path} (a name)`, text: name };
      // The last to be added is the next to be looked at.
      for (const part of parts.reverse()) places.push(part);
    }
  }
}

function bytesIn(value: object): Uint8Array | undefined {
  return quietly(() => {
    if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    if (isBuffer(value)) return new Uint8Array(value);
    return Array.isArray(value) && value.length > 0 && value.length <= MOST_VALUES && value.every(isByte)
      ? Uint8Array.from(value)
      : undefined;
  }, undefined);
}

/** Of other realms and shared ones too: whoever is none cannot tell its length to a buffer's own getter. */
function isBuffer(value: object): value is ArrayBuffer {
  if (!Object.prototype.toString.call(value).endsWith('ArrayBuffer]')) return false;
  return [ArrayBuffer, (globalThis as { SharedArrayBuffer?: typeof SharedArrayBuffer }).SharedArrayBuffer].some((kind) =>
    quietly(() => kind !== undefined && Reflect.get(kind.prototype, 'byteLength', value) !== undefined, false),
  );
}

function isByte(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 256;
}

function textsOf(bytes: Uint8Array): readonly string[] {
  const parts: string[] = [];
  for (let start = 0; start < bytes.length; start += 8_192) parts.push(String.fromCharCode(...bytes.subarray(start, start + 8_192)));
  const plain = parts.join('');
  // A copy: what is shared with other threads is not decoded everywhere.
  const decoded = new TextDecoder().decode(bytes.slice());
  return decoded === plain ? [plain] : [plain, decoded];
}

/** What somebody has put on a buffer. */
function* namedOf(value: object, bytes: Uint8Array, path: string): Iterable<Place> {
  if (bytes.length > MOST_NAMED_BYTES) return;
  const names = quietly(() => Reflect.ownKeys(value), []);
  // The places of its bytes come before all others (ECMA-262, 10.4.5.8).
  for (const name of names.slice(names.findLastIndex((one) => typeof one === 'string' && /^(?:0|[1-9]\d*)$/.test(one)) + 1)) {
    const label = labelOf(name);
    yield { path: `${path}${step(label)}`, value: orThrown(() => Reflect.get(value, name)), name: label };
  }
}

function* partsOf(value: object, path: string): Iterable<Place> {
  const get = (name: PropertyKey): unknown => (value as Record<PropertyKey, unknown>)[name];
  const isList = quietly(() => Array.isArray(value), true);
  for (const name of namesOf(value)) {
    const label = labelOf(name);
    const isPlace = isList && /^\d+$/.test(label);
    yield { path: `${path}${step(label)}`, value: orThrown(() => get(name)), name: isPlace ? undefined : label };
  }
  const entries = isList ? undefined : quietly(() => entriesOf(value), undefined);
  if (entries !== undefined) yield* numbered(entries, path);
  for (const print of ['toJSON', INSPECT, 'toString', 'valueOf', 'toLocaleString'] as const) {
    const method = quietly(() => get(print), undefined);
    if (typeof method !== 'function' || OF_LANGUAGE.has(method)) continue;
    // What it would have printed for it is looked at as it is.
    const shown: unknown[] = [];
    const inspect = (part: unknown): string => `${shown.push(part)}`;
    const given = print === 'toJSON' ? [''] : print === INSPECT ? [8, { stylize: String, depth: 8, seen: [] }, inspect] : [];
    yield { path: `${path}.${String(print)}()`, value: orThrown(() => method.apply(value, given)) };
    yield { path: `${path}.${String(print)}()`, value: shown };
  }
  const convert = quietly(() => get(Symbol.toPrimitive), undefined);
  if (typeof convert !== 'function') return;
  for (const hint of ['string', 'default']) yield { path: `${path} as a ${hint}`, value: orThrown(() => convert.call(value, hint)) };
}

function* numbered(entries: Iterable<unknown>, path: string): Iterable<Place> {
  let index = 0;
  try {
    for (const entry of entries) yield { path: `${path}<entry ${index++}>`, value: entry };
  } catch (error) {
    yield { path: `${path}<entry ${index}>`, value: error };
  }
}

/** Own properties, hidden ones too, and what its classes have but methods: a request shows its headers by a getter. */
function namesOf(value: object): readonly (string | symbol)[] {
  const names = new Set(quietly(() => Reflect.ownKeys(value), []));
  let prototype = prototypeOf(value);
  for (let count = 0; prototype !== null && count < MOST_PROTOTYPES; count++) {
    const holder = prototype;
    for (const name of quietly(() => Reflect.ownKeys(holder), [])) if (isShown(holder, name)) names.add(name);
    prototype = prototypeOf(holder);
  }
  return [...names];
}

function isShown(holder: object, name: string | symbol): boolean {
  const property = quietly(() => Object.getOwnPropertyDescriptor(holder, name), undefined);
  return property !== undefined && (property.get !== undefined || (property.value !== undefined && typeof property.value !== 'function'));
}

function prototypeOf(value: object): object | null {
  const prototype: object | null = quietly(() => Object.getPrototypeOf(value), null);
  return prototype === Object.prototype || prototype === Function.prototype || prototype === Array.prototype ? null : prototype;
}

function labelOf(name: string | symbol): string {
  return typeof name === 'symbol' ? (name.description ?? '') : name;
}

/** Of maps, sets, headers, form data and search parameters: what can be gone through again and again. */
function entriesOf(value: object): Iterable<unknown> | undefined {
  const { entries } = value as { entries?: unknown };
  return typeof entries === 'function' && entries.length === 0 ? (entries.call(value) as Iterable<unknown>) : undefined;
}

/** What a getter throws instead of a value is looked at in its place. */
function orThrown(look: () => unknown): unknown {
  try {
    const value = look();
    // One that was made by looking is nobody's to handle.
    if (value instanceof Promise) void Promise.prototype.then.call(value, undefined, () => {});
    return value;
  } catch (error) {
    return error;
  }
}

/** Of what cannot be looked at, like a proxy that was revoked, nothing can be got. */
function quietly<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}

function step(name: string): string {
  const short = name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME)}…` : name;
  if (/^\d+$/.test(short)) return `[${short}]`;
  return /^[A-Za-z_$][\w$]*$/.test(short) ? `.${short}` : `[${JSON.stringify(short)}]`;
}
