import { describe, expect, it, vi } from 'vitest';
import { createPlaneClient } from '../../src/guard/plane-client.js';
import { isBulk, pair, serve, text, token } from './plane-pair.js';
import type { RecordingServer } from './plane-servers.js';

describe('fetchFor', () => {
  /** Two servers, the port of one of which is how that of the other begins. */
  async function prefixed(): Promise<{ control: RecordingServer; bulk: RecordingServer }> {
    const hint = { 'X-Bulk-Url': '' };
    for (let port = 3_001; port < 6_500; port += 97) {
      try {
        const control = await serve((_, response) => response.writeHead(404, hint).end(), undefined, port);
        for (let digit = 0; digit < 10; digit += 1) {
          try {
            const bulk = await serve((_, response) => response.end('bulk'), undefined, port * 10 + digit);
            hint['X-Bulk-Url'] = bulk.url;
            return { control, bulk };
          } catch {
            // Taken; the next one.
          }
        }
      } catch {
        // Taken; the next one.
      }
    }
    throw new Error('no two free ports');
  }

  it('`:8512` is not `:85120`: it is asked with the exact origin, and the token does not go to one that begins alike', async () => {
    const { control, bulk } = await prefixed();
    expect(bulk.url.startsWith(control.url)).toBe(true);
    const asked: string[] = [];
    const sent: [string, string][] = [];
    const planes = createPlaneClient({
      url: control.url,
      token,
      isBulk,
      fetchFor: (origin) => {
        asked.push(origin);
        return (url, init) => {
          sent.push([origin, url]);
          return fetch(url, init);
        };
      },
    });
    expect(await text(planes.fetch('/bulk/1'))).toBe('bulk');
    await planes.fetch('/bulk/2');
    expect(asked).toEqual([control.url, bulk.url, bulk.url]);
    expect(sent).toEqual([
      [control.url, `${control.url}/bulk/1`],
      [bulk.url, `${bulk.url}/bulk/1`],
      [bulk.url, `${bulk.url}/bulk/2`],
    ]);
    expect(bulk.seen.map(({ authorization }) => authorization)).toEqual([undefined, undefined]);
    // A port that there cannot be makes no origin, though the text begins with one.
    const { client } = await pair(() => ({ 'X-Bulk-Url': 'http://127.0.0.1:85120' }));
    const fetchFor = vi.fn(() => fetch);
    expect((await client({ fetchFor }).fetch('/bulk/1')).status).toBe(404);
    expect(fetchFor).toHaveBeenCalledTimes(1);
  });

  it('that fails fails the call, and nothing is sent', async () => {
    const { control, client } = await pair();
    const lost = new Error('no certificate for it');
    const planes = client({
      fetchFor: () => {
        throw lost;
      },
    });
    await expect(planes.fetch('/status')).rejects.toBe(lost);
    await expect(planes.register('/status')).rejects.toBe(lost);
    expect(control.seen).toEqual([]);
  });
});
