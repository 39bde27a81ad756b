import fc from 'fast-check';

const refuse = (): never => {
  throw new Error('not to be read');
};

/** A proxy whose every trap throws. */
export function sealedProxy(target: object = {}): object {
  const traps: ProxyHandler<object> = {
    get: refuse,
    has: refuse,
    ownKeys: refuse,
    getOwnPropertyDescriptor: refuse,
    getPrototypeOf: refuse,
    set: refuse,
  };
  return new Proxy(target, traps);
}

/** An object with getters that throw under the names given. */
export function throwingGetters(names: readonly string[]): object {
  return Object.defineProperties({}, Object.fromEntries(names.map((name) => [name, { get: refuse, enumerable: true }])));
}

/** Makes objects that resist being read, alone and inside of what looks like an answer. Functions that make them, since fast-check reads its values. */
export function hostile(): fc.Arbitrary<() => unknown> {
  const names = ['status', 'statusCode', 'headers', 'body', 'data', 'error', 'response', 'cause', 'code', 'name', 'constructor', 'get'];
  const seeds = fc.oneof(
    fc.constantFrom<() => unknown>(
      () => sealedProxy(),
      () => sealedProxy([]),
      () => ({ get: refuse }),
      () => ({ toString: refuse, [Symbol.toPrimitive]: refuse }),
      () => [{ toString: refuse }],
      () => revoked(),
    ),
    fc.subarray(names, { minLength: 1 }).map((chosen) => () => throwingGetters(chosen)),
  );
  const places = fc.constantFrom(...names, 'www-authenticate', 'retry-after', 'type');
  const statuses = fc.constantFrom(200, 400, 401, 403, undefined);
  return fc.oneof(
    seeds,
    fc.tuple(places, seeds, statuses).map(([name, make, status]) => () => ({
      ...(status === undefined ? {} : { status }),
      [name]: make(),
    })),
  );
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}
