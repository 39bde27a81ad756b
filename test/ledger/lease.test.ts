import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { apiKey, bearer, createLatchkey, type Latchkey, type Lease, type Scope } from '../../src/index.js';
import { type ManualClock, manualClock } from '../support/clock.js';
import { secretsIn } from '../support/secret-forms.js';

const HOUR = 3_600_000;

function leaseOf(latchkey: Latchkey, scope: Scope): Lease {
  const resolution = latchkey.resolve(scope);
  if (!resolution.ok) throw new Error(`blocked: ${resolution.reason}`);
  return resolution.lease;
}

describe('a lease that is printed', () => {
  it.each([
    ['as JSON', (lease: Lease) => JSON.stringify(lease)],
    ['by node', (lease: Lease) => inspect(lease)],
    ['by node, in depth', (lease: Lease) => inspect(lease, { depth: 9, showHidden: true })],
  ])('%s says whose work it is, and has no value in it', (_, print) => {
    const latchkey = createLatchkey({ clock: manualClock() });
    latchkey.capture({ session: 'someone', provider: 'p' }, bearer('token-secret')).commit();
    const printed = print(leaseOf(latchkey, { session: 'someone', provider: 'p' }));
    for (const part of ['someone', 'session', 'credential']) expect(printed).toContain(part);
    expect(secretsIn(printed, ['token-secret'])).toEqual([]);
  });
});

describe('a lease that puts a rejected key to the test', () => {
  function probing(status = 401): { latchkey: Latchkey; clock: ManualClock; lease: Lease } {
    const clock = manualClock();
    const latchkey = createLatchkey({
      clock,
      canary: 'off',
      classify: (outcome) => (outcome.status === 403 ? { kind: 'rejected', reach: 'scope' } : undefined),
    });
    for (const scope of ['s', 'other']) latchkey.capture(scope, apiKey('key-secret')).commit();
    leaseOf(latchkey, 's').settle(status);
    clock.advance(HOUR);
    const lease = leaseOf(latchkey, 's');
    expect(lease.probe).toBe(true);
    return { latchkey, clock, lease };
  }

  it('may be used until something is learnt of the key', () => {
    const { latchkey, lease } = probing();
    expect(lease.usable()).toBe(true);
    leaseOf(latchkey, 'other').settle(401);
    expect(lease.usable()).toBe(false);
  });

  it('may be used on where the key turns out to work', () => {
    const { latchkey, lease } = probing();
    leaseOf(latchkey, 'other').settle(200);
    expect(lease.usable()).toBe(true);
  });

  it('may not be used while the key is held', () => {
    const { latchkey, lease, clock } = probing();
    leaseOf(latchkey, 'other').settle({ holdMs: 1_000 });
    expect(lease.usable()).toBe(false);
    clock.advance(1_000);
    expect(lease.usable()).toBe(true);
  });

  it('may not be used once all is over', async () => {
    const { latchkey, lease } = probing();
    await latchkey.close();
    expect(lease.usable()).toBe(false);
  });

  it('for one scope may be used until something is learnt of that', () => {
    const { latchkey, lease } = probing(403);
    leaseOf(latchkey, 'other').settle(200);
    expect(lease.usable()).toBe(true);
    lease.settle(403);
    expect(lease.usable()).toBe(false);
  });
});
