import { afterEach, describe, expect, it, vi } from 'vitest';
import { createDistiller } from '../../examples/gateway/distiller.js';
import { startUpstream } from '../../examples/gateway/fake-upstream.js';
import { seenSessions } from '../../examples/gateway/seen-sessions.js';
import { createWarmer } from '../../examples/gateway/warmer.js';
import { bearer, type Credential, createLatchkey } from '../../src/index.js';
import { type Deferred, deferred } from '../support/deferred.js';

const FOREVER_MS = 24 * 60 * 60_000;
const SCOPE = { session: 's', provider: 'anthropic' };
const endings: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

/** The background work of the example's gateway, for one session whose token is revoked. */
async function background() {
  const upstream = await startUpstream({ tokenMs: FOREVER_MS });
  endings.push(() => upstream.close());
  const tries: Deferred<Credential | undefined>[] = [];
  const latchkey = createLatchkey({
    fallback: 'none',
    refresh: () => {
      const one = deferred<Credential | undefined>();
      tries.push(one);
      return one.promise;
    },
  });
  endings.push(() => latchkey.close({ timeoutMs: 100 }));
  const upstreams = { anthropic: `${upstream.url}/anthropic` };
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const sessions = seenSessions(latchkey);
  sessions.saw(SCOPE);
  const distiller = createDistiller(latchkey, { upstreams, parkMs: 60_000, onError });
  endings.push(() => distiller.close());
  const warmer = createWarmer(latchkey, { upstreams, sessions, everyMs: 20, idleMs: 0, giveUpMs: FOREVER_MS, onError });
  endings.push(() => warmer.stop({ timeoutMs: 100 }));
  const token = upstream.issue();
  latchkey.capture(SCOPE, bearer(token));
  upstream.revoke(token);
  return { upstream, latchkey, tries, errors, distiller, warmer };
}

describe('the background work of a session whose token can be refreshed', () => {
  it('waits for the one refresh, and then goes on without its client: the warmer and the distiller', async () => {
    const { upstream, tries, errors, distiller, warmer } = await background();
    distiller.add(SCOPE, 'one');
    await vi.waitFor(() => expect(tries).toHaveLength(1));
    distiller.add(SCOPE, 'two');
    await warmer.tick();
    expect([upstream.seen, distiller.done]).toEqual([{ calls: 1, unauthorized: 1 }, 0]);
    warmer.start();
    tries[0]?.resolve(bearer(upstream.issue()));
    await vi.waitFor(() => expect(distiller).toMatchObject({ done: 2, waiting: 0 }));
    await vi.waitFor(() => expect(upstream.seen.calls).toBeGreaterThanOrEqual(4));
    expect([upstream.seen.unauthorized, tries.length, errors]).toEqual([1, 1, []]);
  });

  it('parks while the refresh fails for reasons that pass, and goes on with what its client brings', async () => {
    const { upstream, latchkey, tries, errors, distiller, warmer } = await background();
    distiller.add(SCOPE, 'one');
    await vi.waitFor(() => expect(tries).toHaveLength(1));
    tries[0]?.reject({ status: 503 });
    await vi.waitFor(() => expect(latchkey.status({ ...SCOPE, purpose: 'distill' }).next).toBeDefined());
    warmer.start();
    await vi.waitFor(() => expect(latchkey.stats().skipped).toBeGreaterThanOrEqual(2));
    expect([upstream.seen, distiller.waiting, errors]).toEqual([{ calls: 1, unauthorized: 1 }, 1, []]);
    latchkey.capture(SCOPE, bearer(upstream.issue()));
    await vi.waitFor(() => expect(distiller).toMatchObject({ done: 1, waiting: 0 }));
    await vi.waitFor(() => expect(upstream.seen.calls).toBeGreaterThanOrEqual(3));
    expect([upstream.seen.unauthorized, errors]).toEqual([1, []]);
  });
});
