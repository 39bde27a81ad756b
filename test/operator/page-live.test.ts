import { describe, expect, it, vi } from 'vitest';

// The page's script has no types, and is no part of the program.
const { keepLive } = await import(/* @vite-ignore */ new URL('../../src/operator/page/live.js', import.meta.url).href);

describe('the event stream', () => {
  class FakeSource extends EventTarget {
    readyState = 1;
    closed = false;
    close(): void {
      this.closed = true;
    }
    say(name: string, data: unknown): void {
      this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data) }));
    }
    lose(readyState: number): void {
      this.readyState = readyState;
      this.dispatchEvent(new Event('error'));
    }
  }

  function start(statuses: readonly number[]) {
    const sources: FakeSource[] = [];
    const asked = [...statuses];
    const pauses: number[] = [];
    const clock = { at: 0 };
    const seen = { told: [] as unknown[][], heard: [] as string[], left: 0 };
    const live = keepLive({
      open: () => {
        const source = new FakeSource();
        sources.push(source);
        return source;
      },
      ask: async () => asked.shift(),
      hear: (name: string) => seen.heard.push(name),
      tell: (...told: unknown[]) => seen.told.push(told),
      leave: () => seen.left++,
      now: () => clock.at,
      later: (begin: () => void, ms: number) => {
        pauses.push(ms);
        begin();
      },
    });
    return { sources, pauses, clock, seen, live, last: () => sources.at(-1) as FakeSource };
  }

  it('is heard by name; while the browser comes back by itself, nothing is asked', () => {
    const { last, seen, sources } = start([]);
    for (const name of ['state', 'rows', 'incidents', 'stats', 'entry']) last().say(name, {});
    expect(seen.heard).toEqual(['state', 'rows', 'incidents', 'stats', 'entry']);
    last().lose(0);
    expect(seen.told.at(-1)).toEqual([false]);
    last().say('state', {});
    expect(seen.told.at(-1)).toEqual([true]);
    expect(sources).toHaveLength(1);
  });

  it('says nothing of a stream that the server has ended and that is back at once', () => {
    const waiting: (() => void)[] = [];
    const sources: FakeSource[] = [];
    const told: boolean[] = [];
    const open = (): FakeSource => {
      sources.push(new FakeSource());
      return sources.at(-1) as FakeSource;
    };
    keepLive({
      open,
      ask: async () => 200,
      hear: () => {},
      tell: (live: boolean) => told.push(live),
      leave: () => {},
      later: (fire: () => void) => waiting.push(fire),
    });
    const [source] = sources as [FakeSource];
    source.lose(0);
    source.say('state', {});
    for (const fire of waiting.splice(0)) fire();
    expect(told).toEqual([true]);
    source.lose(0);
    for (const fire of waiting.splice(0)) fire();
    expect(told).toEqual([true, false]);
  });

  it.each([401, 302])('leads to the login on a %d', async (status) => {
    const { last, seen, pauses } = start([status]);
    last().lose(2);
    await vi.waitFor(() => expect(seen.left).toBe(1));
    expect(pauses).toEqual([]);
  });

  it('otherwise tries again with a growing pause, and says what the server answers', async () => {
    const { last, seen, pauses, sources } = start([503, 0, 200, 200, 200, 200, 200, 200]);
    for (let count = 1; count <= 7; count++) {
      last().lose(2);
      await vi.waitFor(() => expect(sources).toHaveLength(count + 1));
    }
    expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    expect(seen.told.slice(0, 2)).toEqual([[false], [false, 503]]);
    expect(sources.slice(0, -1).every(({ closed }) => closed)).toBe(true);
    last().say('state', {});
    last().lose(2);
    await vi.waitFor(() => expect(pauses.at(-1)).toBe(1_000));
    expect(seen.left).toBe(0);
  });

  it('begins anew when it has said nothing for long', () => {
    const { clock, live, last, sources } = start([]);
    clock.at = 100_000;
    last().say('stats', {});
    clock.at = 219_000;
    live.look();
    expect(sources).toHaveLength(1);
    clock.at = 221_000;
    live.look();
    live.look();
    expect(sources).toHaveLength(2);
    expect(sources[0]?.closed).toBe(true);
  });
});
