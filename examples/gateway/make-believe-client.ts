import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ClientOptions {
  /** Of the gateway, up to the provider's name. */
  readonly baseUrl: string;
  readonly path: string;
  readonly body: object;
  /** A fresh token. */
  readonly token: () => Promise<string>;
  /** It comes back with a fresh token, talks twice, and stays away until its next turn. */
  readonly everyMs: number;
  readonly signal: AbortSignal;
}

/** A client such as an agent on somebody's laptop: it has its own tokens, and the gateway only sees them pass. */
export async function playClient({ baseUrl, path, body, token, everyMs, signal }: ClientOptions): Promise<void> {
  const session = randomUUID();
  while (!signal.aborted) {
    try {
      const headers = { authorization: `Bearer ${await token()}`, 'content-type': 'application/json', 'x-session-id': session };
      for (let turn = 0; turn < 2; turn++) {
        const answer = await fetch(`${baseUrl}${path}`, { method: 'POST', headers, body: JSON.stringify(body), signal });
        await answer.text();
        await sleep(everyMs / 8, undefined, { signal });
      }
      await sleep((everyMs * 3) / 4, undefined, { signal });
    } catch {
      // The gateway is ending, or is not there: a client tries again at its next turn.
      await sleep(everyMs, undefined, { signal }).catch(() => {});
    }
  }
}
