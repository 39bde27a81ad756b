import type { IncomingMessage } from 'node:http';
import { credentialFromHeaders, type Latchkey } from 'latchkey';

/** A client's session at one provider. */
export interface SessionScope {
  readonly session: string;
  readonly provider: string;
}

/** The sessions that clients came with lately: what there is to warm, and to show. The oldest go first. */
export interface SeenSessions {
  saw(scope: SessionScope): void;
  /** Those whose last request is at least `idleMs` and at most `giveUpMs` ago. */
  idle(idleMs: number, giveUpMs: number): SessionScope[];
  all(): { readonly scope: SessionScope; readonly lastSeen: number }[];
  close(): void;
}

const MOST_SESSIONS = 1_000;
const SESSION_ID = /^[\w.-]{1,64}$/;

/**
 * The session that a request names in `x-session-id`, else the one of the credential that it presents, by a name that no header can spell; undefined
 * for an anonymous request.
 */
export function sessionOf(headers: IncomingMessage['headers']): string | undefined {
  const named = headers['x-session-id'];
  if (typeof named === 'string' && SESSION_ID.test(named)) return named;
  const credential = credentialFromHeaders(headers);
  return credential && `key:${credential.fingerprint}`;
}

export function seenSessions(latchkey: Latchkey): SeenSessions {
  const sessions = new Map<string, { scope: SessionScope; lastSeen: number }>();
  const unlisten = latchkey.on('evicted', ({ session }) => {
    for (const [key, seen] of sessions) if (seen.scope.session === session) sessions.delete(key);
  });
  return {
    saw(scope) {
      const key = `${scope.provider}/${scope.session}`;
      // Taken out and put in again, so that the order is that of last use.
      sessions.delete(key);
      sessions.set(key, { scope, lastSeen: Date.now() });
      for (const oldest of sessions.keys()) {
        if (sessions.size <= MOST_SESSIONS) break;
        sessions.delete(oldest);
      }
    },
    idle(idleMs, giveUpMs) {
      const now = Date.now();
      return [...sessions.values()]
        .filter(({ lastSeen }) => now - lastSeen >= idleMs && now - lastSeen <= giveUpMs)
        .map(({ scope }) => scope);
    },
    all: () => [...sessions.values()].reverse(),
    close: unlisten,
  };
}
