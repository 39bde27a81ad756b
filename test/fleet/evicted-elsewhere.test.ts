import { describe, expect, it } from 'vitest';
import { bearer } from '../../src/index.js';
import { credentialOf, frozenFleet, pass } from '../support/frozen-fleet.js';

const SESSION = { tenant: 'T', session: 'S' };

describe('a tenant that another process evicts', () => {
  const test = frozenFleet();

  it('is evicted here, too, though a credential of its was on its way to the store', async () => {
    const [operator, gateway] = [test.fleet.add(), test.fleet.add()];
    await test.fleet.ready();
    await gateway.latchkey.load([SESSION]);
    await pass(3_000);
    const { push } = gateway.carrier;
    gateway.carrier.push = async (...args) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return push(...args);
    };
    gateway.latchkey.capture(SESSION, bearer('older'));
    await pass(1);
    operator.latchkey.evict({ tenant: 'T' });
    await pass(10_000);
    await operator.latchkey.load([SESSION]);
    expect(test.fleet.processes.map(({ latchkey }) => credentialOf(latchkey, SESSION))).toEqual(['missing', 'missing']);
  });

  it('is evicted here, too, once the store that was never reached is', async () => {
    const [operator, gateway] = [test.fleet.add(), test.fleet.add()];
    gateway.carrier.down = true;
    await test.fleet.ready();
    gateway.latchkey.capture(SESSION, bearer('older'));
    await pass(10);
    operator.latchkey.evict({ tenant: 'T' });
    await pass(10);
    gateway.carrier.down = false;
    await pass(10_000);
    await operator.latchkey.load([SESSION]);
    expect(test.fleet.processes.map(({ latchkey }) => credentialOf(latchkey, SESSION))).toEqual(['missing', 'missing']);
  });

  it('keeps what its session presented later for another provider, and nothing else', async () => {
    const [operator, gateway] = [test.fleet.add(), test.fleet.add()];
    await test.fleet.ready();
    gateway.latchkey.capture({ ...SESSION, provider: 'old' }, bearer('older'));
    await pass(10);
    const { push } = operator.carrier;
    operator.carrier.push = async (...args) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return push(...args);
    };
    operator.latchkey.evict({ tenant: 'T' });
    await pass(1);
    gateway.latchkey.capture({ ...SESSION, provider: 'new' }, bearer('newer'));
    await pass(1_000);
    await operator.latchkey.load([SESSION]);
    const found = (provider: string): string[] =>
      test.fleet.processes.map(({ latchkey }) => credentialOf(latchkey, { ...SESSION, provider }));
    expect(found('old')).toEqual(['missing', 'missing']);
    expect(found('new')).toEqual(['newer', 'newer']);
  });
});

describe('a session that is evicted', () => {
  const test = frozenFleet();

  it('elsewhere takes nothing away that a session of another process lends', async () => {
    const [a, b] = [test.fleet.add(), test.fleet.add()];
    await test.fleet.ready();
    a.latchkey.capture('S', bearer('own'));
    await pass(10);
    await b.latchkey.load(['S', 'borrower']);
    a.latchkey.capture('X', bearer('lent'));
    await pass(10);
    expect(credentialOf(b.latchkey, 'borrower')).toBe('lent');
    a.latchkey.evict('S');
    await pass(10_000);
    expect(test.fleet.processes.map(({ latchkey }) => credentialOf(latchkey, 'borrower'))).toEqual(['lent', 'lent']);
  });

  it('elsewhere does not take away what it lent, if somebody else presented that, too', async () => {
    const [a, b] = [test.fleet.add(), test.fleet.add()];
    await test.fleet.ready();
    a.latchkey.capture('X', bearer('shared'));
    await pass(10);
    a.latchkey.capture('S', bearer('shared'));
    await pass(10);
    await b.latchkey.load(['S', 'borrower']);
    a.latchkey.evict('S');
    await pass(10);
    expect(test.fleet.processes.map(({ latchkey }) => credentialOf(latchkey, 'borrower'))).toEqual(['shared', 'shared']);
  });

  it('elsewhere takes away what it lent, though the store has been restarted empty since', async () => {
    const [a, b] = [test.fleet.add(), test.fleet.add()];
    await test.fleet.ready();
    a.latchkey.capture('S', bearer('lent'));
    await a.latchkey.load(['borrower']);
    await pass(100);
    a.carrier.down = true;
    test.fleet.store.reset();
    b.latchkey.evict('S');
    await pass(3_000);
    a.carrier.down = false;
    await pass(3_000);
    expect(credentialOf(a.latchkey, 'borrower')).toBe('missing');
  });

  it('here, in an outage, takes nothing away that a session of another process lends', async () => {
    const [a, b] = [test.fleet.add(), test.fleet.add()];
    await test.fleet.ready();
    a.latchkey.capture('S', bearer('own'));
    await pass(10);
    await b.latchkey.load(['S', 'borrower']);
    a.latchkey.capture('X', bearer('lent'));
    await pass(10);
    test.fleet.store.down = true;
    b.latchkey.evict('S');
    await pass(10);
    expect(credentialOf(b.latchkey, 'borrower')).toBe('lent');
  });

  it('here, in an outage, takes nothing away that a session lends which there is no room for any more', async () => {
    const { latchkey } = test.fleet.add({ limits: { sessions: 3 } });
    await test.fleet.ready();
    const own = latchkey.capture('S', bearer('own'), { provisional: true });
    latchkey.capture('X', bearer('lent'));
    await pass(100);
    await latchkey.load(['borrower']);
    own.commit();
    await pass(10);
    test.fleet.store.down = true;
    latchkey.capture({ tenant: 'other', session: 'S' }, bearer('other'));
    latchkey.evict('S');
    expect(credentialOf(latchkey, 'borrower')).toBe('lent');
  });

  it('here, in an outage, takes away what it lent before it was known here', async () => {
    const [a, b] = [test.fleet.add(), test.fleet.add()];
    await test.fleet.ready();
    await b.latchkey.load(['borrower']);
    a.latchkey.capture('X', bearer('lent'));
    await pass(10);
    await b.latchkey.load(['X']);
    test.fleet.store.down = true;
    b.latchkey.evict('X');
    expect(credentialOf(b.latchkey, 'borrower')).toBe('missing');
  });
});
