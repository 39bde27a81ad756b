import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createUnauthorizedMonitor, type ProxiedRequest, type UnauthorizedAnswer, type Workload } from '../../src/adapters/proxy.js';
import { bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { scriptedUpstream, type Upstream } from '../support/upstream.js';
import { FRONTS, type Front, receive } from './proxy-fronts.js';

const DEAD = 'dead-token-value-1234567890';
const GOOD = 'good-token-value-1234567890';
// With a content type each: some servers add one of their own where there is none.
const TEXT = { 'content-type': 'text/plain' };
const ANSWERS: Record<string, { status: number; headers?: Record<string, string>; body?: string }> = {
  '/forbidden': { status: 403, headers: TEXT, body: 'no' },
  '/missing': { status: 404, headers: TEXT, body: 'nothing here' },
  '/broken': { status: 503, headers: { ...TEXT, 'retry-after': '7' }, body: 'later' },
  '/moved': { status: 302, headers: { location: '/v1/messages' } },
  '/away': { status: 302, headers: { ...TEXT, location: 'http://elsewhere.invalid/v1/messages' }, body: 'over there' },
};

function authorization(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}

describe.each(FRONTS)('a transparent proxy on %s', (_, start) => {
  let upstream: Upstream;
  let front: Front;
  let latchkey: Latchkey;
  const hooked: UnauthorizedAnswer[] = [];
  const written: Workload[] = [];
  const arrived: number[] = [];
  let failing = false;

  beforeEach(async () => {
    hooked.length = written.length = arrived.length = 0;
    latchkey = createLatchkey();
    upstream = await scriptedUpstream(({ path, headers }) => {
      const other = ANSWERS[path.split('?')[0] ?? ''];
      if (other !== undefined) return other;
      if (headers.authorization === `Bearer ${GOOD}`) return { status: 200, headers: { ...TEXT, 'x-answer': 'yes' }, body: 'welcome' };
      return (_, response) => {
        response.writeHead(401, 'Unauthorized', {
          'www-authenticate': 'Bearer realm="upstream", error="invalid_token"',
          'content-type': 'application/json',
          'x-request-id': 'r-1',
          'set-cookie': ['a=1; Path=/', 'b=2; Path=/'],
        });
        response.end('{"error":"invalid_token"}');
      };
    });
    const monitor = createUnauthorizedMonitor<ProxiedRequest>(latchkey, {
      scope: () => ({ session: 's', provider: 'p' }),
      onUnauthorized: (answer) => {
        hooked.push(answer);
        arrived.push(upstream.requests.length);
        if (failing) throw new Error('the hook fails');
      },
      onWorkload: (workload) => {
        written.push(workload);
        if (failing) throw new Error('the store is down');
      },
    });
    front = await start(monitor, upstream.url);
  });

  afterEach(async () => {
    await front.close();
    await upstream.close();
  });

  it('hands on a 401 as the upstream gave it: status, body, headers, WWW-Authenticate', async () => {
    const direct = await receive(`${upstream.url}/v1/messages?beta=1`, authorization(DEAD));
    expect(direct.headers['www-authenticate']).toBe('Bearer realm="upstream", error="invalid_token"');
    expect(await receive(`${front.url}/v1/messages?beta=1`, authorization(DEAD))).toEqual(direct);
    const { fingerprint } = bearer(DEAD);
    expect(hooked).toEqual([{ scope: { session: 's', provider: 'p' }, fingerprint, path: '/v1/messages', method: 'GET' }]);
    expect(written.map(({ state }) => state)).toEqual(['unauthenticated']);
    expect(latchkey.canRun({ session: 's', provider: 'p' })).toBe(false);
  });

  it('hands on everything else too, and nothing but a 401 fires the hook', async () => {
    for (const path of ['/forbidden', '/missing', '/broken', '/away', '/v1/messages'])
      expect(await receive(front.url + path, authorization(GOOD))).toEqual(await receive(upstream.url + path, authorization(GOOD)));
    expect(hooked).toEqual([]);
    expect(latchkey.canRun({ session: 's', provider: 'p' })).toBe(true);
  });

  it('follows a redirect on the same host only', async () => {
    expect((await receive(`${front.url}/moved`, authorization(GOOD))).body).toBe('welcome');
    expect((await receive(`${front.url}/away`, authorization(GOOD))).status).toBe(302);
  });

  it("the gateway's own inbound 401 never fires", async () => {
    const { status, body } = await receive(`${front.url}/v1/messages`, { ...authorization(DEAD), 'x-turn-away': '1' });
    expect([status, body]).toEqual([401, 'the gateway does not know you']);
    expect(hooked).toEqual([]);
    expect(written).toEqual([]);
    expect(latchkey.canRun({ session: 's', provider: 'p' })).toBe(true);
  });

  it('a network error does not fire', async () => {
    await upstream.close();
    expect((await receive(`${front.url}/v1/messages`, authorization(GOOD))).status).toBe(502);
    expect(hooked).toEqual([]);
    expect(latchkey.canRun({ session: 's', provider: 'p' })).toBe(true);
  });

  it('50 concurrent 401s: 50 calls of the hook, one status write', async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => receive(`${front.url}/v1/messages?n=${n}`, authorization(DEAD))),
    );
    expect(answers.every(({ status, body }) => status === 401 && body === '{"error":"invalid_token"}')).toBe(true);
    expect(hooked).toHaveLength(50);
    expect(written.map(({ state }) => state)).toEqual(['unauthenticated']);
  });

  it('what fails behind the response leaves it as it is', async () => {
    failing = true;
    const direct = await receive(`${upstream.url}/v1/messages`, authorization(DEAD));
    expect(await receive(`${front.url}/v1/messages`, authorization(DEAD))).toEqual(direct);
    expect(await receive(`${front.url}/v1/messages`, authorization(DEAD))).toEqual(direct);
    expect([hooked.length, written.length]).toEqual([2, 2]);
    failing = false;
  });

  it('the answer has arrived before the hook hears of it', async () => {
    await receive(`${front.url}/v1/messages`, authorization(DEAD));
    expect(arrived).toEqual([1]);
  });
});
