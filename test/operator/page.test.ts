import { describe, expect, it, vi } from 'vitest';

// The page's script has no types, and is no part of the program.
const module = (name: string) => import(/* @vite-ignore */ new URL(`../../src/operator/page/${name}.js`, import.meta.url).href);

const { applyMessage, createModel } = await module('model');
const { createMatcher, isFiltering, matchesEntry, parseFragment, printFragment } = await module('filter');
const { pageOf, placeHeld, selectRows } = await module('select');
const { actionsFor } = await module('actions');
const { explanationLines } = await module('explanation');
const { askExplanation } = await module('requests');
const { summarise } = await module('summary');
const { clockTime, counted, duration, entryDetail, EVENT_WORDS, printable, scopeWords, STATES, standingWords, stateWords } =
  await module('wording');

interface Row {
  key: string;
  slot: string;
  scope: { tenant?: string; session?: string; provider?: string; purpose?: string };
  state: string;
  fingerprint: string;
  lent?: string;
  why?: string;
  incident?: string;
  since?: number;
  refreshingSince?: number;
}

const row = (key: string, state: string, given: Partial<Row> = {}): Row => ({
  key,
  slot: 'session',
  scope: { session: key },
  state,
  fingerprint: `f-${key}`,
  ...given,
});
const byKey = (...rows: Row[]): Map<string, Row> => new Map(rows.map((one) => [one.key, one]));
const all = { states: [], tenant: '', provider: '', text: '' };
const keys = (rows: Map<string, Row>, filter: object = {}): string[] =>
  selectRows(rows, { ...all, ...filter }).selected.map(({ key }: Row) => key);

describe('the page’s copy of the rows', () => {
  it('is the state, and what has changed since', () => {
    const model = createModel();
    const say = (name: string, data: object): void => void applyMessage(model, name, data, 1_000);
    say('state', { at: 1_500, rows: [row('a', 'ready'), row('b', 'ready')], incidents: [], stats: {}, timeline: [{ id: 1 }] });
    say('rows', { at: 900, changed: [row('b', 'blocked'), row('c', 'held')], removed: ['a', 'unknown'] });
    say('incidents', [{ id: 'i' }]);
    say('entry', { id: 2 });
    expect([...(model.rows as Map<string, Row>)].map(([key, { state }]) => [key, state])).toEqual([
      ['b', 'blocked'],
      ['c', 'held'],
    ]);
    expect(model).toMatchObject({ skew: -100, incidents: [{ id: 'i' }], timeline: [{ id: 1 }, { id: 2 }] });
    for (let id = 3; id < 2_000; id++) say('entry', { id });
    expect(model.timeline).toHaveLength(500);
    expect(model.timeline.at(-1)).toEqual({ id: 1_999 });
    say('state', { at: 1_000, rows: [], incidents: [], stats: {}, timeline: [] });
    expect(model).toMatchObject({ rows: new Map(), timeline: [], incidents: [] });
  });
});

