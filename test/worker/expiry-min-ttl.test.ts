import { Agent, request } from 'undici';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createAuthFetch } from '../../src/adapters/fetch.js';
import { createAuthInterceptor } from '../../src/adapters/undici.js';
import { bearer, createIdleLoop, createLatchkey, type Latchkey } from '../../src/index.js';
import { answering } from '../support/answering.js';
import { watch } from '../support/attempts.js';
import { freezeTime, START, settled } from '../support/clock.js';
import { recordingReporter } from '../support/reporter.js';
import { scriptedUpstream } from '../support/upstream.js';

const MINUTE = 60_000;
const JOB = { minTtlMs: 10 * MINUTE } as const;
const short = bearer('short', { expiresAt: START + 2 * MINUTE });
const long = bearer('long', { expiresAt: START + 60 * MINUTE });

let latchkey: Latchkey;
const reporter = recordingReporter();
beforeEach(() => {
  freezeTime();
  latchkey = createLatchkey({ expiry: {}, canary: 'off', reporter });
});
afterEach(async () => {
  vi.useRealTimers();
  await latchkey.close({ timeoutMs: 0 });
});

describe('a run that needs a credential for a while', () => {
  it('takes the one that lasts, and its own again for work that is short', async () => {
    const { sent, attempt } = answering();
    latchkey.capture('other', long);
    latchkey.capture('s', short);
    await latchkey.run('s', attempt, { minTtlMs: 2 * MINUTE - 5_001 });
    latchkey.capture('other', long);
    await latchkey.run('s', attempt, JOB);
    await latchkey.run('s', attempt);
    expect(sent).toEqual(['short', 'long', 'short']);
  });

  it('without one that lasts it is blocked, told why, and nobody is alarmed', async () => {
    const { sent, attempt } = answering();
    latchkey.capture('s', short);
    await expect(latchkey.run('s', attempt, JOB)).rejects.toMatchObject({
      code: 'CREDENTIAL_EXPIRED',
      message: 'the credential does not last long enough, nothing was sent',
      fingerprint: short.fingerprint,
      // Its end is still to come.
      since: undefined,
      incident: undefined,
    });
    expect(await latchkey.run('s', attempt, { ...JOB, whenBlocked: 'skip' })).toBeUndefined();
    expect(latchkey.canRun('s')).toBe(true);
    expect(latchkey.status('s').state).toBe('ready');
    vi.setSystemTime(START + 2 * MINUTE);
    await expect(latchkey.run('s', attempt, JOB)).rejects.toMatchObject({ message: 'the credential is expired, nothing was sent' });
    expect(sent).toEqual([]);
    expect(latchkey.stats().incidents).toBe(0);
  });

  it('parked, it waits for one that lasts: not for another that is too short', async () => {
    const { sent, attempt } = answering();
    latchkey.capture('s', short);
    const parked = watch(latchkey.run('s', attempt, { ...JOB, whenBlocked: 'park' }));
    const brief = watch(latchkey.run('s', attempt, { whenBlocked: 'park' }));
    await settled();
    latchkey.capture('s', bearer('short-too', { expiresAt: START + 3 * MINUTE }));
    await settled();
    expect([parked.state, brief.state]).toEqual(['pending', 'resolved']);
    latchkey.capture('s', long);
    await settled();
    expect(parked.state).toBe('resolved');
    expect(sent).toEqual(['short', 'long']);
  });

  it('in the idle loop it is left out until there is one', async () => {
    const { sent, attempt } = answering();
    latchkey.capture('s', short);
    const loop = createIdleLoop(latchkey, {
      everyMs: MINUTE,
      items: () => ['s'],
      scope: (item) => item,
      task: (_, { run }) => run(attempt, JOB),
    });
    await loop.tick();
    expect(latchkey.stats()).toMatchObject({ skipped: 1, incidents: 0 });
    latchkey.capture('s', long);
    await loop.tick();
    expect(sent).toEqual(['long']);
  });

  it('a block that a rejection caused is an incident for it as for any other', async () => {
    latchkey.capture('s', short).settle(401);
    await latchkey.run('s', () => 1, { ...JOB, whenBlocked: 'skip' });
    expect(latchkey.stats().incidents).toBe(1);
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY, '600000', null])('%j is no time', async (minTtlMs) => {
    latchkey.capture('s', short);
    const bad = { minTtlMs } as never;
    await expect(latchkey.run('s', () => 1, bad)).rejects.toThrow(/^run: `minTtlMs` must be a finite number of milliseconds, 0 or more$/);
    expect(() => createAuthFetch(latchkey, { scope: 's', ...(bad as object) })).toThrow(/^createAuthFetch: `minTtlMs`/);
  });
});

describe('an adapter that is given it', () => {
  it('fetch: nothing goes out on a credential that does not last', async () => {
    vi.useRealTimers();
    const upstream = await scriptedUpstream(({ headers }) => ({ status: headers.authorization === 'Bearer long' ? 200 : 500 }));
    const gateway = createLatchkey({ expiry: {}, canary: 'off', clock: { now: () => START } });
    gateway.capture('s', short);
    const authFetch = createAuthFetch(gateway, { scope: 's', ...JOB });
    await expect(authFetch(upstream.url)).rejects.toMatchObject({ code: 'CREDENTIAL_EXPIRED' });
    gateway.capture('s', long);
    expect((await authFetch(upstream.url)).status).toBe(200);
    expect(upstream.requests).toHaveLength(1);
    await upstream.close();
  });

  it('undici: the same', async () => {
    vi.useRealTimers();
    const upstream = await scriptedUpstream(({ headers }) => ({ status: headers.authorization === 'Bearer long' ? 200 : 500 }));
    const gateway = createLatchkey({ expiry: {}, canary: 'off', clock: { now: () => START } });
    gateway.capture('s', short);
    const agent = new Agent();
    const dispatcher = agent.compose(createAuthInterceptor(gateway, { scope: 's', origins: [upstream.url], ...JOB }));
    await expect(request(upstream.url, { dispatcher })).rejects.toMatchObject({ code: 'CREDENTIAL_EXPIRED' });
    gateway.capture('s', long);
    expect((await request(upstream.url, { dispatcher })).statusCode).toBe(200);
    expect(upstream.requests).toHaveLength(1);
    await agent.destroy();
    await upstream.close();
  });
});
