import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Reporter } from '../../src/index.js';
import { throwing } from '../support/attempts.js';
import { freezeTime, settled } from '../support/clock.js';
import { hearAll, named } from '../support/heard.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

async function story(reporter: Reporter) {
  const latchkey = createLatchkey({ reporter, fallback: 'none' });
  const heard = hearAll(latchkey);
  for (const session of ['s1', 's2']) {
    latchkey.capture(session, bearer(`token-${session}`));
    await latchkey.run(session, throwing({ [`token-${session}`]: 401 }).attempt).catch(() => {});
    latchkey.capture(session, bearer(`fresh-${session}`));
    await expect(latchkey.run(session, throwing({}).attempt)).resolves.toBe(`ok fresh-${session}`);
  }
  await settled();
  return { latchkey, heard };
}

describe('reporter', () => {
  it('case 63: one that throws disturbs nobody, and is told as an error', async () => {
    const broken = new Error('the tracker is down');
    const boom = () => {
      throw broken;
    };
    const { latchkey, heard } = await story({ opened: boom, ended: boom });
    expect(named(heard, 'error')).toEqual(Array(4).fill({ origin: 'reporter', error: broken }));
    expect(latchkey.stats()).toMatchObject({ errors: 4, incidents: 2, openIncidents: 0 });
  });

  it('case 63: nor does one that rejects', async () => {
    const broken = new Error('the tracker is down');
    const { latchkey, heard } = await story({ opened: () => Promise.reject(broken), ended: () => Promise.reject(broken) });
    expect(named(heard, 'error')).toEqual(Array(4).fill({ origin: 'reporter', error: broken }));
    expect(latchkey.stats().errors).toBe(4);
  });

  it('case 63: nor does one that hangs', async () => {
    const told: string[] = [];
    const hang = (what: string) => () => {
      told.push(what);
      return new Promise<void>(() => {});
    };
    const { latchkey } = await story({ opened: hang('opened'), ended: hang('ended') });
    expect(told).toEqual(['opened', 'ended', 'opened', 'ended']);
    expect(latchkey.stats().errors).toBe(0);
  });

  it('case 63: however many deliveries hang, close waits no longer than it is told', async () => {
    const latchkey = createLatchkey({ reporter: { opened: () => new Promise(() => {}), ended: () => {} }, report: { perHour: 1_000 } });
    for (let n = 0; n < 150; n++) {
      const scope = { session: `s${n}`, provider: `p${n}` };
      latchkey.capture(scope, bearer('token'));
      await latchkey.run(scope, throwing({ token: 401 }).attempt).catch(() => {});
    }
    expect(latchkey.stats().reports).toBe(150);
    let closed = false;
    void latchkey.close({ timeoutMs: 500 }).then(() => {
      closed = true;
    });
    await vi.advanceTimersByTimeAsync(499);
    expect(closed).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(closed).toBe(true);
  });

  it('without a reporter the events tell everything', async () => {
    const latchkey = createLatchkey();
    const heard = hearAll(latchkey);
    latchkey.capture('s', bearer('token-a'));
    await latchkey.run('s', throwing({ 'token-a': 401 }).attempt).catch(() => {});
    latchkey.capture('s', bearer('token-b'));
    expect(named(heard, 'incident')).toHaveLength(1);
    expect(named(heard, 'recovered')).toHaveLength(1);
    expect(latchkey.stats()).toMatchObject({ incidents: 1, reports: 0 });
  });
});
