import fc from 'fast-check';

/** Thrown by what resists being read. */
export class HostileError extends Error {}

/** Reading from one input is not to take more steps than this: it stands for a time limit, on whatever machine. */
const MOST_STEPS = 20_000;

function refuse(): never {
  throw new HostileError('not to be read');
}

/** A proxy whose every trap throws. */
function sealed(target: object): object {
  const traps = ['get', 'has', 'ownKeys', 'getOwnPropertyDescriptor', 'getPrototypeOf', 'set', 'defineProperty', 'deleteProperty'] as const;
  return new Proxy(target, Object.fromEntries(traps.map((trap) => [trap, refuse])));
}

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

/** Answers whatever is asked with another like itself, for as long as a patient reader asks. */
function bottomless(): object {
  let steps = 0;
  const step = (): void => {
    if (++steps > MOST_STEPS) throw new Error('read for ever');
  };
  const make = (): object =>
    new Proxy(
      {},
      {
        get(_, name) {
          step();
          return typeof name === 'symbol' || name === 'then' || name === 'toJSON' || name === 'get' ? undefined : make();
        },
        ownKeys: () => ['cause', 'next'],
        getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true, value: make() }),
      },
    );
  return make();
}

function* counting(): Generator<number> {
  for (let steps = 0; ; steps++) {
    if (steps > MOST_STEPS) throw new Error('iterated for ever');
    yield steps;
  }
}

function cyclic(names: readonly string[]): object {
  const object: Record<string, unknown> = { status: 401 };
  for (const name of names) Object.defineProperty(object, name, { value: object, enumerable: true, configurable: true });
  return object;
}

function deep(levels: number, name: string): object {
  let object: object = { end: true };
  for (let level = 0; level < levels; level++) object = { [name]: object };
  return object;
}

function chain(length: number): Error {
  let error = new Error('the last');
  for (let at = 0; at < length; at++) error = new Error(`cause of ${at}`, { cause: error });
  return error;
}

/** Names under which something is looked for. */
export const NAMES = [
  'status',
  'statusCode',
  'headers',
  'body',
  'data',
  'error',
  'errors',
  'response',
  'cause',
  'code',
  'name',
  'message',
  'stack',
  'constructor',
  'get',
  'then',
  'toJSON',
  'holdMs',
  'reason',
  'tenant',
  'session',
  'provider',
  'purpose',
  '__proto__',
  'hasOwnProperty',
  'entries',
  'forEach',
  'clone',
] as const;

const anyName = fc.constantFrom(...NAMES);

/** Values of every kind, made anew each time: fast-check reads what it is given, which some of these do not bear. */
export function anyHostile(): fc.Arbitrary<() => unknown> {
  const simple: (() => unknown)[] = [
    () => undefined,
    () => null,
    () => Number.NaN,
    () => -0,
    () => Number.POSITIVE_INFINITY,
    () => -1,
    () => 2 ** 53,
    () => 10n ** 30n,
    () => Symbol('s'),
    () => true,
    () => '',
    () => ' ',
    () => '\0',
    () => '\ud800',
    () => 'x'.repeat(20_000),
    () => () => refuse(),
    () => class {},
    () => [],
    () => [[]],
    () => new Array(3),
    () => Object.create(null),
    () => Object.create({ status: 401, headers: {} }),
    () => new Date(Number.NaN),
    () => new Date(8.64e15),
    () => new Map([['status', 401]]),
    () => new Set([1]),
    () => new Uint8Array(3),
    () => new DataView(new ArrayBuffer(2)),
    () => new URL('http://a.example/'),
    () => new Headers([['retry-after', '1']]),
    () => new Response('{"error":{"type":"authentication_error"}}', { status: 401 }),
    () => new AbortController().signal,
    () => JSON.parse('{"__proto__":{"status":401},"constructor":{"prototype":1}}'),
  ];
  const resisting: (() => unknown)[] = [
    () => sealed({}),
    () => sealed([]),
    () => sealed(() => {}),
    () => revoked({}),
    () => revoked([]),
    () => revoked(() => {}),
    () => bottomless(),
    () => counting(),
    () => ({ [Symbol.iterator]: counting }),
    () => ({ toString: refuse, [Symbol.toPrimitive]: refuse }),
    () => ({ toJSON: refuse }),
    () => ({ get: refuse }),
    () => ({ get: () => refuse }),
    () => ({ get: () => bottomless() }),
    () => ({ entries: counting }),
    () => ({ forEach: refuse }),
    () => Object.fromEntries([['then', (resolve: (value: unknown) => void) => resolve(1)]]),
    () => Object.assign(Object.create(Error.prototype), { message: 1, name: null, stack: {} }),
    () => new AggregateError([new Error('one'), chain(3)], 'both'),
    () => chain(200),
  ];
  const made = fc.oneof(
    fc.subarray([...NAMES], { minLength: 1, maxLength: 4 }).map((names) => () => cyclic(names)),
    fc
      .subarray([...NAMES], { minLength: 1, maxLength: 4 })
      .map(
        (names) => () =>
          Object.defineProperties(
            {},
            Object.fromEntries(names.map((name) => [name, { get: refuse, enumerable: true, configurable: true }])),
          ),
      ),
    fc.tuple(fc.integer({ min: 1, max: 2_000 }), anyName).map(
      ([levels, name]) =>
        () =>
          deep(levels, name),
    ),
    fc
      .anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true, withSparseArray: true })
      .map((value) => () => value),
  );
  const seed = fc.oneof(fc.constantFrom(...simple), fc.constantFrom(...resisting), made);
  const placed = fc.array(fc.tuple(anyName, seed), { minLength: 1, maxLength: 4 }).map((entries) => () => {
    const object: Record<string, unknown> = {};
    for (const [name, make] of entries)
      Object.defineProperty(object, name, { value: make(), enumerable: true, configurable: true, writable: true });
    return object;
  });
  const thrown = fc.array(fc.tuple(anyName, seed), { maxLength: 3 }).map((entries) => () => {
    const error = new Error('of the client');
    // Made up when it is first read, with what the error says by then.
    void error.stack;
    for (const [name, make] of entries)
      Object.defineProperty(error, name, { value: make(), enumerable: true, configurable: true, writable: true });
    return error;
  });
  return fc.oneof({ weight: 3, arbitrary: seed }, { weight: 3, arbitrary: placed }, { weight: 2, arbitrary: thrown });
}
