import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { statusError, throwing } from '../support/attempts.js';
import { freezeTime, START } from '../support/clock.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

function make(): Latchkey {
  const latchkey = createLatchkey();
  latchkey.capture('s', bearer('token-a'));
  return latchkey;
}

/** When each call was sent, in milliseconds since the test began. */
function timed(answer: (call: number) => unknown): { at: number[]; attempt: () => Promise<unknown> } {
  const at: number[] = [];
  return {
    at,
    attempt: async () => {
      at.push(Date.now() - START);
      const given = answer(at.length);
      if (given instanceof Error) throw given;
      return given;
    },
  };
}

describe('run: failures that pass', () => {
  it('does not retry unless it is asked to', async () => {
    const latchkey = make();
    const error = statusError(503);
    const { at, attempt } = timed(() => error);
    await expect(latchkey.run('s', attempt)).rejects.toBe(error);
    await expect(latchkey.run('s', attempt, { transient: { retries: 0 } })).rejects.toBe(error);
    expect(at).toHaveLength(2);
    expect(latchkey.canRun('s')).toBe(true);
  });

  it('retries 408, 425, 429, 5xx and network failures, and gives the last error back, the same object', async () => {
    const latchkey = make();
    const reset = Object.assign(new Error('fetch failed'), { cause: Object.assign(new Error('reset'), { code: 'ECONNRESET' }) });
    const failures = [408, 425, 429, 500, 502, 503, 529].map((status) => statusError(status));
    for (const failure of [...failures, reset]) {
      const { at, attempt } = timed(() => failure);
      const run = latchkey.run('s', attempt, { transient: { retries: 2, minMs: 10 } }).catch((error: unknown) => error);
      await vi.advanceTimersByTimeAsync(1_000);
      expect(await run).toBe(failure);
      expect(at).toHaveLength(3);
    }
    expect(latchkey.canRun('s')).toBe(true);
    expect(latchkey.stats()).toMatchObject({ rejected: 0, running: 0, waiting: 0 });
  });

  it('doubles its pauses, stretched by up to as much again, up to `maxMs`', async () => {
    const latchkey = make();
    const { at, attempt } = timed(() => statusError(503));
    const run = latchkey.run('s', attempt, { transient: { retries: 5, minMs: 100, maxMs: 500 } }).catch(() => {});
    await vi.advanceTimersByTimeAsync(10_000);
    await run;
    const pauses = at.slice(1).map((time, i) => time - (at[i] as number));
    expect(pauses).toHaveLength(5);
    for (const [i, pause] of pauses.entries()) {
      expect(pause).toBeGreaterThanOrEqual(Math.min(100 * 2 ** i, 500));
      expect(pause).toBeLessThanOrEqual(Math.min(200 * 2 ** i, 500));
    }
  });

  it('case 37: Retry-After is honoured, in seconds and as a date', async () => {
    for (const header of ['7', new Date(START + 7_000).toUTCString()]) {
      vi.setSystemTime(START);
      const latchkey = make();
      const { at, attempt } = timed((call) => (call === 1 ? statusError(429, { 'retry-after': header }) : 'done'));
      const run = latchkey.run('s', attempt, { transient: { retries: 1, minMs: 100 } });
      await vi.advanceTimersByTimeAsync(6_900);
      expect(at).toHaveLength(1);
      await vi.advanceTimersByTimeAsync(500);
      await expect(run).resolves.toBe('done');
      expect(at[1]).toBeGreaterThanOrEqual(7_000);
    }
  });

  it('case 37: Retry-After is capped by `maxRetryAfterMs`', async () => {
    const latchkey = make();
    const { at, attempt } = timed((call) => (call === 1 ? statusError(429, { 'retry-after': '86400' }) : 'done'));
    const run = latchkey.run('s', attempt, { transient: { retries: 1, minMs: 100, maxRetryAfterMs: 5_000 } });
    await vi.advanceTimersByTimeAsync(5_500);
    await expect(run).resolves.toBe('done');
    expect(at[1]).toBeGreaterThanOrEqual(5_000);
  });

  it('case 37: a Retry-After past the deadline gives the original error at once', async () => {
    const latchkey = make();
    const error = statusError(429, { 'retry-after': '60' });
    const { at, attempt } = timed(() => error);
    const run = latchkey.run('s', attempt, { transient: { retries: 3 }, timeoutMs: 10_000 }).catch((thrown: unknown) => thrown);
    await vi.advanceTimersByTimeAsync(0);
    expect(await run).toBe(error);
    expect(at).toEqual([0]);
    expect(latchkey.stats()).toMatchObject({ running: 0 });
    expect(vi.getTimerCount()).toBeLessThanOrEqual(1); // the sweep for idle sessions
  });

  it('case 37: so does one past what is left of the deadline after earlier attempts', async () => {
    const latchkey = make();
    const error = statusError(429, { 'retry-after': '4' });
    const { at, attempt } = timed(() => error);
    const run = latchkey.run('s', attempt, { transient: { retries: 9, minMs: 100 }, timeoutMs: 10_000 }).catch((thrown: unknown) => thrown);
    await vi.advanceTimersByTimeAsync(9_900);
    expect(await run).toBe(error);
    expect(at).toHaveLength(3);
  });

  it('case 42: a returned 503 is retried when `transient` asks, the last one returned, unread', async () => {
    const latchkey = make();
    const answers = [1, 2, 3].map((n) => new Response(`busy ${n}`, { status: 503 }));
    const { at, attempt } = timed((call) => answers[call - 1]);
    const run = latchkey.run('s', attempt, { transient: { retries: 2, minMs: 10 } });
    await vi.advanceTimersByTimeAsync(1_000);
    const last = (await run) as Response;
    expect(at).toHaveLength(3);
    expect(last).toBe(answers[2]);
    expect(answers.map((answer) => answer.bodyUsed)).toEqual([true, true, false]);
    await expect(last.text()).resolves.toBe('busy 3');
  });

  it('case 42: a returned 503 is a value where `transient` does not ask', async () => {
    const latchkey = make();
    const answer = new Response('busy', { status: 503 });
    await expect(latchkey.run('s', () => answer)).resolves.toBe(answer);
    expect(answer.bodyUsed).toBe(false);
    expect(latchkey.canRun('s')).toBe(true);
  });

  it('a scope that is blocked after the back-off gives our error, not the transient one', async () => {
    const latchkey = make();
    const { attempt, sent } = throwing({ 'token-a': 503 });
    const run = latchkey.run('s', attempt, { transient: { retries: 3 } }).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(1);
    latchkey.evict('s');
    await vi.advanceTimersByTimeAsync(5_000);
    await expect(run).resolves.toMatchObject({ name: 'LatchkeyError', code: 'CREDENTIAL_MISSING' });
    expect(sent).toEqual(['token-a']);
  });

  it('and skips or parks where that is asked for', async () => {
    for (const whenBlocked of ['skip', 'park'] as const) {
      const latchkey = make();
      const { attempt, sent } = throwing({ 'token-a': 503 });
      const run = latchkey.run('s', attempt, { transient: { retries: 3 }, whenBlocked });
      await vi.advanceTimersByTimeAsync(1);
      latchkey.capture('s', bearer('token-a')).settle(401);
      await vi.advanceTimersByTimeAsync(5_000);
      if (whenBlocked === 'park') {
        expect(latchkey.stats()).toMatchObject({ parked: 1, waiting: 1 });
        latchkey.capture('s', bearer('token-b'));
      }
      expect(await run).toBe(whenBlocked === 'park' ? 'ok token-b' : undefined);
      expect(sent).toEqual(whenBlocked === 'park' ? ['token-a', 'token-b'] : ['token-a']);
      expect(latchkey.stats()).toMatchObject({ waiting: 0, running: 0 });
    }
  });

  it('what comes of the retries is what counts: another error ends them', async () => {
    const latchkey = make();
    const final = statusError(400);
    const { at, attempt } = timed((call) => (call < 3 ? statusError(503) : final));
    const run = latchkey.run('s', attempt, { transient: { retries: 9, minMs: 10 } }).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await run).toBe(final);
    expect(at).toHaveLength(3);
  });

  it('a plain string thrown by a retry passes through unchanged', async () => {
    const latchkey = make();
    let calls = 0;
    const run = latchkey
      .run(
        's',
        () => {
          calls++;
          throw calls === 1 ? statusError(503) : 'gone';
        },
        { transient: { retries: 2, minMs: 10 } },
      )
      .catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await run).toBe('gone');
    expect(calls).toBe(2);
  });
});
