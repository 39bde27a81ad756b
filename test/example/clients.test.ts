import { describe, expect, it, vi } from 'vitest';
import { endAfterEach, play } from './playing.js';
import { REAL_CLIENTS, type RealClient, SESSION, WORDS } from './real-clients.js';

endAfterEach();

/** What the upstream itself says to a dead token. */
async function refusal(
  upstreamUrl: string,
  { provider }: RealClient,
): Promise<{ status: number; body: string; wwwAuthenticate: string | undefined }> {
  const response = await fetch(`${upstreamUrl}/${provider}/v1/models`, { headers: { authorization: 'Bearer dead' } });
  return { status: response.status, body: await response.text(), wwwAuthenticate: response.headers.get('www-authenticate') ?? undefined };
}

describe.each(REAL_CLIENTS)('$name, through the gateway', (client) => {
  it.skipIf(client.missing !== undefined)('works with a live token, and so does the background work', async () => {
    const { upstream, gateway } = await play();
    expect(await client.talk(gateway.url, upstream.issue())).toMatchObject({ status: 200, words: WORDS });
    await vi.waitFor(() => expect(gateway.distiller.done).toBe(1));
    expect(await gateway.warmer.tick()).toEqual({ done: 1, failed: 0, blocked: 0, busy: 0 });
    expect(upstream.seen).toEqual({ calls: 3, unauthorized: 0 });
  });

  it.skipIf(client.missing !== undefined)(
    'gets the provider’s own 401; background work stops after one call and resumes with the next token',
    async () => {
      const { upstream, gateway } = await play();
      const { provider } = client;
      const token = upstream.issue();
      await client.talk(gateway.url, token);
      await vi.waitFor(() => expect(gateway.distiller.done).toBe(1));
      upstream.revoke(token);
      const expected = await refusal(upstream.url, client);
      const before = upstream.seen.calls;

      await gateway.warmer.tick();
      expect(upstream.seen.calls).toBe(before + 1);
      for (let tick = 0; tick < 5; tick++) expect(await gateway.warmer.tick()).toMatchObject({ done: 0, blocked: 1 });
      gateway.distiller.add({ session: SESSION, provider }, 'a text that waits');
      expect(upstream.seen.calls).toBe(before + 1);

      expect(await client.talk(gateway.url, token)).toEqual({ ...expected, words: undefined });
      for (let tick = 0; tick < 5; tick++) expect(await gateway.warmer.tick()).toMatchObject({ done: 0, blocked: 1 });
      expect(upstream.seen.calls).toBe(before + 2);
      expect(gateway.distiller).toMatchObject({ done: 1, waiting: 1 });

      expect(await client.talk(gateway.url, upstream.issue())).toMatchObject({ status: 200, words: WORDS });
      // The text that waited, and the one of the client's turn.
      await vi.waitFor(() => expect(gateway.distiller).toMatchObject({ done: 3, waiting: 0 }));
      await vi.waitFor(async () => expect(await gateway.warmer.tick()).toMatchObject({ done: 1, failed: 0 }));
      expect(gateway.latchkey.stats()).toMatchObject({ openIncidents: 0, incidents: 1 });
    },
  );

  it.skipIf(client.missing !== undefined)(
    'is told by a 401 of the client’s own that background work is pointless: none is sent',
    async () => {
      const { upstream, gateway } = await play();
      const token = upstream.issue();
      await client.talk(gateway.url, token);
      await vi.waitFor(() => expect(gateway.distiller.done).toBe(1));
      upstream.revoke();
      expect(await client.talk(gateway.url, token)).toMatchObject({ status: 401 });
      const before = upstream.seen.calls;
      for (let tick = 0; tick < 5; tick++) expect(await gateway.warmer.tick()).toMatchObject({ blocked: 1 });
      expect(upstream.seen.calls).toBe(before);
    },
  );
});
