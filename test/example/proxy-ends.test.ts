import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { describe, expect, it, vi } from 'vitest';
import { createProxy } from '../../examples/gateway/proxy.js';
import { createUnauthorizedMonitor } from '../../src/adapters/proxy.js';
import { createLatchkey } from '../../src/index.js';
import { deferred } from '../support/deferred.js';
import { answerTo, ending, endProxiesAfterEach, gatewayBefore, gatewayTo, get, open, upstreamOf } from './proxied.js';

endProxiesAfterEach();

describe('how the proxy’s exchanges end', () => {
  it.each(['before the answer', 'in the middle of the answer'])(
    'a client that goes away %s aborts the upstream’s request',
    async (when) => {
      const [arrived, aborted] = [deferred(), deferred<boolean>()];
      const gateway = await gatewayBefore((_, response) => {
        response.once('close', () => aborted.resolve(response.writableFinished));
        if (when !== 'before the answer') response.write('begun');
        arrived.resolve();
      });
      const outgoing = open(gateway, '/up/slow').end();
      await arrived.promise;
      if (when !== 'before the answer') await once(await answerTo(outgoing), 'data');
      outgoing.destroy();
      expect(await aborted.promise).toBe(false);
      expect((await get(gateway, '/nothing')).statusCode).toBe(404);
    },
  );

  it('an answer that breaks off breaks off for the client, and is not a 502 nor an end', async () => {
    const gateway = await gatewayBefore((_, response) => {
      response.write('begun', () => response.destroy());
    });
    const answer = await get(gateway, '/up/x');
    expect(answer.statusCode).toBe(200);
    await expect(text(answer)).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  it.each(['nobody listens', 'the connection is closed unanswered'])('502 when %s', async (what) => {
    const url = await upstreamOf((incoming) => incoming.socket.destroy());
    if (what === 'nobody listens') await ending.pop()?.();
    const gateway = await gatewayTo(url);
    const answer = await get(gateway, '/up/x', { headers: { authorization: 'Bearer some-token', 'x-session-id': 's' } });
    expect(answer.statusCode).toBe(502);
    expect(answer.headers).not.toHaveProperty('x-upstream-auth-failed');
    expect(JSON.parse(await text(answer))).toMatchObject({ error: { type: 'upstream_failed' } });
    // No answer says nothing of the credential, neither good nor bad.
    expect(gateway.latchkey.stats()).toMatchObject({ accepted: 0, rejected: 0 });
  });

  it('502 when the request cannot even be made, its upload read away', async () => {
    const latchkey = createLatchkey();
    const failures: unknown[] = [];
    const monitor = createUnauthorizedMonitor(latchkey, { scope: () => 's' });
    const open = vi.spyOn(monitor, 'open');
    const proxy = createProxy({ monitor, onAnswer: () => failures.push('answered') });
    ending.push(() => proxy.close());
    const url = await upstreamOf((incoming, response) => proxy.forward(incoming, response, new URL('ftp://127.0.0.1/')));
    const init = { method: 'POST', body: 'x'.repeat(5_000_000), headers: { authorization: 'Bearer some-token' } };
    for (let time = 0; time < 2; time++) expect((await fetch(url, init)).status).toBe(502);
    expect(open).toHaveBeenCalledTimes(2);
    expect([failures, latchkey.stats().accepted, latchkey.stats().rejected]).toEqual([[], 0, 0]);
  });

  it('close() ends a gateway that is at work, open connections and all', async () => {
    const arrived = deferred();
    const gateway = await gatewayBefore((_, response) => {
      response.write('begun');
      arrived.resolve();
    });
    const answer = await get(gateway, '/up/x');
    await arrived.promise;
    const broken = expect(text(answer)).rejects.toThrow();
    await gateway.close();
    await broken;
    await vi.waitFor(async () => expect(await fetch(gateway.url).catch(() => 'closed')).toBe('closed'));
  });
});
