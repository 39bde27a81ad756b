import { describe, expect, it } from 'vitest';
import { bearer, createLatchkey } from '../../src/index.js';
import { manualClock } from '../support/clock.js';

function refuse(): never {
  throw new Error('hostile');
}

const hostile = (...names: string[]): object =>
  Object.create(null, Object.fromEntries(names.map((name) => [name, { get: refuse, enumerable: true }])));

const OUTCOMES: Record<string, unknown> = {
  'a status that cannot be read': hostile('status'),
  'a hold that cannot be read': hostile('holdMs'),
  'a reason that cannot be read': Object.assign(hostile('reason'), { holdMs: 1_000 }),
  'nothing that can be read': hostile('status', 'statusCode', 'code', 'name', 'message', 'headers', 'response', 'cause', 'body'),
  'a proxy that refuses `in`': new Proxy({}, { has: refuse }),
  'a proxy that refuses to be read': new Proxy({}, { get: refuse }),
  'a proxy that refuses everything': new Proxy({}, { has: refuse, get: refuse, ownKeys: refuse, getOwnPropertyDescriptor: refuse }),
  'an error whose fields cannot be read': Object.defineProperties(new Error('x'), { status: { get: refuse }, code: { get: refuse } }),
};

describe('settle with an outcome that refuses to be read', () => {
  it.each(Object.entries(OUTCOMES))('%s: nothing is thrown, and nothing learnt', (_, outcome) => {
    const latchkey = createLatchkey({ clock: manualClock() });
    const capture = latchkey.capture('s', bearer('token-a'));
    const resolution = latchkey.resolve('s');
    expect(capture.settle(outcome)).toEqual({ state: 'unproven' });
    expect(resolution.ok && resolution.lease.settle(outcome)).toEqual({ state: 'unproven' });
    expect(latchkey.canRun('s')).toBe(true);
    expect(latchkey.stats()).toMatchObject({ accepted: 0, rejected: 0, held: 0 });
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY, '1000', undefined])('a hold of %o is a mistake, and says so', (holdMs) => {
    const capture = createLatchkey().capture('s', bearer('token-a'));
    expect(() => capture.settle({ holdMs })).toThrow(new TypeError('settle: `holdMs` must be a number of milliseconds'));
  });
});
