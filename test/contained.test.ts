import { channel } from 'node:diagnostics_channel';
import { describe, expect, it } from 'vitest';
import { bearer, createLatchkey, type Latchkey, type LatchkeyOptions } from '../src/index.js';
import { manualClock, settled } from './support/clock.js';

const A = bearer('value-a');
const BOOM = new Error('boom');

function gateway(options: LatchkeyOptions = {}): { latchkey: Latchkey; told: { origin: string; error: unknown }[] } {
  const latchkey = createLatchkey({ clock: manualClock(), ...options });
  const told: { origin: string; error: unknown }[] = [];
  latchkey.on('error', (event) => void told.push(event));
  return { latchkey, told };
}

function fail(): never {
  throw BOOM;
}
/** What a user may hand in where an answer at once is wanted. */
const failLater = (async () => fail()) as () => never;

describe('functions of the user’s that fail', () => {
  it('classify: the built-in rules decide, each failure is counted, and told once', () => {
    const { latchkey, told } = gateway({ classify: fail });
    latchkey.capture('S', A).settle(401);
    expect(latchkey.canRun('S')).toBe(false);
    latchkey.capture('S', A).settle(200);
    expect(latchkey.canRun('S')).toBe(true);
    expect(latchkey.stats().errors).toBe(2);
    expect(told).toMatchObject([{ origin: 'classify', error: { message: 'boom' } }]);
  });

  it('classify: the error that is told holds no value of the credential', () => {
    const { latchkey, told } = gateway({
      classify: ({ error }) => {
        throw error;
      },
    });
    latchkey.capture('S', A).settle(Object.assign(new Error('failed with value-a'), { status: 401, config: { token: 'value-a' } }));
    expect(told).toHaveLength(1);
    const error = told[0]?.error as Error | undefined;
    expect(error?.message).toBe(`failed with ${A}`);
    expect(Object.keys(error ?? {})).toEqual(['status']);
  });

  it.each([
    {},
    { kind: 'dead' },
    { kind: 'rejected' },
    { kind: 'rejected', reach: 'all' },
    { kind: 'held' },
    { kind: 'held', ms: -1 },
    { kind: 'held', ms: Number.NaN },
    { kind: 'transient', retryAfterMs: Number.NaN },
    null,
    'rejected',
  ])('classify: %j is no classification, and the built-in rules decide', (answer) => {
    const { latchkey, told } = gateway({ classify: () => answer as never });
    latchkey.capture('S', A).settle(401);
    expect(latchkey.canRun('S')).toBe(false);
    expect(told).toMatchObject([{ origin: 'classify' }]);
  });

  it('classify: one that is asynchronous decides nothing, and its failure is handled', async () => {
    const { latchkey, told } = gateway({ classify: failLater });
    latchkey.capture('S', A).settle(401);
    await settled();
    expect(latchkey.canRun('S')).toBe(false);
    expect(told).toMatchObject([{ origin: 'classify' }]);
  });

  it('classify: what is valid is taken', () => {
    const { latchkey, told } = gateway({
      classify: ({ status }) => (status === 418 ? { kind: 'rejected', reach: 'identity' } : status === 401 ? { kind: 'none' } : undefined),
    });
    latchkey.capture('S', A).settle(401);
    expect(latchkey.canRun('S')).toBe(true);
    latchkey.capture('S', A).settle(418);
    expect(latchkey.canRun('S')).toBe(false);
    expect(told).toEqual([]);
  });

  it.each<[string, () => never, string]>([
    ['throws', fail, 'boom'],
    ['is asynchronous', failLater, 'fallback: must answer at once, not with a promise'],
  ])('fallback: one that %s lends nothing; counted and told once', async (_, fallback, message) => {
    const { latchkey, told } = gateway({ fallback });
    latchkey.capture('T', A);
    for (let again = 0; again < 5; again++) {
      expect(latchkey.canRun('S')).toBe(false);
      expect(latchkey.resolve('S')).toMatchObject({ ok: false, reason: 'missing' });
      await expect(latchkey.run('S', () => 1)).rejects.toMatchObject({ code: 'CREDENTIAL_MISSING' });
    }
    await settled();
    expect(latchkey.canRun('T')).toBe(true);
    expect(latchkey.canRun({})).toBe(true);
    expect(latchkey.stats().errors).toBe(1);
    expect(told).toMatchObject([{ origin: 'fallback', error: { message } }]);
  });

  it.each([1, 'yes', {}, undefined, null])('fallback: %j is not true, and lends nothing', (answer) => {
    const { latchkey } = gateway({ fallback: () => answer as never });
    latchkey.capture('T', A);
    expect(latchkey.canRun('S')).toBe(false);
  });

  it.each<[string, () => string, RegExp]>([
    ['throws', fail, /^boom$/],
    ['is asynchronous', failLater, /^canonicalProvider: must answer at once/],
    ['names nothing', () => '', /^canonicalProvider: must return/],
    ['returns no string', () => 7 as never, /^canonicalProvider: must return/],
  ])('canonicalProvider: one that %s leaves the name as it is; counted and told once', async (_, canonicalProvider, message) => {
    const { latchkey, told } = gateway({ canonicalProvider });
    const scope = { session: 'S', provider: 'P' };
    latchkey.capture(scope, A);
    for (let again = 0; again < 5; again++) expect(latchkey.canRun(scope)).toBe(true);
    await settled();
    expect(latchkey.snapshot().slots[0]?.scope.provider).toBe('P');
    expect(latchkey.stats().errors).toBe(1);
    expect(told).toMatchObject([{ origin: 'canonicalProvider', error: { message: expect.stringMatching(message) } }]);
  });

  it.each<[string, () => never]>([
    ['throws', fail],
    ['rejects', failLater],
  ])('a listener that %s disturbs nobody; counted, and told once', async (_, listener) => {
    const { latchkey, told } = gateway();
    const heard: unknown[] = [];
    latchkey.on('captured', listener);
    latchkey.on('captured', (event) => void heard.push(event));
    latchkey.capture('S', A);
    latchkey.capture('T', A);
    await settled();
    expect(heard).toHaveLength(2);
    expect(latchkey.canRun('S')).toBe(true);
    expect(latchkey.stats().errors).toBe(2);
    expect(told).toEqual([{ origin: 'listener', error: BOOM }]);
  });

  it.each<[string, () => never]>([
    ['throws', fail],
    ['rejects', failLater],
  ])('a listener to `error` that %s is counted, and not told of itself', async (_, listener) => {
    const latchkey = createLatchkey({ classify: fail });
    latchkey.on('error', listener);
    latchkey.capture('S', A).settle(401);
    await settled();
    expect(latchkey.stats().errors).toBe(2);
  });

  it('a listener that causes events hears them after the one that it is hearing', () => {
    const { latchkey } = gateway();
    const order: string[] = [];
    latchkey.on('captured', ({ scope }) => {
      order.push(`begin ${scope.session}`);
      if (scope.session === 'S') latchkey.capture('T', A);
      order.push(`end ${scope.session}`);
    });
    latchkey.capture('S', A);
    expect(order).toEqual(['begin S', 'end S', 'begin T', 'end T']);
  });

  it('a listener may listen twice, and each `off` removes its own', () => {
    const { latchkey } = gateway();
    let heard = 0;
    const listener = (): void => void heard++;
    const offs = [latchkey.on('captured', listener), latchkey.on('captured', listener)];
    latchkey.capture('S', A);
    offs[0]?.();
    offs[0]?.();
    latchkey.capture('T', A);
    offs[1]?.();
    latchkey.capture('U', A);
    expect(heard).toBe(3);
  });

  it('events are told on node:diagnostics_channel as well', () => {
    const { latchkey } = gateway();
    const heard: unknown[] = [];
    const listener = (event: unknown): void => void heard.push(event);
    const captured = channel('latchkey:captured');
    captured.subscribe(listener);
    latchkey.capture('S', A);
    captured.unsubscribe(listener);
    latchkey.capture('T', A);
    expect(heard).toEqual([{ scope: { session: 'S' }, fingerprint: A.fingerprint, usable: true, pinned: false }]);
  });
});
