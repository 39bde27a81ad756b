import { afterEach, describe, expect, it, vi } from 'vitest';
import { createSessionGate, type RefreshedTokens, type SessionGateOptions, sessionCookies } from '../../src/signals/index.js';
import { freezeTime, settled } from '../support/clock.js';
import { type Deferred, deferred } from '../support/deferred.js';

const cookies = sessionCookies({ https: false });
const set = (session: string, refresh?: string): string[] => cookies.set(session, refresh);
const asks = (cookie: string) => ({ headers: { cookie }, url: '/x' });
const unavailable = { ok: false, answer: { status: 503 } };
const refused = { ok: false, answer: { status: 302 } };

/** Waits 5 s, keeps for 10 s: a call is given up 15 s after it began. */
function slow(rules: Partial<SessionGateOptions<string>> = {}) {
  freezeTime();
  const calls: ({ signal: AbortSignal } & Deferred<RefreshedTokens | undefined>)[] = [];
  const errors: unknown[] = [];
  const gate = createSessionGate<string>({
    cookies,
    verify: (session) => (session.startsWith('s') ? session : undefined),
    refresh: (_token, { signal }) => {
      const answer = deferred<RefreshedTokens | undefined>();
      calls.push({ signal, ...answer });
      return answer.promise;
    },
    onError: (error) => errors.push(error),
    ...rules,
  });
  return { gate, calls, errors };
}

