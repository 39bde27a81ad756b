/** A text that a value holds, and where. */
interface FoundText {
  readonly path: string;
  readonly text: string;
}

/** Enough for any event, error or snapshot; what is larger is to be looked at in parts. */
const MOST_VALUES = 100_000;
const TOO_MANY = `the value holds more than ${MOST_VALUES} values: look at its parts`;
const LONGEST_NAME = 40;
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
 * @throws {Error} if it holds more than 100,000 values.
 */
export function* textsIn(root: unknown): Iterable<FoundText> {
  const seen = new Set<object>();
  const places: Place[] = [{ path: '$', value: root }];
  let count = 0;
  for (let place = places.pop(); place !== undefined; place = places.pop()) {
    if (++count > MOST_VALUES) throw new Error(TOO_MANY);
    const { path, value } = place;
    if (typeof value === 'string') yield { path, text: value };
    else if (typeof value === 'symbol') yield { path, text: value.description ?? '' };
    else if (typeof value === 'bigint' || typeof value === 'number') yield { path, text: String(value) };
    else if ((typeof value === 'object' && value !== null) || typeof value === 'function') {
      if (seen.has(value)) continue;
      seen.add(value);
      const bytes = bytesIn(value);
      if (bytes !== undefined) {
        // Its elements are numbers, and are read as a whole.
        yield { path, text: textOf(bytes) };
        continue;
      }
      const parts: Place[] = [];
      for (const part of partsOf(value, path)) {
        if (count + parts.length > MOST_VALUES) throw new Error(TOO_MANY);
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
    return value instanceof ArrayBuffer ? new Uint8Array(value) : undefined;
  }, undefined);
}

function textOf(bytes: Uint8Array): string {
  return `${new TextDecoder('latin1').decode(bytes)}\n${new TextDecoder().decode(bytes)}`;
}

function* partsOf(value: object, path: string): Iterable<Place> {
  const get = (name: PropertyKey): unknown => (value as Record<PropertyKey, unknown>)[name];
  const isList = quietly(() => Array.isArray(value), true);
  for (const name of quietly(() => namesOf(value), [])) {
    const label = typeof name === 'symbol' ? (name.description ?? '') : name;
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
    yield {
      path: `${path}.${String(print)}()`,
      value: orThrown(() => method.call(value, 0, { stylize: String, depth: 8, seen: [] }, inspect)),
    };
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

/** Own properties, hidden ones too, and the getters of its classes: a request shows its headers by one. */
function namesOf(value: object): readonly (string | symbol)[] {
  const names = new Set(Reflect.ownKeys(value));
  let prototype: object | null = Object.getPrototypeOf(value);
  for (
    ;
    prototype !== null && prototype !== Object.prototype && prototype !== Function.prototype;
    prototype = Object.getPrototypeOf(prototype)
  ) {
    for (const name of Reflect.ownKeys(prototype)) if (Object.getOwnPropertyDescriptor(prototype, name)?.get !== undefined) names.add(name);
  }
  return [...names];
}

/** Of maps, sets, headers, form data and search parameters: what can be gone through again and again. */
function entriesOf(value: object): Iterable<unknown> | undefined {
  const { entries } = value as { entries?: unknown };
  return typeof entries === 'function' && entries.length === 0 ? (entries.call(value) as Iterable<unknown>) : undefined;
}

/** What a getter throws instead of a value is looked at in its place. */
function orThrown(look: () => unknown): unknown {
  try {
    return look();
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
