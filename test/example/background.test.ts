import { describe, expect, it, vi } from 'vitest';
import { seenSessions, sessionOf } from '../../examples/gateway/seen-sessions.js';
import { bearer, createLatchkey } from '../../src/index.js';
import { endAfterEach, type Playing, play } from './playing.js';

endAfterEach();

/** A client's request that brings a token and leaves nothing to distil. */
async function present({ gateway }: Playing, token: string, session: string): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, 'x-session-id': session };
  await (await fetch(`${gateway.url}/anthropic/v1/models`, { headers })).text();
}

const scope = (session: string) => ({ session, provider: 'anthropic' });

describe('the distiller', () => {
  it('waits for fresh auth in one session, and goes on in the others', async () => {
    const playing = await play();
    const { upstream, gateway } = playing;
    const token = upstream.issue();
    await present(playing, token, 'a');
    await present(playing, upstream.issue(), 'b');
    upstream.revoke(token);
    const before = upstream.seen.unauthorized;
    for (const text of ['one', 'two', 'three']) gateway.distiller.add(scope('a'), text);
    await vi.waitFor(() => expect(upstream.seen.unauthorized).toBe(before + 1));
    gateway.distiller.add(scope('b'), 'four');
    await vi.waitFor(() => expect(gateway.distiller).toMatchObject({ done: 1, waiting: 3 }));
    await present(playing, upstream.issue(), 'a');
    await vi.waitFor(() => expect(gateway.distiller).toMatchObject({ done: 4, waiting: 0 }));
    expect(upstream.seen.unauthorized).toBe(before + 1);
  });

  it('puts a session’s texts aside when the wait was in vain, loses none, and says so', async () => {
    const playing = await play({ parkMs: 20 });
    const { upstream, gateway, lines } = playing;
    await present(playing, 'dead', 'a');
    gateway.distiller.add(scope('a'), 'one');
    await vi.waitFor(() => expect(lines).toContain('background work failed: PARK_TIMEOUT'));
    expect(gateway.distiller).toMatchObject({ done: 0, waiting: 1 });
    await present(playing, upstream.issue(), 'a');
    gateway.distiller.add(scope('a'), 'two');
    await vi.waitFor(() => expect(gateway.distiller).toMatchObject({ done: 2, waiting: 0 }));
  });

  it('forgets what was put aside when it needs the room', async () => {
    const playing = await play({ parkMs: 20 });
    const { upstream, gateway, lines } = playing;
    for (let text = 0; text < 1_000; text++) gateway.distiller.add(scope('a'), 'text');
    await vi.waitFor(() => expect(lines).toContain('background work failed: PARK_TIMEOUT'));
    await present(playing, upstream.issue(), 'b');
    expect(gateway.distiller.add(scope('b'), 'text')).toBe(true);
    await vi.waitFor(() => expect(gateway.distiller).toMatchObject({ done: 1, waiting: 0 }));
  });

  it('takes no more than it can hold, and nothing once it is closed, which ends its waiting', async () => {
    const playing = await play();
    const { gateway, lines } = playing;
    await present(playing, 'dead', 'a');
    for (let text = 0; text < 1_000; text++) expect(gateway.distiller.add(scope('a'), 'text')).toBe(true);
    expect(gateway.distiller.add(scope('a'), 'text')).toBe(false);
    await gateway.distiller.close();
    expect(gateway.distiller.add(scope('b'), 'text')).toBe(false);
    expect(lines.filter((line) => line.startsWith('background work failed'))).toEqual([]);
  });
});

describe('sessions', () => {
  it('do nobody’s work with another’s credential', async () => {
    const playing = await play();
    const { upstream, gateway } = playing;
    const token = upstream.issue();
    await present(playing, token, 'a');
    await present(playing, upstream.issue(), 'b');
    upstream.revoke(token);
    await present(playing, token, 'a');
    expect(await gateway.warmer.tick()).toEqual({ done: 1, failed: 0, blocked: 1, busy: 0 });
    expect(gateway.latchkey.stats()).toMatchObject({ borrowed: 0 });
  });

  it('lose nothing to a client that names another’s session with a token that does not work', async () => {
    const playing = await play();
    const { upstream, gateway } = playing;
    await present(playing, upstream.issue(), 'a');
    await present(playing, 'made-up', 'a');
    expect(await gateway.warmer.tick()).toEqual({ done: 1, failed: 0, blocked: 0, busy: 0 });
    expect(upstream.seen.unauthorized).toBe(1);
  });

  it('are named by the client, else by the credential’s fingerprint; odd names are no names', () => {
    const authorization = 'Bearer some-token';
    const fingerprint = sessionOf({ authorization });
    expect(fingerprint).toMatch(/^key:[0-9a-f]{16}$/);
    expect(sessionOf({ authorization, 'x-session-id': 'mine' })).toBe('mine');
    // Nobody names the session of a credential that is not his.
    for (const odd of ['', ' ', 'a b', 'x'.repeat(65), 'a, b', fingerprint as string])
      expect(sessionOf({ authorization, 'x-session-id': odd })).toBe(fingerprint);
    expect(sessionOf({})).toBeUndefined();
  });

  it('are remembered up to a thousand, the oldest forgotten first, and evicted with what Latchkey evicts', () => {
    const latchkey = createLatchkey();
    const sessions = seenSessions(latchkey);
    for (let count = 0; count < 1_001; count++) sessions.saw(scope(`s${count}`));
    sessions.saw(scope('s1'));
    sessions.saw(scope('new'));
    const names = sessions.all().map((seen) => seen.scope.session);
    expect(names).toHaveLength(1_000);
    expect(names.slice(0, 2)).toEqual(['new', 's1']);
    expect(names).not.toContain('s0');
    expect(names).not.toContain('s2');
    latchkey.capture(scope('s1'), bearer('some-token'));
    latchkey.evict('s1');
    expect(sessions.all()[1]?.scope.session).not.toBe('s1');
    sessions.close();
  });

  it('are warmed from when they are idle until it is not worth it any more', () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      const sessions = seenSessions(createLatchkey());
      sessions.saw(scope('s'));
      const idleAfter = (ms: number): number => {
        vi.setSystemTime(Date.now() + ms);
        return sessions.idle(1_000, 5_000).length;
      };
      expect([idleAfter(999), idleAfter(1), idleAfter(4_000), idleAfter(1)]).toEqual([0, 1, 1, 0]);
    } finally {
      vi.useRealTimers();
    }
  });
});
