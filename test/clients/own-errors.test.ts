import { describe, expect, it } from 'vitest';
import { bearer, createLatchkey } from '../../src/index.js';

const OWN: readonly { name: string; thrown: unknown }[] = [
  { name: 'a string', thrown: 'no' },
  { name: 'an empty string', thrown: '' },
  { name: 'undefined', thrown: undefined },
  { name: 'null', thrown: null },
  { name: 'a number', thrown: 401 },
  { name: 'a symbol', thrown: Symbol('no') },
  { name: 'a function', thrown: () => {} },
  { name: 'a TypeError', thrown: new TypeError("Cannot read properties of undefined (reading 'id')") },
  { name: 'a TypeError with the words of fetch', thrown: new TypeError('fetch failed') },
  { name: 'a TypeError that fetch makes of a bad URL', thrown: new TypeError('fetch failed', { cause: { code: 'ERR_INVALID_URL' } }) },
  { name: 'a frozen object', thrown: Object.freeze({ reason: 'no' }) },
  { name: 'an object without a prototype', thrown: Object.create(null) },
  { name: 'an exit code', thrown: Object.assign(new Error('the command failed'), { status: 1 }) },
];
const TRANSIENT = { retries: 2, minMs: 1 };
const endOf = (promise: Promise<unknown>) =>
  promise.then(
    () => ({}),
    (error: unknown) => ({ error }),
  );

describe("an attempt's own errors", () => {
  it.each(OWN)('case 49: $name passes through unchanged, after one attempt', async ({ thrown }) => {
    for (const options of [{}, { transient: TRANSIENT }]) {
      const latchkey = createLatchkey();
      latchkey.capture('s', bearer('token-a'));
      let attempts = 0;
      const ended = await endOf(
        latchkey.run(
          's',
          () => {
            attempts++;
            throw thrown;
          },
          options,
        ),
      );
      expect(ended).toHaveProperty('error');
      expect((ended as { error: unknown }).error).toBe(thrown);
      expect(attempts).toBe(1);
      expect(latchkey.stats()).toMatchObject({ accepted: 0, rejected: 0, denied: 0, held: 0 });
    }
  });

  it.each(OWN)('case 49: $name passes through unchanged after a transient failure too', async ({ thrown }) => {
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a'));
    const errors = [Object.assign(new Error('busy'), { status: 503 }), thrown];
    let attempts = 0;
    const ended = await endOf(latchkey.run('s', () => Promise.reject(errors[attempts++]), { transient: TRANSIENT }));
    expect((ended as { error: unknown }).error).toBe(thrown);
    expect(attempts).toBe(2);
  });

  it('case 49: a value that cannot be read is a value like any other', async () => {
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a'));
    const hostile = new Proxy(
      {},
      {
        get: (_, name) => {
          if (name === 'then') return undefined;
          throw new Error('not to be read');
        },
      },
    );
    expect(await latchkey.run('s', () => Promise.resolve(hostile))).toBe(hostile);
    const ended = await endOf(latchkey.run('s', () => Promise.reject(hostile), { transient: TRANSIENT }));
    expect((ended as { error: unknown }).error).toBe(hostile);
  });
});
