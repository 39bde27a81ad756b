import { createClient } from 'redis';
import { expect, it } from 'vitest';
import { bearer, type Latchkey } from '../../src/index.js';
import { eventually, pause, RedisFleet } from '../support/redis-fleet.js';
import { describeWithRedis, startRedis } from '../support/redis-server.js';
import { TokenFamily } from '../support/token-family.js';

const LASTS_MS = 300;
const DELAY_MS = 100;

describeWithRedis('a process that closes while it asks for the right to refresh', () => {
  it('holds nobody else up: what it is granted is given back', async () => {
    const server = await startRedis();
    const family = new TokenFamily(50);
    const options = { refreshMs: 10_000, refresh: family.refresh };
    const fleet = new RedisFleet(server, { processes: 0, client: 'redis', server, proxied: true, options });
    const admin = createClient({ url: server.url });
    await admin.connect();
    const work = (latchkey: Latchkey): Promise<string> =>
      latchkey.run('S', ({ credential }) => credential.reveal()).catch((error: { code: string }) => error.code);
    try {
      const [closing, other] = [await fleet.add(), await fleet.add()];
      await fleet.ready();
      for (const { latchkey } of [closing, other]) latchkey.capture('S', bearer('token-0', { expiresAt: Date.now() + LASTS_MS }));
      await pause(LASTS_MS + 50);
      closing.way.delay(DELAY_MS);
      void work(closing.latchkey);
      await eventually(async () => (await admin.keys('*:l:*')).length > 0);
      const closed = closing.latchkey.close();
      const began = performance.now();
      expect(await work(other.latchkey)).toBe('token-1');
      // Otherwise the right would have to run out.
      expect(performance.now() - began).toBeLessThan(options.refreshMs);
      await closed;
      expect(family.tries).toEqual(['token-0']);
    } finally {
      admin.destroy();
      await fleet.close();
      await server.stop();
    }
  });
});
