import { afterEach, describe, expect, it } from 'vitest';
import { scriptedUpstream } from '../support/upstream.js';
import { ask, type Running, rawUpstream, taggingGateway } from './tagging-gateway.js';

const TAG = 'x-upstream-auth-failed';

describe.each(['headers', 'rawHeaders'] as const)('the tag, over HTTP, from Node’s %s', (source) => {
  const running: { close(): Promise<void> }[] = [];
  const kept = <T extends { close(): Promise<void> }>(one: T): T => {
    running.push(one);
    return one;
  };
  const gatewayFor = async (upstream: string): Promise<Running> => kept(await taggingGateway(upstream, source));
  const behindRaw = async (text: string): Promise<Running> => gatewayFor(kept(await rawUpstream(text)).url);

  afterEach(async () => {
    for (const one of running.splice(0).reverse()) await one.close();
  });

  it.each([
    [401, 'GET'],
    [403, 'GET'],
    [401, 'POST'],
    [403, 'POST'],
  ])('stamps %i on a %s; status and body pass through unchanged', async (status, method) => {
    const upstream = kept(
      await scriptedUpstream(() => ({
        status,
        headers: { 'content-type': 'application/json', 'x-request-id': 'r1' },
        body: '{"error":"bad key"}',
      })),
    );
    const answer = await ask(`${(await gatewayFor(upstream.url)).url}/v1/models`, method, method === 'POST' ? 'body' : undefined);
    expect(answer).toMatchObject({ status, body: '{"error":"bad key"}' });
    expect(answer.headers).toMatchObject({
      [TAG]: '1',
      'content-type': 'application/json',
      'x-request-id': 'r1',
      'cache-control': 'no-store',
    });
    expect(answer.headers['access-control-expose-headers']).toBe('X-Upstream-Auth-Failed');
  });

  it('stamps the error branch of a streaming call, and not a good stream', async () => {
    const upstream = kept(
      await scriptedUpstream(({ path }) => (_request, response) => {
        response.writeHead(path === '/good' ? 200 : 401, { 'content-type': 'text/event-stream' });
        response.write('data: one\n\n');
        setImmediate(() => response.end('data: two\n\n'));
      }),
    );
    const gateway = await gatewayFor(upstream.url);
    const bad = await ask(`${gateway.url}/bad`, 'POST', '{"stream":true}');
    expect(bad).toMatchObject({ status: 401, body: 'data: one\n\ndata: two\n\n', headers: { [TAG]: '1' } });
    const good = await ask(`${gateway.url}/good`, 'POST', '{"stream":true}');
    expect(good).toMatchObject({ status: 200, body: 'data: one\n\ndata: two\n\n' });
    expect(good.headers).not.toHaveProperty(TAG);
    expect(good.headers).not.toHaveProperty('access-control-expose-headers');
  });

  it.each([200, 201, 204, 301, 302, 304, 400, 402, 404, 407, 429, 500, 502, 503, 529])('never stamps %i', async (status) => {
    const upstream = kept(
      await scriptedUpstream(() => ({ status, headers: { 'set-cookie': 'u=1', 'www-authenticate': 'Basic', 'cache-control': 'public' } })),
    );
    const answer = await ask(`${(await gatewayFor(upstream.url)).url}/`);
    expect(answer.status).toBe(status);
    expect(answer.headers).not.toHaveProperty(TAG);
    // What is none of our business passes.
    expect(answer.headers).toMatchObject({ 'set-cookie': ['u=1'], 'www-authenticate': 'Basic', 'cache-control': 'public' });
  });

  it('never stamps what the gateway says itself: its own 401, 400, 403, and 502 for an upstream that cannot be reached', async () => {
    const closed = await rawUpstream('');
    await closed.close();
    const gateway = await gatewayFor(closed.url);
    for (const status of [401, 400, 403]) {
      const answer = await ask(`${gateway.url}/own/${status}`);
      expect(answer).toMatchObject({ status, body: 'own' });
      expect(answer.headers).not.toHaveProperty(TAG);
    }
    const unreachable = await ask(`${gateway.url}/v1`);
    expect(unreachable).toMatchObject({ status: 502, body: 'upstream unreachable' });
    expect(unreachable.headers).not.toHaveProperty(TAG);
  });

  it.each([200, 204, 302, 404, 407, 429, 500])(
    '(hole) deletes a tag that the upstream sent with %i, in any case and repeated',
    async (status) => {
      const gateway = await behindRaw(
        `HTTP/1.1 ${status} Any\nx-UPSTREAM-auth-Failed: 1\nX-Upstream-Auth-Failed: 1\nX-Kept: yes\nContent-Length: 0\nConnection: close\n\n`,
      );
      const answer = await ask(gateway.url);
      expect(answer).toMatchObject({ status, headers: { 'x-kept': 'yes' } });
      expect(answer.headers).not.toHaveProperty(TAG);
    },
  );

  it('(hole) a tag that the upstream sent with a 401 is replaced, not repeated: the value is exactly 1', async () => {
    const gateway = await behindRaw(
      'HTTP/1.1 401 No\nX-UPSTREAM-AUTH-FAILED: 0\nx-upstream-auth-failed: true\nContent-Length: 2\nConnection: close\n\nno',
    );
    const answer = await ask(gateway.url);
    expect(answer.rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === TAG)).toEqual(['X-Upstream-Auth-Failed']);
    expect(answer.headers[TAG]).toBe('1');
  });

  it('(hole) deletes a tag in the trailers, and its announcement', async () => {
    const gateway = await behindRaw(
      'HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nTrailer: X-Checksum, x-Upstream-Auth-Failed\n\n2\nok\n0\nX-Upstream-Auth-Failed: 1\nX-Checksum: abc\nX-UPSTREAM-AUTH-FAILED: 1\n\n',
    );
    const answer = await ask(gateway.url);
    expect(answer.body).toBe('ok');
    expect(answer.trailers).toEqual({ 'x-checksum': 'abc' });
    expect(answer.headers).toMatchObject({ trailer: 'X-Checksum' });
    expect(answer.headers).not.toHaveProperty(TAG);
  });

  it('(hole) an announcement of the tag alone is dropped as a whole, on a stamped response too', async () => {
    const gateway = await behindRaw(
      'HTTP/1.1 401 No\nTransfer-Encoding: chunked\nTrailer: X-Upstream-Auth-Failed\n\n2\nno\n0\nX-Upstream-Auth-Failed: 0\n\n',
    );
    const answer = await ask(gateway.url);
    expect(answer.trailers).toEqual({});
    expect(answer.headers).not.toHaveProperty('trailer');
    expect(answer.headers[TAG]).toBe('1');
  });

  it('(hole) a Connection header that names the tag does not get it taken off by the next proxy', async () => {
    const gateway = await behindRaw('HTTP/1.1 401 No\nConnection: close, X-Upstream-Auth-Failed\nContent-Length: 2\n\nno');
    const answer = await ask(gateway.url);
    expect(answer.headers).toMatchObject({ connection: 'close', [TAG]: '1' });
  });

  it('(hole) a Basic challenge and the upstream’s cookies do not reach the browser with a stamp', async () => {
    const gateway = await behindRaw(
      'HTTP/1.1 401 No\nWWW-Authenticate: Basic realm="x"\nwww-authenticate: Bearer\nSet-Cookie: session=evil; Path=/\nset-cookie: b=2\nClear-Site-Data: "cookies"\nContent-Length: 2\nConnection: close\n\nno',
    );
    const answer = await ask(gateway.url);
    expect(answer).toMatchObject({ status: 401, body: 'no', headers: { [TAG]: '1' } });
    for (const name of ['www-authenticate', 'set-cookie', 'clear-site-data']) expect(answer.headers).not.toHaveProperty(name);
  });

  it.each([
    ['X-Request-Id', 'X-Request-Id, X-Upstream-Auth-Failed'],
    ['x-upstream-AUTH-failed, X-Request-Id', 'X-Request-Id, X-Upstream-Auth-Failed'],
    ['*', '*, X-Upstream-Auth-Failed'],
    ['A\nAccess-control-expose-headers: B,,A', 'A, B, A, X-Upstream-Auth-Failed'],
  ])('(hole) exposes the tag to other origins beside %j', async (sent, exposed) => {
    const gateway = await behindRaw(`HTTP/1.1 403 No\nAccess-Control-Expose-Headers: ${sent}\nContent-Length: 0\nConnection: close\n\n`);
    expect((await ask(gateway.url)).headers['access-control-expose-headers']).toBe(exposed);
  });

  it('(hole) a stamped response is not stored, whatever the upstream allows', async () => {
    const gateway = await behindRaw(
      'HTTP/1.1 401 No\nCache-Control: public, max-age=600\nCACHE-CONTROL: immutable\nContent-Length: 0\nConnection: close\n\n',
    );
    expect((await ask(gateway.url)).headers['cache-control']).toBe('no-store');
  });
});
