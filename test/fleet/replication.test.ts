import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer } from '../../src/index.js';
import { freezeTime } from '../support/clock.js';
import { MemoryFleet, settled } from '../support/memory-fleet.js';

describe('a fleet on one store', () => {
  let fleet: MemoryFleet;
  beforeEach(() => {
    freezeTime();
    fleet = new MemoryFleet();
  });
  afterEach(async () => {
    await fleet.close();
    vi.useRealTimers();
  });

  it('a credential captured by one process serves a worker of another', async () => {
    const [a, b] = [fleet.add(), fleet.add()];
    await fleet.ready();
    a.latchkey.capture('S', bearer('token-a'));
    await settled();
    const used = await b.latchkey.run('S', (lease) => lease.credential.reveal());
    expect(used).toBe('token-a');
  });

  it('a rejection met by one process blocks the others, and fresh auth presented to one frees all', async () => {
    const [a, b] = [fleet.add(), fleet.add()];
    await fleet.ready();
    a.latchkey.capture('S', bearer('token-a'));
    await b.latchkey.load(['S']);
    expect(b.latchkey.canRun('S')).toBe(true);
    const found = b.latchkey.resolve('S');
    if (found.ok) found.lease.settle(401);
    await settled();
    expect(a.latchkey.canRun('S')).toBe(false);
    a.latchkey.capture('S', bearer('token-b'));
    await settled();
    expect(b.latchkey.canRun('S')).toBe(true);
    expect(b.latchkey.stats().store).toBe('up');
  });

  it('what another process pins is told with its purpose', async () => {
    const [a, b] = [fleet.add(), fleet.add()];
    await fleet.ready();
    await b.latchkey.load([{ purpose: 'distill' }]);
    const told: unknown[] = [];
    b.latchkey.on('captured', (event) => told.push(event));
    a.latchkey.pin({ purpose: 'distill' }, bearer('key'));
    await settled();
    expect(told).toEqual([
      { scope: { purpose: 'distill' }, fingerprint: bearer('key').fingerprint, usable: true, pinned: true, remote: true },
    ]);
  });
});
