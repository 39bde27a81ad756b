import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Latchkey, type LatchkeyOptions } from '../../src/index.js';
import { createFeed, type Feed } from '../../src/operator/feed.js';
import { incidentRows } from '../../src/operator/incident-rows.js';
import type { FeedMessage } from '../../src/operator/messages.js';
import { scopeRows } from '../../src/operator/rows.js';
import { createTimeline } from '../../src/operator/timeline.js';
import { throwing } from '../support/attempts.js';
import { freezeTime } from '../support/clock.js';
import { secretsIn } from '../support/secret-forms.js';
import { PageCopy } from './page-copy.js';

const A = bearer('feed-secret-a');
const B = bearer('feed-secret-b');
const S = { session: 's', provider: 'p' };

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

interface Watched {
  readonly latchkey: Latchkey;
  readonly feed: Feed;
  /** How often the rows were worked out. */
  readonly looks: () => number;
}

function watched(options: LatchkeyOptions = {}): Watched {
  const latchkey = createLatchkey({ canary: 'off', ...options });
  const snapshot = vi.fn(latchkey.snapshot);
  return { latchkey, feed: createFeed({ ...latchkey, snapshot }), looks: () => snapshot.mock.calls.length };
}

const pass = (ms: number): void => void vi.advanceTimersByTime(ms);
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const asRows = (latchkey: Latchkey): unknown => plain(scopeRows(latchkey));

describe('a page', () => {
  it('hears everything at once, then what happens as it happens, and what has changed soon after', () => {
    const { latchkey, feed } = watched();
    latchkey.capture(S, A);
    const page = new PageCopy(feed);
    expect(page.news()).toEqual(['state']);
    expect([...page.rows.values()]).toEqual(asRows(latchkey));
    expect(page.stats).toEqual(plain(latchkey.stats()));
    expect(page.entries.map(({ event }) => event)).toEqual(['captured']);

    latchkey.capture(S, B);
    latchkey.capture({ ...S, session: 't' }, A);
    latchkey.capture({ ...S, session: 'gone' }, A);
    latchkey.evict('gone');
    expect(page.news()).toEqual(['entry', 'entry', 'entry', 'entry']);
    expect(page.entries.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5]);
    pass(249);
    expect(page.news()).toEqual([]);
    pass(1);
    expect(page.news()).toEqual(['rows']);
    expect([...page.rows.values()]).toEqual(asRows(latchkey));
    latchkey.evict('t');
    pass(250);
    expect(page.news()).toEqual(['entry', 'rows']);
    expect([...page.rows.values()]).toEqual(asRows(latchkey));
  });

  it('is told of changes once for many, 250 ms apart however much happens', () => {
    const { latchkey, feed, looks } = watched();
    const page = new PageCopy(feed);
    pass(10_000);
    expect(looks()).toBe(11);
    for (let ms = 0; ms < 2_000; ms += 10) {
      latchkey.capture(`s-${ms}`, bearer(`value-${ms}`));
      pass(10);
    }
    expect(looks()).toBeLessThanOrEqual(11 + 2_000 / 250 + 1);
    expect(looks()).toBeGreaterThanOrEqual(11 + 2_000 / 250 - 1);
    expect(page.news().filter((event) => event === 'rows').length).toBeGreaterThan(5);
  });

  it('is told at the next turn where nothing has happened for a while', () => {
    const { latchkey, feed } = watched();
    const page = new PageCopy(feed);
    pass(700);
    latchkey.capture(S, A);
    page.news();
    pass(0);
    expect(page.news()).toEqual(['rows']);
  });

  it('is not worked for during more than a twentieth of the time', () => {
    const latchkey = createLatchkey();
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    // Working out the one row takes 20 ms.
    const slow: Latchkey = {
      ...latchkey,
      resolve(scope) {
        now += 20;
        return latchkey.resolve(scope);
      },
    };
    latchkey.pin({ provider: 'p' }, A);
    const page = new PageCopy(createFeed(slow));
    const advance = (ms: number): void => {
      now += ms;
      pass(ms);
    };
    latchkey.pin({ provider: 'p' }, B);
    page.news();
    advance(399);
    expect(page.news()).toEqual([]);
    advance(1);
    expect(page.news()).toEqual(['rows']);
  });

  it('sees a hold begin, and end, and a credential expire, and what is undone without an event', async () => {
    const { latchkey, feed } = watched();
    latchkey.capture(S, bearer('feed-secret-c', { expiresAt: Date.now() + 20_000 }));
    const page = new PageCopy(feed);
    const states = (): string[] => [...page.rows.values()].map(({ state }) => state);
    const found = latchkey.resolve(S);
    if (found.ok) found.lease.settle({ holdMs: 5_000 });
    pass(300);
    expect(states()).toEqual(['held', 'held']);
    pass(6_000);
    expect(states()).toEqual(['ready', 'ready']);
    pass(15_000);
    expect(states()).toEqual(['expired', 'expired']);
    latchkey.capture(S, bearer('feed-secret-c', { expiresAt: Date.now() + 20_000 }));
    pass(1_500);
    expect(states()).toEqual(['ready', 'ready']);
    const unpin = latchkey.pin({ provider: 'p' }, B);
    pass(1_500);
    expect(states()).toEqual(['borrowing', 'borrowing', 'ready']);
    unpin();
    pass(1_500);
    expect(states()).toEqual(['ready', 'ready']);
  });

  it('hears of incidents as they open and end, and what they count once a second', async () => {
    const { latchkey, feed } = watched();
    latchkey.capture(S, A);
    const page = new PageCopy(feed);
    const { attempt } = throwing({ 'feed-secret-a': 401 });
    const meet = (): Promise<unknown> => expect(latchkey.run(S, attempt)).rejects.toThrow();
    await meet();
    pass(250);
    expect(page.incidents).toMatchObject([{ scopeCount: 1, suppressed: 0 }]);
    page.news();
    const told: (number | undefined)[] = [];
    for (let ms = 0; ms < 3_000; ms += 250) {
      await meet();
      latchkey.capture(`s-${ms}`, bearer(`value-${ms}`));
      pass(250);
      if (page.news().includes('incidents')) told.push(page.incidents[0]?.suppressed);
    }
    expect(told).toEqual([4, 8, 12]);
    latchkey.capture(S, B);
    pass(250);
    expect(page.incidents).toEqual([]);
  });

  it('hears the stats once a second, if they have changed', () => {
    const { latchkey, feed } = watched();
    const page = new PageCopy(feed);
    const at: number[] = [];
    for (let ms = 250; ms <= 3_000; ms += 250) {
      latchkey.capture(`s-${ms}`, bearer(`value-${ms}`));
      pass(250);
      if (page.news().includes('stats')) at.push(ms);
    }
    expect(at).toEqual([1_000, 2_000, 3_000]);
    expect(page.stats).toEqual(plain(latchkey.stats()));
    pass(5_000);
    expect(page.news()).toEqual([]);
  });
});

