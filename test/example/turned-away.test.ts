import { describe, expect, it } from 'vitest';
import { bearer } from '../../src/index.js';
import { endProxiesAfterEach, exchangeRaw, gatewayBefore, get } from './proxied.js';

endProxiesAfterEach();

async function counting() {
  const seen: (string | undefined)[] = [];
  const gateway = await gatewayBefore((incoming, response) => {
    seen.push(incoming.headers.authorization);
    incoming.resume();
    response.end('{}');
  });
  const ask = async (...lines: string[]): Promise<string> => {
    const head = ['POST /up/x HTTP/1.1', 'Host: x', 'Connection: close', 'Content-Length: 2', ...lines].join('\r\n');
    return (await exchangeRaw(gateway, `${head}\r\n\r\n{}`)).split('\r\n')[0] as string;
  };
  return { gateway, seen, ask };
}

describe('a request is not sent on', () => {
  it.each([
    [['Authorization: Bearer GARBAGE', 'Authorization: Bearer GOOD']],
    [['Authorization: Bearer GOOD', 'authorization: Bearer GOOD']],
    [['x-api-key: one', 'X-Api-Key: two']],
    [['x-api-key: one', 'Authorization: Bearer two']],
    [['Authorization: Bearer']],
    [['Authorization: Bearer two words']],
  ])('with %j: it is a 400, and nothing is captured', async (lines) => {
    const { gateway, seen, ask } = await counting();
    expect(await ask('X-Session-Id: s', ...lines)).toBe('HTTP/1.1 400 Bad Request');
    expect([seen, gateway.latchkey.stats().captures]).toEqual([[], 0]);
  });

  it.each(['document', 'iframe', 'frame', 'embed', 'object', 'script', 'worker', 'serviceworker', 'image'])(
    'as a %s: a provider’s pages are none of the operator’s',
    async (purpose) => {
      const { gateway, seen } = await counting();
      const answer = await get(gateway, '/up/page', { headers: { 'sec-fetch-dest': purpose } });
      expect(answer.resume().statusCode).toBe(403);
      expect(seen).toEqual([]);
    },
  );

  it.each([{ 'upgrade-insecure-requests': '1' }, { accept: 'text/html,application/xhtml+xml;q=0.9' }])(
    'as a page over http to another machine, where browsers do not say what for: %j',
    async (headers) => {
      const { gateway, seen } = await counting();
      expect((await get(gateway, '/up/page', { headers })).resume().statusCode).toBe(403);
      expect(seen).toEqual([]);
    },
  );

  it('but a page’s fetch is, and what says nothing of itself', async () => {
    const { gateway } = await counting();
    for (const headers of [{ 'sec-fetch-dest': 'empty', accept: 'text/html' }, { accept: '*/*' }, {}])
      expect((await get(gateway, '/up/x', { headers })).resume().statusCode).toBe(200);
  });
});

describe('a session', () => {
  it('is nobody’s who presents no credential: there is no work for it', async () => {
    const { gateway, seen, ask } = await counting();
    expect(await ask('X-Session-Id: s', 'Authorization: Bearer VICTIM')).toContain(' 200 ');
    await expect.poll(() => gateway.distiller.done).toBe(1);
    expect(await ask('X-Session-Id: s')).toContain(' 200 ');
    expect(await ask('X-Session-Id: other')).toContain(' 200 ');
    await (await fetch(`${gateway.url}/none`)).text();
    expect(gateway.distiller).toMatchObject({ done: 1, waiting: 0 });
    expect(seen).toEqual(['Bearer VICTIM', 'Bearer VICTIM', undefined, undefined]);
  });

  it('that nobody named cannot be named', async () => {
    const { gateway, ask } = await counting();
    await ask('Authorization: Bearer VICTIM');
    const { fingerprint } = bearer('VICTIM');
    for (const name of [fingerprint, `key:${fingerprint}`]) await ask(`X-Session-Id: ${name}`, 'Authorization: Bearer ATTACKER');
    const { candidates } = gateway.latchkey.explain({ session: `key:${fingerprint}`, provider: 'up' });
    expect(candidates.map((candidate) => candidate.fingerprint)).toEqual([fingerprint]);
  });

  it('keeps the credential that `Connection` would take away', async () => {
    const { gateway, seen } = await counting();
    const headers = { authorization: 'Bearer GOOD', connection: 'authorization' };
    (await get(gateway, '/up/x', { headers })).resume();
    (await get(gateway, '/up/x', { headers: { ...headers, connection: 'x-api-key, Authorization' } })).resume();
    expect(seen).toEqual(['Bearer GOOD', 'Bearer GOOD']);
  });
});
