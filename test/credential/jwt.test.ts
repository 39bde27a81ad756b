import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { jwtExpiry } from '../../src/credential/jwt.js';
import { apiKey, bearer, createLatchkey } from '../../src/index.js';
import { manualClock, START } from '../support/clock.js';
import { jwt, jwtUntil } from '../support/jwt.js';

const SECONDS = START / 1_000;
const part = (text: string): string => Buffer.from(text).toString('base64url');
const withPayload = (payload: string): string => `${part('{"alg":"ES256"}')}.${payload}.c2ln`;

describe('when a JWT expires', () => {
  it.each<[string, unknown, number | undefined]>([
    ['in seconds', SECONDS, START],
    ['in seconds and a fraction', SECONDS + 0.5, START + 500],
    ['in milliseconds by mistake', START, START],
    ['at the last second of 9999, which is never', 253_402_300_799, 253_402_300_799_000],
    ['in the first second of 2000', 946_684_800, 946_684_800_000],
    ['a second before that', 946_684_799, undefined],
    ['at 0', 0, undefined],
    ['below 0', -SECONDS, undefined],
    ['at 1e300', 1e300, undefined],
    ['at a moment that no `Date` holds', 8.7e15, undefined],
    ['in words', String(SECONDS), undefined],
    ['in a list', [SECONDS], undefined],
    ['in an object', { seconds: SECONDS }, undefined],
    ['true', true, undefined],
    ['null', null, undefined],
    ['nothing said', undefined, undefined],
  ])('%s', (_, exp, expected) => {
    expect(jwtExpiry(jwt({ sub: 'worker', exp }))).toBe(expected);
  });

  it.each<[string, string]>([
    ['what JSON has no number for', withPayload(part('{"exp":NaN}'))],
    ['a number that overflows', withPayload(part('{"exp":1e999}'))],
    ['a key of the prototype', withPayload(part(`{"__proto__":{"exp":${SECONDS}}}`))],
    ['one claim in another', withPayload(part(`{"claims":{"exp":${SECONDS}}}`))],
    ['a list of claims', withPayload(part(`[{"exp":${SECONDS}}]`))],
    ['text for claims', withPayload(part('"exp"'))],
    ['null for claims', withPayload(part('null'))],
    ['broken JSON', withPayload(part(`{"exp":${SECONDS}`))],
    ['lists a thousand deep', withPayload(part('['.repeat(1_000)))],
    ['what is no base64url', withPayload('ey+/=.')],
    ['an empty payload', withPayload('')],
    ['no signature and no dot', jwtUntil(START).split('.').slice(0, 2).join('.')],
    ['a fourth part', `${jwtUntil(START)}.more`],
    ['five parts, as an encrypted one has', `${jwtUntil(START)}.iv.tag`],
    ['an opaque token', 'sk-ant-oat01-abcdefghijklmnop'],
    ['an opaque token with dots', 'ya29.a0AfH6SM.xyz'],
    ['one that begins like a JWT', 'eyebrow'],
    ['the empty string', ''],
    ['dots', '...'],
  ])('%s: nobody knows', (_, token) => {
    expect(jwtExpiry(token)).toBeUndefined();
  });

  it('an unsigned one, and one of 10 kB, are read; one of 1 MB is not, and costs nothing', () => {
    expect(jwtExpiry(jwt({ exp: SECONDS }, ''))).toBe(START);
    expect(jwtExpiry(jwt({ exp: SECONDS, groups: 'g'.repeat(7_500) }))).toBe(START);
    const huge = jwt({ exp: SECONDS, groups: 'g'.repeat(750_000) });
    const before = performance.now();
    for (let i = 0; i < 1_000; i++) expect(jwtExpiry(huge)).toBeUndefined();
    expect(performance.now() - before).toBeLessThan(1_000);
  });

  it('nothing that a client may send makes it throw', () => {
    const anyToken = fc.oneof(
      fc.string(),
      fc.json().map((json) => withPayload(part(json))),
      fc.string().map((text) => withPayload(part(text))),
      fc.anything().map((exp) => {
        try {
          return jwt({ exp });
        } catch {
          return withPayload(part(String(typeof exp)));
        }
      }),
      fc.array(fc.base64String(), { maxLength: 6 }).map((parts) => `ey${parts.join('.')}`),
    );
    fc.assert(
      fc.property(anyToken, (token) => {
        const expiry = jwtExpiry(token);
        if (expiry !== undefined) expect(Number.isNaN(new Date(expiry).getTime())).toBe(false);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('a JWT that is captured', () => {
  afterEach(() => void vi.restoreAllMocks());

  it('is looked into once, however often it is presented, and whatever it says', () => {
    const latchkey = createLatchkey({ clock: manualClock(), expiry: {} });
    const parse = vi.spyOn(JSON, 'parse');
    for (const token of [jwtUntil(START + 3_600_000), jwt({ sub: 'without an end' })]) {
      parse.mockClear();
      for (let i = 0; i < 50; i++) latchkey.capture(`S${i % 5}`, bearer(token)).settle(200);
      expect(parse).toHaveBeenCalledTimes(1);
    }
  });

  it.each<[string, object, ReturnType<typeof bearer>]>([
    ['without `expiry`', {}, bearer(jwtUntil(START - 1_000))],
    ['with `jwt: false`', { expiry: { jwt: false } }, bearer(jwtUntil(START - 1_000))],
    ['as an API key', { expiry: {} }, apiKey(jwtUntil(START - 1_000))],
    ['when more is known of it', { expiry: {} }, bearer(jwtUntil(START - 1_000), { expiresAt: START + 60_000 })],
  ])('%s its own word does not count', (_, options, credential) => {
    const latchkey = createLatchkey({ clock: manualClock(), ...options });
    expect(latchkey.capture('S', credential).usable).toBe(true);
  });

  it('counts otherwise, a pin and a provisional one too', () => {
    const latchkey = createLatchkey({ clock: manualClock(), expiry: {} });
    const dead = bearer(jwtUntil(START - 1_000));
    expect(latchkey.capture('S', dead, { provisional: true }).usable).toBe(false);
    expect(latchkey.capture('S', dead).usable).toBe(false);
    latchkey.pin({ provider: 'P' }, dead);
    expect(latchkey.resolve({ provider: 'P' })).toMatchObject({ ok: false, reason: 'expired' });
  });
});
