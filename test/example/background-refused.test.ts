import { afterEach, describe, expect, it, vi } from 'vitest';
import { apiKey, bearer } from '../../src/index.js';
import { type Answer, scriptedUpstream, type Upstream } from '../support/upstream.js';
import { endAfterEach, type Playing, play } from './playing.js';

endAfterEach();
const upstreams: Upstream[] = [];
afterEach(async () => {
  for (const upstream of upstreams.splice(0)) await upstream.close();
});

async function upstreamOf(script: Parameters<typeof scriptedUpstream>[0]): Promise<Upstream> {
  const upstream = await scriptedUpstream(script);
  upstreams.push(upstream);
  return upstream;
}

const scope = { session: 'a', provider: 'openai' };
const ok: Answer = { status: 200, body: '{}' };
const failures = ({ lines }: Playing): number => lines.filter((line) => line === 'background work failed: Error').length;

describe('the distiller', () => {
  it.each([400, 404, 413, 422])('forgets a text that gets a %i, says so, and takes the next', async (status) => {
    const upstream = await upstreamOf(({ body }) => (body.includes('POISON') ? { status } : ok));
    const playing = await play({ upstreams: { openai: upstream.url } });
    const { distiller, latchkey } = playing.gateway;
    latchkey.capture(scope, bearer('some-token'));
    for (const text of ['POISON', 'good', 'better']) distiller.add(scope, text);
    await vi.waitFor(() => expect(distiller).toMatchObject({ done: 2, waiting: 0 }));
    expect(upstream.requests).toHaveLength(3);
    expect(failures(playing)).toBe(1);
  });

  it.each([402, 403, 408, 429, 500])('keeps a text that gets a %i for another time', async (status) => {
    const upstream = await upstreamOf(({ count }) => (count === 1 ? { status } : ok));
    const playing = await play({ upstreams: { openai: upstream.url } });
    const { distiller, latchkey } = playing.gateway;
    latchkey.capture(scope, bearer('some-token'));
    distiller.add(scope, 'one');
    await vi.waitFor(() => expect(latchkey.stats().waiting + failures(playing)).toBe(1));
    expect(distiller).toMatchObject({ done: 0, waiting: 1 });
    latchkey.capture(scope, bearer('another-token'));
    distiller.add(scope, 'two');
    await vi.waitFor(() => expect(distiller).toMatchObject({ done: 2, waiting: 0 }));
  });

  it('and the operator’s call make one slash of the one at the end of a base and their own', async () => {
    const upstream = await upstreamOf(() => ({ status: 200, body: '{"data":[]}' }));
    const { gateway } = await play({ upstreams: { openai: `${upstream.url}/base//` }, users: {} });
    gateway.latchkey.capture(scope, bearer('some-token'));
    gateway.distiller.add(scope, 'text');
    await vi.waitFor(() => expect(gateway.distiller.done).toBe(1));
    await fetch(`${gateway.url}/api/upstreams/openai/models`);
    await fetch(`${gateway.url}/openai/v1/models?q`);
    expect(upstream.requests.map(({ path }) => path)).toEqual(['/base/v1/chat/completions', '/base/v1/models', '/base/v1/models?q']);
  });
});

describe('the warmer', () => {
  it('follows no redirect with a client’s credential', async () => {
    const elsewhere = await upstreamOf(() => ok);
    const upstream = await upstreamOf(({ method }) =>
      method === 'GET' ? ok : { status: 307, headers: { location: `${elsewhere.url}/stolen` } },
    );
    const { gateway } = await play({ upstreams: { openai: upstream.url } });
    const headers = { 'x-api-key': apiKey('some-key').reveal(), 'x-session-id': 'a' };
    await (await fetch(`${gateway.url}/openai/v1/models`, { headers })).text();
    expect(await gateway.warmer.tick()).toMatchObject({ done: 0, failed: 1 });
    expect(upstream.requests).toHaveLength(2);
    expect(elsewhere.requests).toEqual([]);
  });
});
