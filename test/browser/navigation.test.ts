import { afterEach, describe, expect, it, vi } from 'vitest';
import { createFetchJson } from '../../src/browser/index.js';
import { freezeTime, settled } from '../support/clock.js';
import { envelope, fakeWindow } from './fake-window.js';

describe('a navigation that does not happen', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  const leaving = () => {
    freezeTime();
    const window = fakeWindow(() => envelope());
    return { window, call: createFetchJson({ window }) };
  };

  it('is tried again by a 401 that comes 5 s later; what had asked for it never settles', async () => {
    const { window, call } = leaving();
    const first = call('/api/1');
    await settled();
    await vi.advanceTimersByTimeAsync(4_999);
    const second = call('/api/2');
    await settled();
    expect(window.visited).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    // By itself it does nothing: the user may have chosen to stay.
    expect(window.visited).toHaveLength(1);
    let isOver = false;
    const over = () => {
      isOver = true;
    };
    for (const one of [first, second, call('/api/3'), call('/api/4')]) one.then(over, over);
    await settled();
    expect(isOver).toBe(false);
    expect(window.visited).toHaveLength(2);
  });

  it('has longer each time, up to a minute: a login page that is slow to answer is reached', async () => {
    const { window, call } = leaving();
    for (const seconds of [5, 10, 20, 40, 60, 60]) {
      void call('/api/1');
      await settled();
      const before = window.visited.length;
      await vi.advanceTimersByTimeAsync(seconds * 1_000 - 1);
      void call('/api/2');
      await settled();
      expect(window.visited).toHaveLength(before);
      await vi.advanceTimersByTimeAsync(1);
    }
    expect(window.visited).toHaveLength(6);
  });

  it('a page that came back from memory has the first wait again, and no timer of the time before', async () => {
    const { window, call } = leaving();
    void call('/api/1');
    await settled();
    await vi.advanceTimersByTimeAsync(4_000);
    window.show(true);
    expect(vi.getTimerCount()).toBe(0);
    void call('/api/2');
    await settled();
    await vi.advanceTimersByTimeAsync(4_000);
    void call('/api/3');
    await settled();
    expect(window.visited).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1_000);
    void call('/api/4');
    await settled();
    expect(window.visited).toHaveLength(3);
  });

  it('leaves no listener behind', async () => {
    const { window, call } = leaving();
    const [add, remove] = [vi.spyOn(window, 'addEventListener'), vi.spyOn(window, 'removeEventListener')];
    void call('/api/1');
    await settled();
    expect([add.mock.calls.length, remove.mock.calls.length]).toEqual([1, 0]);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(remove.mock.calls).toEqual(add.mock.calls);
    expect(vi.getTimerCount()).toBe(0);
  });
});
