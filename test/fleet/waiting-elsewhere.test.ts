import { describe, expect, it } from 'vitest';
import { bearer, type Latchkey, type Scope } from '../../src/index.js';
import { credentialOf, frozenFleet, pass } from '../support/frozen-fleet.js';

const SESSION = { tenant: 'T', session: 'S' };

/** Whether work that waits for the scope has been woken. */
function waiting(latchkey: Latchkey, scope: Scope): { readonly isOver: boolean } {
  let isOver = false;
  latchkey.whenRunnable(scope).then(
    () => {
      isOver = true;
    },
    () => {},
  );
  return {
    get isOver() {
      return isOver;
    },
  };
}

/** Its sessions take all the room there is. */
function crowd(latchkey: Latchkey, sessions: number): void {
  for (let index = 0; index < sessions; index++) latchkey.capture({ tenant: 'crowd', session: `${index}` }, bearer('crowd'));
}

describe('work that waits, and whose session has left this process’s memory', () => {
  const test = frozenFleet();

  it('goes on with what another process’s session lends', async () => {
    const [gateway, worker] = [test.fleet.add(), test.fleet.add({ limits: { sessions: 1 } })];
    await test.fleet.ready();
    const work = waiting(worker.latchkey, SESSION);
    await pass(100);
    crowd(worker.latchkey, 1);
    await pass(100);
    gateway.latchkey.capture({ tenant: 'T', session: 'lender' }, bearer('lent'));
    await pass(100);
    expect(work.isOver).toBe(true);
  });

  it('goes on with what its own session presents', async () => {
    const [gateway, worker] = [test.fleet.add(), test.fleet.add({ limits: { sessions: 1 }, fallback: 'none' })];
    await test.fleet.ready();
    const work = waiting(worker.latchkey, SESSION);
    await pass(100);
    crowd(worker.latchkey, 1);
    await pass(3_000);
    gateway.latchkey.capture(SESSION, bearer('own'));
    await pass(100);
    expect(work.isOver).toBe(true);
  });

  it.each([
    ['its own credential', 'S', 'none'],
    ['a credential that is lent', 'lender', 'global'],
  ] as const)('goes on when the hold on %s ends', async (_, presenter, fallback) => {
    const [gateway, worker] = [test.fleet.add(), test.fleet.add({ limits: { sessions: 2 }, fallback })];
    await test.fleet.ready();
    gateway.latchkey.capture({ tenant: 'T', session: presenter }, bearer('held'));
    await pass(10);
    await worker.latchkey.load([SESSION]);
    const found = worker.latchkey.resolve(SESSION);
    if (found.ok) found.lease.settle({ holdMs: 30_000 });
    const work = waiting(worker.latchkey, SESSION);
    await pass(100);
    crowd(worker.latchkey, 3);
    await pass(29_000);
    expect(work.isOver).toBe(false);
    await pass(5_000);
    expect(work.isOver).toBe(true);
  });

  it('goes on, too, if it left just before', async () => {
    const [gateway, worker] = [test.fleet.add(), test.fleet.add({ limits: { sessions: 1 } })];
    await test.fleet.ready();
    worker.latchkey.on('parked', () => crowd(worker.latchkey, 1));
    const work = worker.latchkey.run(SESSION, (lease) => lease.credential.reveal(), { whenBlocked: 'park' });
    await pass(100);
    gateway.latchkey.capture({ tenant: 'T', session: 'lender' }, bearer('lent'));
    await pass(100);
    await expect(work).resolves.toBe('lent');
  });

  it('finds its session as it is, though what is heard of that is old', async () => {
    const [gateway, worker] = [test.fleet.add(), test.fleet.add({ limits: { sessions: 1 }, fallback: 'none' })];
    await test.fleet.ready();
    await pass(100);
    worker.carrier.auto = false;
    gateway.latchkey.capture(SESSION, bearer('older'));
    await pass(10);
    worker.carrier.auto = true;
    gateway.latchkey.capture(SESSION, bearer('newer'));
    await pass(3_000);
    worker.latchkey.on('parked', () => crowd(worker.latchkey, 1));
    const work = worker.latchkey.run({ ...SESSION, provider: 'P' }, () => undefined, { whenBlocked: 'park' });
    work.catch(() => {});
    await pass(10);
    worker.carrier.deliver();
    await pass(5_000);
    expect(credentialOf(worker.latchkey, SESSION)).toBe('newer');
  });

  it('does not keep other work of the session from being done', async () => {
    const [gateway, worker] = [test.fleet.add(), test.fleet.add({ limits: { sessions: 2 } })];
    await test.fleet.ready();
    gateway.latchkey.capture(SESSION, bearer('own'));
    await pass(10);
    const refused = { ...SESSION, purpose: 'refused' };
    await worker.latchkey.load([refused]);
    const found = worker.latchkey.resolve(refused);
    if (found.ok) found.lease.settle(403);
    const work = waiting(worker.latchkey, refused);
    await pass(100);
    crowd(worker.latchkey, 3);
    const used = worker.latchkey.run(SESSION, (lease) => lease.credential.reveal());
    await pass(100);
    await expect(used).resolves.toBe('own');
    expect(work.isOver).toBe(false);
  });

  it('is forgotten when it is given up', async () => {
    const worker = test.fleet.add({ limits: { sessions: 1 } });
    await test.fleet.ready();
    const given = new AbortController();
    for (const purpose of ['one', 'two']) worker.latchkey.whenRunnable({ ...SESSION, purpose }, { signal: given.signal }).catch(() => {});
    await pass(100);
    crowd(worker.latchkey, 1);
    given.abort();
    await pass(100);
    const asked = new Set<string>();
    const { load } = worker.carrier;
    worker.carrier.load = (refs) => {
      for (const { kind, name } of refs) if (kind !== 'identity') asked.add(`${kind} ${name}`);
      return load(refs);
    };
    test.fleet.store.reset();
    await pass(3_000);
    // Those of the crowd.
    expect([...asked].map((ref) => ref.split(' ')[0]).sort()).toEqual(['session', 'tenant']);
  });
});

describe('work that waits, and whose tenant was evicted here', () => {
  const test = frozenFleet();

  it('goes on with what another process’s session lends afterwards', async () => {
    const [gateway, worker] = [test.fleet.add(), test.fleet.add()];
    await test.fleet.ready();
    const work = waiting(worker.latchkey, SESSION);
    await pass(100);
    worker.latchkey.evict({ tenant: 'T' });
    await pass(100);
    gateway.latchkey.capture({ tenant: 'T', session: 'lender' }, bearer('lent'));
    await pass(100);
    expect(gateway.latchkey.canRun(SESSION)).toBe(true);
    expect(work.isOver).toBe(true);
  });
});
