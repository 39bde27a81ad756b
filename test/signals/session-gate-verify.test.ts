import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createSessionGate, sessionCookies } from '../../src/signals/index.js';
import { freezeTime, settled } from '../support/clock.js';
import { type Deferred, deferred } from '../support/deferred.js';

const cookies = sessionCookies({ https: false });
const asks = (cookie: string) => ({ headers: { cookie }, url: '/x' });

describe('several session cookies', () => {
  beforeEach(freezeTime);
  afterEach(() => {
    vi.useRealTimers();
  });

  const verifying = () => {
    const calls = new Map<string, { signal: AbortSignal } & Deferred<string | undefined>>();
    const errors: unknown[] = [];
    const gate = createSessionGate<string>({
      cookies,
      verify: (session, { signal }) => {
        const answer = deferred<string | undefined>();
        calls.set(session, { signal, ...answer });
        return answer.promise;
      },
      onError: (error) => errors.push(error),
    });
    return { gate, calls, errors };
  };

  it('one that hangs does not delay a valid one after it', async () => {
    const { gate, calls } = verifying();
    const asking = gate.authenticate(asks('session=junk; session=good'));
    calls.get('good')?.resolve('ada');
    expect(await asking).toEqual({ ok: true, session: 'ada', setCookies: [] });
  });

  it('the first valid one ends the verification of the others: they are aborted, told to nobody, and leave no timer', async () => {
    const { gate, calls, errors } = verifying();
    const asking = gate.authenticate(asks('session=a; session=b; session=c'));
    calls.get('b')?.resolve('ada');
    expect(await asking).toMatchObject({ ok: true, session: 'ada' });
    expect(['a', 'b', 'c'].map((session) => calls.get(session)?.signal.aborted)).toEqual([true, false, true]);
    calls.get('a')?.reject(new Error('aborted'));
    await vi.advanceTimersByTimeAsync(6_000);
    expect([errors, vi.getTimerCount()]).toEqual([[], 0]);
  });

  it('what failed before the valid one is told', async () => {
    const { gate, calls, errors } = verifying();
    const asking = gate.authenticate(asks('session=a; session=b'));
    calls.get('a')?.reject(new Error('ECONNREFUSED'));
    await settled();
    calls.get('b')?.resolve('ada');
    expect(await asking).toMatchObject({ ok: true });
    expect(errors).toEqual([new Error('ECONNREFUSED')]);
  });

  it('of two that are valid at once, the one that the browser sent first counts', async () => {
    const { gate, calls } = verifying();
    const asking = gate.authenticate(asks('session=a; session=b'));
    calls.get('a')?.resolve('first');
    calls.get('b')?.resolve('second');
    expect(await asking).toMatchObject({ session: 'first' });
  });

  it('without a valid one all are waited for, and a doubt outweighs a no', async () => {
    const { gate, calls } = verifying();
    const asking = gate.authenticate(asks('session=a; session=b'));
    calls.get('a')?.resolve(undefined);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await asking).toMatchObject({ ok: false, answer: { status: 503 } });
  });

  it('a client that goes away ends them all, and leaves no listener on its signal', async () => {
    const { gate, calls, errors } = verifying();
    const client = new AbortController();
    const [add, remove] = [vi.spyOn(client.signal, 'addEventListener'), vi.spyOn(client.signal, 'removeEventListener')];
    const asking = gate.authenticate(asks('session=a; session=b'), { signal: client.signal });
    client.abort(new Error('gone'));
    await expect(asking).rejects.toThrow('gone');
    expect([...calls.values()].map(({ signal }) => signal.aborted)).toEqual([true, true]);
    await settled();
    expect(errors).toEqual([]);
    expect(add.mock.calls.length).toBeGreaterThan(0);
    expect(remove.mock.calls.length).toBe(add.mock.calls.length);
  });
});
