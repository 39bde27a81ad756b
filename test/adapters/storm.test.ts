import { Agent, request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAuthFetch } from '../../src/adapters/fetch.js';
import { createAuthInterceptor } from '../../src/adapters/undici.js';
import { bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { recordingReporter } from '../support/reporter.js';
import { scriptedUpstream, type Upstream } from '../support/upstream.js';

const CALLS = 200;
const FRESH_AFTER_MS = 20;

/** 5 to 60 ms, the same in every run. */
const latencyMs = (count: number): number => 5 + ((count * 37) % 56);

/** Makes one call and reads its answer away; gives its status. */
type Caller = (latchkey: Latchkey, url: string, whenBlocked: 'throw' | 'park') => () => Promise<number>;

const CALLERS: Readonly<Record<string, Caller>> = {
  createAuthFetch(latchkey, url, whenBlocked) {
    const authFetch = createAuthFetch(latchkey, { scope: 's', whenBlocked });
    return async () => {
      const response = await authFetch(url, { method: 'POST', body: '{}' });
      await response.arrayBuffer();
      return response.status;
    };
  },
  createAuthInterceptor(latchkey, url, whenBlocked) {
    const dispatcher = new Agent().compose(createAuthInterceptor(latchkey, { scope: 's', origins: [url], whenBlocked }));
    return async () => {
      const { statusCode, body } = await request(url, { dispatcher, method: 'POST', body: '{}' });
      await body.dump();
      return statusCode;
    };
  },
};

describe.each(Object.entries(CALLERS))('two hundred calls of %s on one expired token', (_name, caller) => {
  let upstream: Upstream;
  let latchkey: Latchkey;
  let good: string;
  const reporter = recordingReporter();

  beforeEach(async () => {
    good = 'first';
    upstream = await scriptedUpstream(({ headers, count }) => (_request, response) => {
      const status = headers['authorization'] === `Bearer ${good}` ? 200 : 401;
      setTimeout(() => response.writeHead(status).end('{}'), latencyMs(count));
    });
    latchkey = createLatchkey({ reporter, report: { graceMs: 1_000 } });
    latchkey.capture('s', bearer('first'));
  });
  afterEach(() => upstream.close());

  async function storm(): Promise<{ failed: number; rejected: number; calls: number; inFlight: number }> {
    good = 'second';
    let inFlight = 0;
    const began = latchkey.stats().attempts;
    const off = latchkey.on('rejected', () => {
      inFlight ||= latchkey.stats().attempts - began;
    });
    setTimeout(() => latchkey.capture('s', bearer('second')), FRESH_AFTER_MS);
    const before = upstream.requests.length;
    const call = caller(latchkey, upstream.url, 'park');
    const answers = await Promise.allSettled(Array.from({ length: CALLS }, call));
    off();
    const sent = upstream.requests.slice(before);
    return {
      failed: answers.filter((answer) => answer.status === 'rejected' || answer.value !== 200).length,
      rejected: sent.filter(({ headers }) => headers['authorization'] !== 'Bearer second').length,
      calls: sent.length,
      inFlight,
    };
  }

  it('cold: one call meets the 401, none fails', async () => {
    expect(await storm()).toMatchObject({ failed: 0, rejected: 1, calls: CALLS + 1 });
    expect(reporter.openings).toEqual([]);
  });

  it('warm: no more 401s than calls that were out at the first verdict, none fails', async () => {
    await caller(latchkey, upstream.url, 'throw')();
    const { failed, rejected, calls, inFlight } = await storm();
    expect(failed).toBe(0);
    expect(inFlight).toBeGreaterThan(0);
    expect(rejected).toBeLessThanOrEqual(inFlight);
    expect(calls).toBe(CALLS + rejected);
  });
});
