import { createIdleLoop, type IdleLoop, type Latchkey } from 'latchkey';
import type { SeenSessions } from './seen-sessions.js';
import { warmingPrompt } from './upstream-calls.js';

export interface WarmerOptions {
  /** Base URL by provider. */
  readonly upstreams: Readonly<Record<string, string>>;
  readonly sessions: SeenSessions;
  readonly everyMs: number;
  /** A session is idle when its last request is so long ago, and not worth warming any more after `giveUpMs`. */
  readonly idleMs: number;
  readonly giveUpMs: number;
  readonly onError: (error: unknown) => void;
}

/** Keeps the prompt caches of idle sessions warm. A session whose credential is dead costs a look-up, and nothing is sent for it. */
export function createWarmer(latchkey: Latchkey, options: WarmerOptions): IdleLoop {
  const { upstreams, sessions, everyMs, idleMs, giveUpMs, onError } = options;
  return createIdleLoop(latchkey, {
    everyMs,
    items: () => sessions.idle(idleMs, giveUpMs),
    scope: (session) => ({ ...session, purpose: 'warm' }),
    task: async ({ provider }, { run }) => {
      const { path, body } = warmingPrompt(provider);
      await run(
        async (lease, { signal, check }) => {
          const response = await fetch(`${upstreams[provider]}${path}`, {
            method: 'POST',
            headers: { ...lease.headers(), 'content-type': 'application/json' },
            body: JSON.stringify(body),
            signal,
            // fetch takes `authorization` off when a redirect leaves the origin, and no other credential's header.
            redirect: 'error',
          });
          await (await check(response)).arrayBuffer();
        },
        { timeoutMs: 30_000 },
      );
    },
    wakeOnFreshAuth: true,
    onError,
  });
}