describe('several listeners', () => {
  it('share what is worked out: one that comes later gets everything, the others the difference', () => {
    const { latchkey, feed, looks } = watched();
    const first = new PageCopy(feed);
    latchkey.capture(S, A);
    const second = new PageCopy(feed);
    expect([first.news(), second.news()]).toEqual([['state', 'entry', 'rows'], ['state']]);
    latchkey.capture(S, B);
    const before = looks();
    pass(250);
    expect(looks()).toBe(before + 1);
    for (const page of [first, second]) {
      expect([...page.rows.values()]).toEqual(asRows(latchkey));
      expect(page.entries.map(({ id }) => id)).toEqual([1, 2]);
    }
  });

  it('agree on what was counted, whenever they came', () => {
    const { latchkey, feed } = watched();
    const first = new PageCopy(feed);
    latchkey.capture(S, A);
    const second = new PageCopy(feed);
    expect(second.stats).toEqual(first.stats);
    pass(2_000);
    expect([first.stats, second.stats]).toEqual([plain(latchkey.stats()), plain(latchkey.stats())]);
  });

  it('to the timeline get entries only, and nothing is worked out for them', () => {
    const { latchkey, feed, looks } = watched();
    const heard: FeedMessage[] = [];
    const stop = feed.subscribe('timeline', (message) => void heard.push(message));
    latchkey.capture(S, A);
    expect(heard).toEqual([{ event: 'entry', data: expect.objectContaining({ id: 1, event: 'captured' }) }]);
    pass(5_000);
    expect([looks(), heard.length, vi.getTimerCount()]).toEqual([0, 1, 1]);
    stop();
    stop();
    latchkey.capture(S, B);
    expect(heard).toHaveLength(1);
  });

  it('share the text of a message, which is made when the first of them asks', () => {
    const { latchkey, feed } = watched();
    const texts: string[] = [];
    feed.subscribe('timeline', () => {});
    for (let count = 0; count < 3; count++) {
      feed.subscribe('timeline', (_message, text) => texts.push(text()));
      feed.subscribe('page', ({ event }, text) => event === 'rows' && texts.push(text()));
    }
    const made = vi.spyOn(JSON, 'stringify');
    latchkey.capture(S, A);
    pass(250);
    // Keys of rows are made with it too.
    const messages = made.mock.calls.filter(([value]) => !Array.isArray(value));
    expect(messages).toEqual([[expect.objectContaining({ id: 1 })], [expect.objectContaining({ removed: [] })]]);
    made.mockRestore();
    expect(texts).toHaveLength(6);
    expect([new Set(texts.slice(0, 3)).size, new Set(texts.slice(3)).size]).toEqual([1, 1]);
    expect(texts[0]).toMatch(/^event: entry\ndata: \{"id":1,.*\}\n\n$/);
    expect(texts[5]).toMatch(/^event: rows\ndata: \{.*\}\n\n$/);
  });

  it('lose only themselves when they throw', () => {
    const { latchkey, feed } = watched();
    const ended: string[] = [];
    const failing = (name: string, from: number): ((message: FeedMessage) => void) => {
      let count = 0;
      return () => {
        if (++count >= from) throw new Error(name);
      };
    };
    feed.subscribe('page', failing('at once', 1), () => {
      ended.push('at once');
      throw new Error('again');
    });
    const page = new PageCopy(feed);
    feed.subscribe('page', failing('later', 2), () => void ended.push('later'));
    feed.subscribe('timeline', failing('timeline', 1), () => void ended.push('timeline'));
    const last = new PageCopy(feed);
    expect(ended).toEqual(['at once']);
    latchkey.capture(S, A);
    expect(ended).toEqual(['at once', 'later', 'timeline']);
    pass(250);
    for (const copy of [page, last]) expect([...copy.rows.values()]).toEqual(asRows(latchkey));
    expect(latchkey.stats().errors).toBe(0);
  });

  it('may come and go while others are told', () => {
    const { latchkey, feed } = watched();
    const late: PageCopy[] = [];
    const first = new PageCopy(feed, ({ event }) => {
      if (event === 'rows') gone.stop();
      if (event === 'rows' && late.length < 2) late.push(new PageCopy(feed));
      if (event === 'entry' && late.length < 1) late.push(new PageCopy(feed));
    });
    const gone = new PageCopy(feed);
    latchkey.capture(S, A);
    latchkey.capture(S, B);
    pass(1_000);
    expect(late).toHaveLength(2);
    for (const copy of [first, ...late]) {
      expect([...copy.rows.values()]).toEqual(asRows(latchkey));
      expect(copy.entries.map(({ id }) => id)).toEqual([1, 2]);
    }
    // The page that the first entry brought had the others told what had changed, and so it was stopped.
    expect(gone.news()).toEqual(['state']);
  });

  it('may be brought by what is asked while the rows are worked out', () => {
    const late: PageCopy[] = [];
    let feed: Feed | undefined;
    const latchkey = createLatchkey({
      fallback: () => {
        if (feed !== undefined && late.length === 0) late.push(new PageCopy(feed));
        latchkey.capture({ session: 'asked', provider: 'p' }, bearer(`value-${late.length}`));
        return true;
      },
    });
    latchkey.capture(S, A);
    const found = latchkey.resolve(S);
    latchkey.capture({ ...S, session: 't' }, B);
    if (found.ok) found.lease.settle(401);
    feed = createFeed(latchkey);
    const page = new PageCopy(feed);
    expect(late).toHaveLength(1);
    expect(late[0]?.news()).toEqual(['state']);
    pass(500);
    for (const copy of [page, ...late]) expect([...copy.rows.values()].map(({ scope }) => scope.session)).toContain('asked');
  });
});