describe('which rows are shown', () => {
  const rows = byKey(
    row('ready', 'ready', { scope: { tenant: 'acme', session: 'ready', provider: 'openai' } }),
    row('borrowing', 'borrowing', { lent: 'abcdef', scope: { tenant: 'acme-eu', session: 'S-Borrowing' } }),
    row('old', 'blocked', { since: 1_000, scope: { tenant: 'Globex', session: 'old', provider: 'openai' } }),
    row('new', 'blocked', { since: 2_000, scope: { provider: '-', purpose: 'warm' } }),
    row('expired', 'expired', { scope: { session: 'expired', provider: 'anthropic' } }),
    row('held', 'held'),
  );

  it('the worst first, then what happened last', () => {
    expect(keys(rows)).toEqual(['new', 'old', 'held', 'expired', 'borrowing', 'ready']);
    const same = byKey(row('b', 'ready'), row('a', 'ready'));
    expect(keys(same)).toEqual(['a', 'b']);
    const refreshed = byKey(
      ...[row('early', 'refreshing', { since: 9, refreshingSince: 1 }), row('late', 'refreshing', { since: 8, refreshingSince: 2 })],
      ...[row('expired', 'expired'), row('retrying', 'auth_retrying'), row('blocked', 'blocked'), row('ready', 'ready')],
    );
    expect(keys(refreshed)).toEqual(['blocked', 'retrying', 'expired', 'late', 'early', 'ready']);
    expect(keys(refreshed, parseFragment('#state=auth_retrying+refreshing'))).toEqual(['retrying', 'late', 'early']);
  });

  it.each([
    [{ states: ['held', 'ready'] }, ['held', 'ready']],
    [{ tenant: 'acme' }, ['ready']],
    [{ tenant: 'ACM' }, ['borrowing', 'ready']],
    [{ tenant: 'globex' }, ['old']],
    [{ provider: '=openai' }, ['old', 'ready']],
    [{ provider: '=-' }, ['new']],
    [{ provider: '-' }, ['held', 'borrowing']],
    [{ text: ' s-borr ' }, ['borrowing']],
    [{ text: 'F-OLD' }, ['old']],
    [{ text: 'abcd' }, ['borrowing']],
    [{ text: 'openai' }, []],
    [{ provider: '=openai', states: ['ready'], text: 'r' }, ['ready']],
  ])('filtered by %o', (filter, expected) => {
    expect(keys(rows, filter)).toEqual(expected);
  });

  it('counts what the rest of the filter leaves, of every state', () => {
    const { counts, tenants, providers, hasPurposes } = selectRows(rows, { ...all, provider: '=openai', states: ['held'] });
    expect(counts).toEqual({
      blocked: { left: 1, all: 2 },
      held: { left: 0, all: 1 },
      expired: { left: 0, all: 1 },
      auth_retrying: { left: 0, all: 0 },
      refreshing: { left: 0, all: 0 },
      borrowing: { left: 0, all: 1 },
      ready: { left: 1, all: 1 },
    });
    expect(tenants).toEqual(new Set(['acme', 'acme-eu', 'Globex']));
    expect(providers).toEqual(new Set(['openai', undefined, '-', 'anthropic']));
    expect(hasPurposes).toBe(true);
  });

  it('page by page, and on the last if there are fewer by now', () => {
    const items = [...Array(101).keys()];
    expect(pageOf(items, 0, 50)).toMatchObject({ page: 0, last: 2, first: 0, items: items.slice(0, 50) });
    expect(pageOf(items, 7, 50)).toMatchObject({ page: 2, last: 2, first: 100, items: [100] });
    expect(pageOf([], 3, 50)).toMatchObject({ page: 0, last: 0, first: 0, items: [] });
  });

  it('leaves what is held where it is, also if it is gone', () => {
    expect(placeHeld(['x', 'a', 'b', 'c'], new Map([['b', 1]]))).toEqual(['x', 'b', 'a', 'c']);
    expect(placeHeld(['x', 'y'], new Map([['gone', 1]]))).toEqual(['x', 'gone', 'y']);
    const held = new Map([
      ['late', 9],
      ['a', 0],
    ]);
    expect(placeHeld(['late', 'b', 'a'], held)).toEqual(['a', 'b', 'late']);
  });
});

describe('the filter behind the #', () => {
  it.each([
    all,
    { states: ['blocked', 'ready'], tenant: 'a&b=#%', provider: '=x y', text: '<img>' },
    { ...all, provider: '-' },
    { ...all, provider: '=-' },
  ])('comes back as it was: %o', (filter) => {
    expect(parseFragment(`#${printFragment(filter)}`)).toEqual(filter);
    expect(isFiltering(filter)).toBe(filter !== all);
  });

  it('is nothing if somebody wrote nonsense there', () => {
    expect(parseFragment('#state=broken&provider=openai&constructor=1')).toEqual(all);
  });
});

