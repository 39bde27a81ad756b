import { afterEach, describe, expect, it, vi } from 'vitest';
import { createSessionGate, type RefreshedTokens, type SessionGateOptions, sessionCookies } from '../../src/signals/index.js';
import { freezeTime, settled } from '../support/clock.js';
import { type Deferred, deferred } from '../support/deferred.js';

const cookies = sessionCookies({ https: false });
const set = (session: string, refresh?: string): string[] => cookies.set(session, refresh);

describe('refreshing, with time frozen', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  const asks = (cookie: string) => ({ headers: { cookie }, url: '/x' });
  const slow = (rules: Partial<SessionGateOptions<string>> = {}) => {
    freezeTime();
    const calls: { token: string; signal: AbortSignal; answer: Deferred<RefreshedTokens | undefined> }[] = [];
    const verified: string[] = [];
    const gate = createSessionGate<string>({
      cookies,
      verify: (session) => {
        verified.push(session);
        return session.startsWith('s') ? session : undefined;
      },
      refresh: (token, { signal }) => {
        const answer = deferred<RefreshedTokens | undefined>();
        calls.push({ token, signal, answer });
        return answer.promise;
      },
      ...rules,
    });
    return { gate, calls, verified };
  };

  it('those who wait together share the refresh and its verification', async () => {
    const { gate, calls, verified } = slow();
    const waiting = Promise.all(Array.from({ length: 50 }, () => gate.authenticate(asks('refresh=r1'))));
    await settled();
    expect(calls).toHaveLength(1);
    calls[0]?.answer.resolve({ session: 's2' });
    for (const one of await waiting) expect(one).toEqual({ ok: true, session: 's2', setCookies: set('s2') });
    expect(verified).toEqual(['s2']);
  });

  it('one waiter’s end rejects no other, nor the refresh', async () => {
    const { gate, calls } = slow();
    const impatient = new AbortController();
    const gone = gate.authenticate(asks('refresh=r1'), { signal: impatient.signal });
    const stays = gate.authenticate(asks('refresh=r1'), { signal: new AbortController().signal });
    await settled();
    impatient.abort(new Error('client went away'));
    await expect(gone).rejects.toThrow('client went away');
    expect(calls[0]?.signal.aborted).toBe(false);
    calls[0]?.answer.resolve({ session: 's2' });
    expect(await stays).toMatchObject({ ok: true, session: 's2' });
    expect(calls).toHaveLength(1);
  });

  it('who is gone before it begins asks nobody', async () => {
    const { gate, calls, verified } = slow();
    await expect(gate.authenticate(asks('session=s1; refresh=r1'), { signal: AbortSignal.abort(new Error('gone')) })).rejects.toThrow(
      'gone',
    );
    expect([calls, verified]).toEqual([[], []]);
  });

  it('a client that goes away ends its own verification', async () => {
    let seen: AbortSignal | undefined;
    const errors: unknown[] = [];
    const { gate } = slow({
      verify: (_session, { signal }) => {
        seen = signal;
        return new Promise<string>(() => {});
      },
      onError: (error) => errors.push(error),
    });
    const controller = new AbortController();
    const gone = gate.authenticate(asks('session=s1; refresh=r1'), { signal: controller.signal });
    await settled();
    controller.abort(new Error('gone'));
    await expect(gone).rejects.toThrow('gone');
    expect(seen?.aborted).toBe(true);
    expect(errors).toEqual([]);
  });

  it('verify that hangs: 503 after timeoutMs, and it is told', async () => {
    let seen: AbortSignal | undefined;
    const { gate, calls } = slow({
      timeoutMs: 2_000,
      verify: (_session, { signal }) => {
        seen = signal;
        return new Promise<string>(() => {});
      },
    });
    const waiting = gate.authenticate(asks('session=s1; refresh=r1'));
    await vi.advanceTimersByTimeAsync(1_999);
    expect(seen?.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await waiting).toMatchObject({ ok: false, answer: { status: 503 } });
    expect(seen?.aborted).toBe(true);
    // Nobody knows that the session is dead, so its refresh token is not used up.
    expect(calls).toHaveLength(0);
  });

  it('after reuseMs the old refresh token is asked about again', async () => {
    const { gate, calls } = slow({ reuseMs: 3_000 });
    const first = gate.authenticate(asks('refresh=r1'));
    await settled();
    calls[0]?.answer.resolve({ session: 's2' });
    await first;
    await vi.advanceTimersByTimeAsync(2_999);
    expect(await gate.authenticate(asks('refresh=r1'))).toMatchObject({ ok: true });
    expect(calls).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    void gate.authenticate(asks('refresh=r1'));
    await settled();
    expect(calls).toHaveLength(2);
  });

  it('with reuseMs 0 nothing is kept', async () => {
    const { gate, calls } = slow({ reuseMs: 0 });
    for (const count of [1, 2]) {
      const one = gate.authenticate(asks('refresh=r1'));
      await settled();
      calls[count - 1]?.answer.resolve({ session: 's2' });
      expect(await one).toMatchObject({ ok: true });
      expect(calls).toHaveLength(count);
    }
    expect(vi.getTimerCount()).toBe(0);
  });

  it('what is known is bounded: the oldest result goes, and no more than so many are under way', async () => {
    const { gate, calls } = slow({ limit: 2 });
    for (const token of ['r1', 'r2', 'r3']) {
      const one = gate.authenticate(asks(`refresh=${token}`));
      await settled();
      calls.at(-1)?.answer.resolve({ session: `s-${token}` });
      await one;
    }
    expect(vi.getTimerCount()).toBe(2);
    expect(await gate.authenticate(asks('refresh=r3'))).toMatchObject({ ok: true, session: 's-r3' });
    expect(await gate.authenticate(asks('refresh=r2'))).toMatchObject({ ok: true, session: 's-r2' });
    expect(calls).toHaveLength(3);
    const waiting = [gate.authenticate(asks('refresh=r1')), gate.authenticate(asks('refresh=r4'))];
    await settled();
    expect(calls).toHaveLength(5);
    expect(await gate.authenticate(asks('refresh=r5'))).toMatchObject({ ok: false, answer: { status: 503 } });
    expect(calls).toHaveLength(5);
    for (const call of calls.slice(3)) call.answer.resolve(undefined);
    for (const one of waiting) expect(await one).toMatchObject({ ok: false, answer: { status: 302 } });
  });

  it('no timer is left when all is over', async () => {
    const { gate, calls } = slow();
    const one = gate.authenticate(asks('session=dead; refresh=r1'));
    await settled();
    calls[0]?.answer.resolve({ session: 's2' });
    await one;
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(vi.getTimerCount()).toBe(0);
  });
});