describe('a refresh that takes longer than those who asked for it wait', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('503 after timeoutMs, each request by its own; it is one call, told of once', async () => {
    const { gate, calls, errors } = slow();
    const first = Promise.all([gate.authenticate(asks('refresh=r1')), gate.authenticate(asks('refresh=r1'))]);
    await vi.advanceTimersByTimeAsync(4_000);
    let isOver = false;
    const joined = gate.authenticate(asks('refresh=r1')).finally(() => {
      isOver = true;
    });
    await vi.advanceTimersByTimeAsync(1_000);
    for (const one of await first) expect(one).toMatchObject(unavailable);
    await vi.advanceTimersByTimeAsync(3_999);
    expect(isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await joined).toMatchObject(unavailable);
    expect(calls).toHaveLength(1);
    expect(calls[0]?.signal.aborted).toBe(false);
    expect(errors).toEqual([new Error('no answer within 5000 ms')]);
  });

  it('who comes later joins it, and gets what it gives', async () => {
    const { gate, calls } = slow();
    const first = gate.authenticate(asks('refresh=r1'));
    await vi.advanceTimersByTimeAsync(6_000);
    expect(await first).toMatchObject(unavailable);
    const later = gate.authenticate(asks('refresh=r1'));
    await settled();
    calls[0]?.resolve({ session: 's2', refresh: 'r2' });
    expect(await later).toEqual({ ok: true, session: 's2', setCookies: set('s2', 'r2') });
    expect(calls).toHaveLength(1);
  });

  it('(hole) tokens that come after the time is over are there for who heeds Retry-After', async () => {
    const { gate, calls } = slow();
    const first = gate.authenticate(asks('refresh=r1'));
    await vi.advanceTimersByTimeAsync(5_000);
    const denied = await first;
    const retryAfter = denied.ok ? Number.NaN : Number(denied.answer.headers['Retry-After']);
    calls[0]?.resolve({ session: 's2', refresh: 'r2' });
    await vi.advanceTimersByTimeAsync(retryAfter * 1_000);
    expect(await gate.authenticate(asks('refresh=r1'))).toMatchObject({ ok: true, setCookies: set('s2', 'r2') });
    expect(calls).toHaveLength(1);
  });

  it('a refusal that comes after the time is over is one', async () => {
    const { gate, calls } = slow();
    void gate.authenticate(asks('refresh=r1'));
    await vi.advanceTimersByTimeAsync(6_000);
    calls[0]?.resolve(undefined);
    await settled();
    expect(await gate.authenticate(asks('refresh=r1'))).toMatchObject(refused);
    expect(calls).toHaveLength(1);
  });

  it('counts against `limit` until it settles', async () => {
    const { gate, calls } = slow({ limit: 1 });
    void gate.authenticate(asks('refresh=r1'));
    await vi.advanceTimersByTimeAsync(14_999);
    expect(await gate.authenticate(asks('refresh=r2'))).toMatchObject(unavailable);
    expect(calls).toHaveLength(1);
    calls[0]?.reject(new Error('ECONNRESET'));
    await settled();
    void gate.authenticate(asks('refresh=r2'));
    await settled();
    expect(calls).toHaveLength(2);
  });

  it('is given up reuseMs later: its place is free, its signal aborted, and the next request asks again', async () => {
    const { gate, calls, errors } = slow({ limit: 1 });
    void gate.authenticate(asks('refresh=r1'));
    await vi.advanceTimersByTimeAsync(14_999);
    expect(calls[0]?.signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(calls[0]?.signal.aborted).toBe(true);
    expect([vi.getTimerCount(), errors.length]).toEqual([0, 1]);
    void gate.authenticate(asks('refresh=r1'));
    await settled();
    expect(calls).toHaveLength(2);
  });

  it('with reuseMs 0 it is given up at once', async () => {
    const { gate, calls, errors } = slow({ reuseMs: 0 });
    const first = gate.authenticate(asks('refresh=r1'));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await first).toMatchObject(unavailable);
    expect([calls[0]?.signal.aborted, vi.getTimerCount(), errors.length]).toEqual([true, 0, 1]);
  });

  describe('given up, and then it answers', () => {
    const givenUp = async () => {
      const { gate, calls, errors } = slow();
      void gate.authenticate(asks('refresh=r1'));
      await vi.advanceTimersByTimeAsync(15_000);
      return { gate, calls, errors };
    };

    it('its tokens are kept where nothing newer is known', async () => {
      const { gate, calls } = await givenUp();
      calls[0]?.resolve({ session: 's2', refresh: 'r2' });
      await settled();
      expect(await gate.authenticate(asks('refresh=r1'))).toMatchObject({ ok: true, setCookies: set('s2', 'r2') });
      expect(calls).toHaveLength(1);
    });

    it('a newer call that is refused, since the tokens are used up, or fails gets them', async () => {
      for (const outcome of ['refused', 'failed', 'silent'] as const) {
        const { gate, calls } = await givenUp();
        const again = gate.authenticate(asks('refresh=r1'));
        await settled();
        calls[0]?.resolve({ session: 's2', refresh: 'r2' });
        await settled();
        if (outcome === 'refused') calls[1]?.resolve(undefined);
        else if (outcome === 'failed') calls[1]?.reject(new Error('ECONNRESET'));
        else await vi.advanceTimersByTimeAsync(5_000);
        expect(await again, outcome).toMatchObject({ ok: true, setCookies: set('s2', 'r2') });
      }
    });

    it('newer tokens stay', async () => {
      const { gate, calls } = await givenUp();
      const again = gate.authenticate(asks('refresh=r1'));
      await settled();
      calls[1]?.resolve({ session: 's3', refresh: 'r3' });
      expect(await again).toMatchObject({ ok: true, session: 's3' });
      calls[0]?.resolve({ session: 's2', refresh: 'r2' });
      await settled();
      expect(await gate.authenticate(asks('refresh=r1'))).toMatchObject({ ok: true, session: 's3' });
    });

    it('a newer refusal does not: the older call has used the token up, and its tokens are good', async () => {
      const { gate, calls } = await givenUp();
      const again = gate.authenticate(asks('refresh=r1'));
      await settled();
      calls[1]?.resolve(undefined);
      expect(await again).toMatchObject(refused);
      calls[0]?.resolve({ session: 's2', refresh: 'r2' });
      await settled();
      expect(await gate.authenticate(asks('refresh=r1'))).toMatchObject({ ok: true, session: 's2' });
    });

    it('a newer result replaces it', async () => {
      const { gate, calls } = await givenUp();
      const again = gate.authenticate(asks('refresh=r1'));
      await settled();
      calls[0]?.resolve({ session: 's2', refresh: 'r2' });
      await settled();
      calls[1]?.resolve({ session: 's3', refresh: 'r3' });
      expect(await again).toMatchObject({ session: 's3' });
      expect(await gate.authenticate(asks('refresh=r1'))).toMatchObject({ session: 's3' });
    });

    it('a refusal says nothing: the newer call may have used the token up', async () => {
      const { gate, calls } = await givenUp();
      const again = gate.authenticate(asks('refresh=r1'));
      await settled();
      calls[0]?.resolve(undefined);
      await settled();
      const joined = gate.authenticate(asks('refresh=r1'));
      await settled();
      calls[1]?.resolve({ session: 's2' });
      for (const one of await Promise.all([again, joined])) expect(one).toMatchObject({ ok: true, session: 's2' });
    });

    it('one that cannot be used, or fails, disturbs nobody', async () => {
      for (const outcome of ['odd', 'failed'] as const) {
        const { gate, calls, errors } = await givenUp();
        if (outcome === 'odd') calls[0]?.resolve({ session: 'not a cookie' });
        else calls[0]?.reject(new Error('AbortError'));
        // An unhandled rejection would fail the run.
        await settled();
        expect(errors).toHaveLength(1);
        void gate.authenticate(asks('refresh=r1'));
        await settled();
        expect(calls).toHaveLength(2);
      }
    });
  });
});

describe('refused refresh tokens', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('do not push renewed ones out of memory', async () => {
    freezeTime();
    const asked: string[] = [];
    const gate = createSessionGate<string>({
      cookies,
      limit: 3,
      verify: (session) => session,
      refresh: (token) => {
        asked.push(token);
        return token === 'r1' ? { session: 's2', refresh: 'r2' } : undefined;
      },
    });
    await gate.authenticate(asks('refresh=r1'));
    for (let tossed = 0; tossed < 10; tossed++) expect(await gate.authenticate(asks(`refresh=tossed${tossed}`))).toMatchObject(refused);
    expect(await gate.authenticate(asks('refresh=r1'))).toMatchObject({ ok: true, session: 's2' });
    expect(asked.filter((token) => token === 'r1')).toHaveLength(1);
    // They are kept as well, and bounded by themselves.
    await gate.authenticate(asks('refresh=tossed9'));
    expect([asked.length, vi.getTimerCount()]).toEqual([11, 4]);
  });
});