describe('the timeline', () => {
  const matches = (filter: object) => createMatcher({ ...all, ...filter }, new Set(['acme']));

  it('is filtered like the rows; what is nobody’s is everybody’s', () => {
    const entry = { scope: { tenant: 'acme', session: 's', provider: 'openai' }, fingerprint: 'abc' };
    expect(matchesEntry(matches({ tenant: 'acme', text: 'ab' }), entry)).toBe(true);
    expect(matchesEntry(matches({ tenant: 'globex' }), entry)).toBe(false);
    expect(matchesEntry(matches({ provider: '=openai' }), { fingerprint: 'abc' })).toBe(false);
    expect(matchesEntry(matches({ provider: '=openai', text: 'x' }), { event: 'store', note: 'down' })).toBe(true);
  });

  it('tells what an event brings', () => {
    const entry = { status: 401, fingerprint: 'abc', end: 'fresh', note: 'a\nb', incident: 'i-1' };
    expect(entryDetail(entry)).toBe('status 401 · credential abc · a fresh credential · a\\u{a}b');
    expect(entryDetail({})).toBe('');
    expect([EVENT_WORDS.refreshed, EVENT_WORDS.refreshFailed, EVENT_WORDS.status]).toEqual(['Refreshed', 'Refresh failed', 'Status']);
  });
});

describe('what is said aloud', () => {
  const opened = { event: 'incident', scope: { provider: 'openai' }, fingerprint: 'abc', status: 401 };

  it('is incidents, and many of them as a number', () => {
    expect(summarise([opened])).toBe('Incident opened: openai, status 401, credential abc.');
    expect(summarise([opened, opened, { event: 'recovered' }])).toBe('2 incidents opened. Incident over.');
    expect(summarise([])).toBe('');
    expect(summarise([{ event: 'captured' }, { event: 'rejected' }])).toBe('');
  });
});

describe('what can be done', () => {
  const shared = 'f-shared';
  const lender = row('lender', 'blocked', {
    why: 'rejected',
    fingerprint: shared,
    scope: { tenant: 'acme', session: 's1', provider: 'openai' },
  });
  const rows = byKey(
    lender,
    row('other', 'blocked', { fingerprint: shared, scope: { tenant: 'acme', session: 's2' } }),
    row('borrower', 'borrowing', { lent: shared, scope: { tenant: 'globex', session: 's1' } }),
    row('purpose', 'blocked', { scope: { tenant: 'acme', session: 's1', provider: 'openai', purpose: 'p' } }),
    row('global', 'ready', { slot: 'global', scope: { provider: 'openai' } }),
    row('own', 'ready', { scope: { session: 'alone' } }),
  );
  const actions = (key: string): { verb: string; body: object; path: string; sentences: string[] }[] => actionsFor(rows.get(key), rows);

  it('is what there is something to do it to', () => {
    expect(actions('lender').map(({ path, body }) => [path, body])).toEqual([
      ['forgive', { fingerprint: shared }],
      ['forgive', { scope: lender.scope }],
      ['evict', { tenant: 'acme', session: 's1' }],
      ['evict', { tenant: 'acme' }],
    ]);
    expect(actions('global')).toEqual([]);
    // What a client said of its time is not forgiven away.
    expect(actionsFor(row('late', 'expired', { why: 'expired' }), rows).map(({ path }: { path: string }) => path)).toEqual(['evict']);
    expect(actionsFor(row('late', 'borrowing', { why: 'expired', lent: shared }), rows)).toHaveLength(1);
    // Its own is late, but what it would borrow was rejected.
    const late = row('late', 'expired', { why: 'expired', incident: 'i' });
    expect(actionsFor(late, rows).map(({ path, body }: { path: string; body: object }) => [path, body])).toEqual([
      ['forgive', { scope: late.scope }],
      ['evict', late.scope],
    ]);
    // Nothing but the pin is asked, so that is what there is to forgive.
    const behind = row('behind', 'blocked', { why: 'rejected', lent: 'f-pin' });
    expect(actionsFor(behind, rows)[0].body).toEqual({ fingerprint: 'f-pin' });
    expect(actions('own').map(({ path, body }) => [path, body])).toEqual([['evict', { session: 'alone' }]]);
  });

  it('names how much it is', () => {
    const [credential, , session, tenant] = actions('lender').map(({ sentences }) => sentences[0]);
    expect(credential).toContain('3 scopes here');
    expect(session).toBe('Session “s1” of tenant “acme” is forgotten, with all its providers and purposes: 2 scopes here.');
    expect(tenant).toContain('2 sessions here');
  });
});