describe('a feed', () => {
  it('costs nothing but its timeline once nobody listens, and begins anew for the next', () => {
    const { latchkey, feed, looks } = watched();
    const timers = vi.getTimerCount();
    const page = new PageCopy(feed);
    expect(vi.getTimerCount()).toBe(timers + 1);
    latchkey.capture(S, A);
    page.stop();
    const before = looks();
    expect(vi.getTimerCount()).toBe(timers + 1);
    pass(10_000);
    latchkey.capture(S, B);
    pass(10_000);
    expect([looks(), page.news()]).toEqual([before, ['state', 'entry']]);
    const next = new PageCopy(feed);
    expect([...next.rows.values()]).toEqual(asRows(latchkey));
    expect(next.entries.map(({ id }) => id)).toEqual([1, 2]);
    // What the last page was told is not kept for the next.
    next.stop();
    latchkey.capture(S, A);
    expect(new PageCopy(feed).stats).toEqual(plain(latchkey.stats()));
  });

  it('tells once why pages cannot be told, and again if that comes back', () => {
    const latchkey = createLatchkey();
    const failures: unknown[] = [];
    let failure: Error | undefined = new Error('no snapshot');
    const broken: Latchkey = {
      ...latchkey,
      snapshot() {
        if (failure !== undefined) throw failure;
        return latchkey.snapshot();
      },
    };
    const page = new PageCopy(createFeed(broken, { failed: (error) => failures.push(error) }));
    pass(5_000);
    expect([page.news(), failures]).toEqual([[], [failure]]);
    failure = undefined;
    pass(1_000);
    expect(page.news()).toEqual(['state']);
    failure = new Error('nor now');
    pass(5_000);
    expect(failures).toHaveLength(2);
  });

  it('ends its listeners, listens to nothing and times nothing once it is closed', () => {
    const latchkey = createLatchkey();
    const hearing = new Set<object>();
    const counted: Latchkey = {
      ...latchkey,
      on(event, listener) {
        const off = latchkey.on(event, listener);
        hearing.add(off);
        return () => {
          hearing.delete(off);
          off();
        };
      },
    };
    const feed = createFeed(counted);
    expect(hearing.size).toBe(14);
    let ended = 0;
    const page = new PageCopy(feed);
    feed.subscribe(
      'page',
      () => {},
      () => void ended++,
    );
    const stop = feed.subscribe(
      'timeline',
      () => {},
      () => void ended++,
    );
    stop();
    feed.close();
    feed.close();
    expect([ended, hearing.size, vi.getTimerCount()]).toEqual([1, 0, 0]);
    latchkey.capture(S, A);
    const late = vi.fn();
    feed.subscribe('page', late)();
    expect([page.news(), late.mock.calls]).toEqual([['state'], []]);
  });

  it('tells the timeline that it is given, and leaves it open', () => {
    const latchkey = createLatchkey();
    const timeline = createTimeline(latchkey);
    let hearing = 0;
    const feed = createFeed(latchkey, {
      timeline: {
        ...timeline,
        onEntry(listener) {
          hearing++;
          const off = timeline.onEntry(listener);
          return () => {
            hearing--;
            off();
          };
        },
      },
    });
    latchkey.capture(S, A);
    expect(hearing).toBe(0);
    const page = new PageCopy(feed);
    const other = new PageCopy(feed);
    expect(page.entries).toEqual(plain(timeline.entries()));
    page.stop();
    expect(hearing).toBe(1);
    other.stop();
    expect(hearing).toBe(0);
    const last = new PageCopy(feed);
    feed.close();
    expect(hearing).toBe(0);
    latchkey.capture(S, B);
    expect([timeline.entries().length, last.entries.length]).toEqual([2, 1]);
  });

  it('goes on when a look fails, also the first', () => {
    const latchkey = createLatchkey();
    let failing = true;
    const feed = createFeed({
      ...latchkey,
      snapshot() {
        if (failing) throw new Error('a clock that throws');
        return latchkey.snapshot();
      },
    });
    const page = new PageCopy(feed);
    latchkey.capture(S, A);
    pass(3_400);
    expect(page.news()).toEqual([]);
    failing = false;
    pass(250);
    expect(page.news()).toEqual(['state']);
    expect(page.entries).toHaveLength(1);
    failing = true;
    latchkey.capture(S, B);
    pass(1_000);
    failing = false;
    pass(1_000);
    expect(page.news()).toEqual(['entry', 'rows', 'stats']);
    page.stop();
    pass(10_000);
    expect(page.news()).toEqual([]);
  });

  it('tells no value of a credential', async () => {
    const { latchkey, feed } = watched();
    const told: string[] = [];
    latchkey.capture(S, A);
    new PageCopy(feed, (message) => void told.push(JSON.stringify(message)));
    await expect(latchkey.run(S, throwing({ 'feed-secret-a': 401 }).attempt)).rejects.toThrow();
    latchkey.capture(S, B);
    pass(1_500);
    latchkey.pin({ provider: 'p' }, A);
    pass(1_500);
    expect(told.map((text) => text.slice(0, 16)).join()).toContain('stats');
    expect(incidentRows(latchkey)).toEqual([]);
    expect(secretsIn(told.join('\n'), ['feed-secret-a', 'feed-secret-b'])).toEqual([]);
  });
});
