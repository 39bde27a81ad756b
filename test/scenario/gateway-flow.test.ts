import { afterEach, describe, expect, it } from 'vitest';
import { createLatchkey, credentialFromHeaders, type Latchkey, type Lease, type RunContext } from '../../src/index.js';
import { hearAll, named } from '../support/heard.js';
import { recordingReporter } from '../support/reporter.js';
import { scriptedUpstream, type Upstream } from '../support/upstream.js';

const SCOPE = { session: 'S', provider: 'P' };

describe('a gateway with a real upstream', () => {
  let upstream: Upstream | undefined;
  let latchkey: Latchkey | undefined;

  afterEach(async () => {
    await latchkey?.close();
    await upstream?.close();
  });

  /** An upstream that knows which tokens are good; each answer is JSON. */
  async function setUp(good: Set<string>) {
    const server = await scriptedUpstream(({ headers }) =>
      good.has(headers.authorization?.replace('Bearer ', '') ?? '')
        ? { status: 200, headers: { 'content-type': 'application/json' }, body: '{"done":true}' }
        : { status: 401, headers: { 'content-type': 'application/json' }, body: '{"error":"invalid token"}' },
    );
    const reporter = recordingReporter();
    const gateway = createLatchkey({ reporter });
    upstream = server;
    latchkey = gateway;
    /** What the gateway does with a client's request: captures what it carries, passes it on, and settles. */
    const clientRequest = async (token: string): Promise<number> => {
      const headers = { Authorization: `Bearer ${token}` };
      const credential = credentialFromHeaders(headers);
      if (credential === undefined) throw new Error('no credential');
      const capture = gateway.capture(SCOPE, credential);
      const response = await fetch(server.url, { headers });
      capture.settle(response);
      await response.text();
      return response.status;
    };
    const work = async (lease: Lease, { check, signal }: RunContext): Promise<unknown> =>
      (await check(await fetch(`${server.url}/work`, { headers: lease.headers(), signal }))).json();
    const worked = (): number => server.requests.filter(({ path }) => path === '/work').length;
    return { gateway, reporter, clientRequest, work, worked };
  }

  it('captures, works, is rejected, stays quiet, and resumes with fresh auth', async () => {
    const good = new Set(['token-1']);
    const { gateway, reporter, clientRequest, work, worked } = await setUp(good);
    const heard = hearAll(gateway);

    await clientRequest('token-1');
    expect(await gateway.run(SCOPE, work)).toEqual({ done: true });

    // The token expires between two client requests.
    good.clear();
    await expect(gateway.run(SCOPE, work)).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED', status: 401 });
    const before = worked();
    for (let tick = 0; tick < 10; tick++) {
      expect(gateway.canRun(SCOPE)).toBe(false);
      expect(await gateway.run(SCOPE, work, { whenBlocked: 'skip' })).toBeUndefined();
    }
    expect(worked()).toBe(before);
    expect(reporter.openings).toHaveLength(1);
    const parked = gateway.run(SCOPE, work, { whenBlocked: 'park' });

    // A client that keeps sending the dead token re-arms nothing.
    expect(await clientRequest('token-1')).toBe(401);
    expect(gateway.canRun(SCOPE)).toBe(false);
    expect(worked()).toBe(before);

    good.add('token-2');
    expect(await clientRequest('token-2')).toBe(200);
    expect(await parked).toEqual({ done: true });
    expect(await gateway.run(SCOPE, work)).toEqual({ done: true });

    expect(reporter.openings).toHaveLength(1);
    expect(reporter.endings).toMatchObject([{ end: 'fresh', scopeCount: 1, suppressed: 11 }]);
    expect(heard.map(({ name }) => name).filter((name) => ['blocked', 'incident', 'recovered', 'resumed'].includes(name))).toEqual([
      'incident',
      'blocked',
      'resumed',
      'recovered',
    ]);
    expect(named(heard, 'skipped')).toHaveLength(10);
    expect(JSON.stringify([heard, reporter, gateway.snapshot()])).not.toMatch(/token-[12]/);
  });

  it('sees the same token work again, and resumes with the client’s own proof', async () => {
    const good = new Set(['token-1']);
    const { gateway, reporter, clientRequest, work } = await setUp(good);
    await clientRequest('token-1');
    good.clear();
    await expect(gateway.run(SCOPE, work)).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
    good.add('token-1');
    await clientRequest('token-1');
    expect(await gateway.run(SCOPE, work)).toEqual({ done: true });
    expect(reporter.endings).toMatchObject([{ end: 'proof' }]);
  });
});