describe('what is asked of the server', () => {
  it('is no other scope than the one that is shown: a query cannot hold half of a character', async () => {
    const asked: string[] = [];
    vi.stubGlobal('fetch', async (url: string) => {
      asked.push(url);
      return Response.json({ ok: true });
    });
    await expect(askExplanation({ session: 'ada\ud800' })).rejects.toThrow('half of a character');
    expect(asked).toEqual([]);
    await askExplanation({ tenant: 'a&b', session: '\u{1f600}' });
    expect(asked).toEqual(['explain?tenant=a%26b&session=%F0%9F%98%80']);
  });
});

describe('what a scope’s details say', () => {
  const now = 1_700_000_000_000;

  it('is why it works or not, credential by credential, and what would help', () => {
    const session = { source: 'session', fingerprint: 'abc', usable: false, reason: 'rejected', status: 401, since: now - 60_000 };
    const global = { source: 'global', fingerprint: 'def', usable: true };
    const lines = explanationLines({ ok: true, source: 'global', candidates: [session, global], otherProviders: [null, 'a\nb'] }, now);
    expect(lines).toEqual([
      'It works with the credential that its tenant lends it.',
      `session abc: rejected with 401 since ${clockTime(now - 60_000, now)} (1 min). What would help: a fresh credential from its client, a later success with this one, or forgiving it.`,
      'global def: usable',
      'The session holds credentials for: (no provider), a\\u{a}b.',
    ]);
  });

  it('is nothing that would not help', () => {
    const held = { source: 'session', fingerprint: 'abc', usable: false, reason: 'held', until: now + 60_000 };
    const pinned = { source: 'pinned', fingerprint: 'def', usable: false, reason: 'rejected' };
    const expired = { source: 'global', fingerprint: 'ghi', usable: false, reason: 'expired' };
    const latePin = { ...expired, source: 'pinned' };
    const lines = explanationLines({ ok: false, reason: 'held', candidates: [held, pinned, expired, latePin] }, now);
    expect(lines).toEqual([
      'It cannot work: what it has is held for a while.',
      `session abc: held until ${clockTime(now + 60_000, now)}. What would help: the end of the hold, another credential, or forgiving it.`,
      'pinned def: rejected. What would help: pinning another, or forgiving it.',
      'global ghi: expired. What would help: a fresh credential from its client.',
      // No client replaces a pin, and forgiving does not take back its time.
      'pinned ghi: expired. What would help: pinning another.',
    ]);
    expect(explanationLines({ ok: false, reason: 'missing', candidates: [] }, now)).toEqual([
      'It cannot work: no credential was presented for it.',
    ]);
  });
});

describe('what a scope’s details say of time', () => {
  const now = 1_700_000_000_000;
  const expired = { source: 'session', fingerprint: 'abc', usable: false, reason: 'expired', since: now - 1_000 };
  const about = (status: object): string[] =>
    explanationLines({ ok: false, reason: 'expired', candidates: [expired], status: { since: now - 61_000, ...status } }, now).slice(1, -1);

  it('is what a refresh would do for each credential, and why none will', () => {
    const words = (refresh: object, usable = false): string =>
      explanationLines({ ok: usable, source: 'session', reason: 'expired', candidates: [{ ...expired, usable, refresh }] }, now)[1];
    const next = now + 60_000;
    expect(words({ state: 'out' })).toContain('What would help: its refresh, which is under way, a fresh');
    expect(words({ state: 'possible' })).toContain('What would help: its refresh, which its next work asks for, a fresh');
    expect(words({ state: 'waiting', next })).toContain(`What would help: the next try to refresh it at ${clockTime(next, now)}, a fresh`);
    expect(words({ state: 'resting', next })).toContain(`may be asked for again at ${clockTime(next, now)}, a fresh`);
    expect(words({ state: 'refused', status: 400, code: 'invalid_grant' })).toMatch(
      /What would help: a fresh credential from its client\. Its refresh was refused \(400 invalid_grant\)\.$/,
    );
    expect(words({ state: 'refused', status: null, code: null })).toMatch(/ Its refresh was refused\.$/);
    expect(words({ state: 'refused', status: 400, code: 'invalid_grant' }, true)).toBe(
      'session abc: usable. Its refresh was refused (400 invalid_grant).',
    );
    expect(words({ state: 'possible', next }, true)).toBe('session abc: usable');
  });

  it('is that another credential is being fetched, and when next', () => {
    expect(about({ state: 'refreshing' })).toEqual([
      `The gateway has been fetching another credential since ${clockTime(now - 61_000, now)} (1 min).`,
    ]);
    expect(about({ state: 'auth_retrying', next: now + 5_000 })).toEqual([
      `The gateway has tried to fetch another credential, without success so far, since ${clockTime(now - 61_000, now)} (1 min).`,
      `Without anybody’s doing: next try at ${clockTime(now + 5_000, now)}.`,
    ]);
    expect(about({ state: 'blocked', next: now + 5_000 })).toEqual([
      `Without anybody’s doing: next try at ${clockTime(now + 5_000, now)}.`,
    ]);
    // A hold says itself until when it is, and what is past is no news.
    expect(about({ state: 'held', next: now + 5_000 })).toEqual([]);
    expect(about({ state: 'blocked', next: now })).toEqual([]);
  });

  it('is when a rejected one is put to the test, which is not when the rejection ends', () => {
    const rejected = { source: 'session', fingerprint: 'abc', usable: false, reason: 'rejected', since: now - 60_000, until: now + 60_000 };
    expect(explanationLines({ ok: false, reason: 'rejected', candidates: [rejected] }, now)[1]).toBe(
      `session abc: rejected since ${clockTime(now - 60_000, now)} (1 min). What would help: the test at ${clockTime(now + 60_000, now)}, a fresh credential from its client, a later success with this one, or forgiving it.`,
    );
  });

  it('is that the next call is a test', () => {
    const rejected = { source: 'session', fingerprint: 'abc', usable: false, reason: 'rejected', status: 401, since: now - 60_000 };
    const lines = explanationLines({ ok: true, source: 'session', candidates: [rejected], status: { state: 'ready' } }, now);
    expect(lines[0]).toBe('As a test, one call tries its own credential again.');
    expect(lines[1]).toMatch(/^session abc: rejected with 401/);
  });
});

describe('words', () => {
  it('for states', () => {
    expect(STATES.map(stateWords)).toEqual(['blocked', 'auth retrying', 'held', 'expired', 'refreshing', 'borrowing', 'ready']);
    expect(standingWords({ state: 'auth_retrying' })).toBe('auth retrying');
    expect(standingWords({ state: 'ready', probe: true })).toBe('ready, as a test');
  });

  const noon = new Date(2026, 2, 4, 12, 0, 0).getTime();

  it.each([
    [-5, '0 s'],
    [59_999, '59 s'],
    [60_000, '1 min'],
    [3 * 3_600_000 + 12 * 60_000, '3 h 12 min'],
    [50 * 3_600_000, '2 d 2 h'],
  ])('for %d ms', (ms, words) => {
    expect(duration(ms)).toBe(words);
  });

  it('for times and numbers', () => {
    expect(clockTime(noon - 5_000, noon)).toBe('11:59:55');
    expect(clockTime(noon - 24 * 3_600_000, noon)).toBe('2026-03-03 12:00:00');
    expect([counted(1, 'scope'), counted(10_000, 'scope')]).toEqual(['1 scope', '10,000 scopes']);
  });

  it('for names, whatever they hold', () => {
    expect(printable('a\u202eb\nc\u2028\u0000')).toBe('a\\u{202e}b\\u{a}c\\u{2028}\\u{0}');
    expect(printable('Ångström 日本 👍 <b>')).toBe('Ångström 日本 👍 <b>');
    expect(scopeWords({ session: 's', tenant: 't', provider: 'p', purpose: 'u' })).toBe('session “s” of tenant “t”, p, purpose “u”');
    expect(scopeWords({})).toBe('work of no session');
    expect(scopeWords({ tenant: 't', provider: 'p' })).toBe('tenant “t”, p');
  });
});
