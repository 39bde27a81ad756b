import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createUnauthorizedMonitor, type Exchange, type Workload } from '../../src/adapters/proxy.js';
import { apiKey, bearer, createLatchkey, type Latchkey, type Scope } from '../../src/index.js';
import { freezeTime, manualClock, START } from '../support/clock.js';
import { openAt, SCOPE, type Watched, watchScopes } from './proxy-watched.js';

let latchkey: Latchkey;
let written: Workload[];
let monitor: Watched;

beforeEach(() => {
  freezeTime();
  latchkey = createLatchkey();
  written = [];
  monitor = watch();
});

afterEach(() => {
  vi.useRealTimers();
});

const watch = (options?: Parameters<typeof watchScopes>[2]): Watched =>
  watchScopes(latchkey, (workload) => void written.push(workload), options);
const open = (token: string, scope?: Scope): Exchange => openAt(monitor, token, scope);

const states = (): string[] => written.map(({ state }) => state);

describe("a workload's state", () => {
  it('is starting, running once the upstream says yes, unauthenticated once it says 401', () => {
    expect(monitor.workload(SCOPE)).toEqual({
      scope: SCOPE,
      state: 'starting',
      message: 'Starting.',
      since: START,
      fingerprint: undefined,
    });
    vi.setSystemTime(START + 1_000);
    open('token').answered(200);
    const { fingerprint } = bearer('token');
    const running = { scope: SCOPE, state: 'running', message: 'Running.', since: START + 1_000, fingerprint };
    expect(monitor.workload(SCOPE)).toEqual(running);
    vi.setSystemTime(START + 2_000);
    open('token').answered(200);
    expect(monitor.workload(SCOPE)).toEqual(running);
    open('token').answered(401);
    const message = 'The upstream rejected the credential with 401. Sign in again, or present a fresh one.';
    const dead = { scope: SCOPE, state: 'unauthenticated', message, since: START + 2_000, fingerprint };
    vi.setSystemTime(START + 3_000);
    expect(monitor.workload(SCOPE)).toEqual(dead);
    expect(written).toEqual([running, dead]);
  });

  it('is written once for any number of 401s', () => {
    const exchanges = Array.from({ length: 50 }, () => open('dead'));
    for (const exchange of exchanges) exchange.answered(401);
    for (let n = 0; n < 50; n++) open('dead').answered(401);
    expect(states()).toEqual(['unauthenticated']);
  });

  it('asking changes nothing', () => {
    const before = latchkey.snapshot();
    for (let n = 0; n < 3; n++) monitor.workload({ session: `s${n}` });
    expect(latchkey.snapshot()).toEqual(before);
    expect(written).toEqual([]);
  });

  it('is one for each scope: another session, provider or purpose stands on its own', () => {
    for (const scope of [SCOPE, { session: 't', provider: 'p' }, { session: 's', provider: 'q' }, 's', 't'])
      open(`token-${JSON.stringify(scope)}`, scope).answered(200);
    open('token-{"session":"s","provider":"p"}').answered(401);
    expect(written.filter(({ state }) => state === 'unauthenticated').map(({ scope }) => scope)).toEqual([SCOPE]);
    for (const scope of [{ session: 't', provider: 'p' }, { session: 's', provider: 'q' }, 's', 't'])
      expect(monitor.workload(scope).state).toBe('running');
  });

  it('is that of its own credential, not of what it could borrow', () => {
    latchkey.capture({ session: 'other', provider: 'p' }, bearer('alive'));
    open('dead').answered(401);
    latchkey.capture({ session: 'other', provider: 'p' }, bearer('alive'));
    expect(latchkey.canRun(SCOPE)).toBe(true);
    expect(monitor.workload(SCOPE).state).toBe('unauthenticated');
    latchkey.capture({ session: 'third', provider: 'p' }, bearer('dies')).settle(401);
    expect(monitor.workload({ session: 'empty', provider: 'p' }).state).toBe('starting');
  });

  it('of a workload without session is that of the global credential', () => {
    const scope = { provider: 'p' };
    open('dead', scope).answered(401);
    expect(states()).toEqual(['unauthenticated']);
    latchkey.capture(SCOPE, bearer('fresh'));
    expect(states()).toEqual(['unauthenticated', 'running']);
  });

  it('knows the aliases of a provider for one', () => {
    latchkey = createLatchkey({ canonicalProvider: (name) => name.replace('amazon-', '') });
    monitor = watch();
    open('dead', { session: 's', provider: 'amazon-bedrock' }).answered(401);
    expect(monitor.workload({ session: 's', provider: 'bedrock' }).state).toBe('unauthenticated');
    open('dead', { session: 's', provider: 'bedrock' }).answered(401);
    expect(states()).toEqual(['unauthenticated']);
  });
});

describe('re-armed', () => {
  it('(hole) by fresh auth, before its first answer', () => {
    open('old').answered(401);
    open('new');
    expect(states()).toEqual(['unauthenticated', 'running']);
    open('new').answered(401);
    expect(states()).toEqual(['unauthenticated', 'running', 'unauthenticated']);
  });

  it('(hole) by fresh auth that arrives elsewhere', () => {
    open('old').answered(401);
    latchkey.capture(SCOPE, bearer('new'));
    expect(states()).toEqual(['unauthenticated', 'running']);
  });

  it('(hole) by the first 2xx', () => {
    open('token').answered(401);
    open('token').answered(200);
    open('token').answered(200);
    expect(states()).toEqual(['unauthenticated', 'running']);
    open('token').answered(401);
    expect(states()).toEqual(['unauthenticated', 'running', 'unauthenticated']);
  });

  it('by a 2xx that another session got with the same credential', () => {
    open('shared').answered(401);
    open('shared', { session: 'other', provider: 'p' }).answered(200);
    expect(monitor.workload(SCOPE).state).toBe('running');
    expect(written.filter(({ scope }) => scope.session === 's').map(({ state }) => state)).toEqual(['unauthenticated', 'running']);
  });

  it("by a worker's 2xx; and marked by a worker's 401", async () => {
    open('token').answered(200);
    await latchkey.run(SCOPE, () => new Response(null, { status: 401 }), { whenBlocked: 'skip' });
    expect(states()).toEqual(['running', 'unauthenticated']);
    latchkey.capture(SCOPE, bearer('token')).settle(200);
    expect(states()).toEqual(['running', 'unauthenticated', 'running']);
  });

  it('by a pin, also of a purpose; what an operator forgives is written with the next answer', () => {
    open('dead').answered(401);
    const unpin = latchkey.pin({ provider: 'p' }, apiKey('own'));
    expect(states()).toEqual(['unauthenticated', 'running']);
    unpin();
    open('dead').answered(401);
    expect(states()).toEqual(['unauthenticated', 'running', 'unauthenticated']);
    latchkey.forgive(SCOPE);
    expect(monitor.workload(SCOPE).state).toBe('running');
    open('dead').answered(404);
    expect(states()).toEqual(['unauthenticated', 'running', 'unauthenticated', 'running']);
  });

  it('by a borrowed credential’s successor, however long the workload has been known', () => {
    monitor.started(SCOPE);
    latchkey.capture({ session: 'other', provider: 'p' }, bearer('lent'));
    const resolution = latchkey.resolve(SCOPE);
    if (!resolution.ok) throw new Error('blocked');
    monitor.open({ headers: { 'x-scope': JSON.stringify(SCOPE) } }, { lease: resolution.lease }).answered(401);
    latchkey.capture({ session: 'other', provider: 'p' }, bearer('fresh'));
    expect(states()).toEqual(['running', 'unauthenticated', 'running']);
  });

  it('not by the dead credential, presented again', () => {
    open('dead').answered(401);
    open('dead');
    open('dead').answered(404);
    expect(states()).toEqual(['unauthenticated']);
  });

  it('by a provisional capture only once it is committed', () => {
    monitor = watch({ provisional: true });
    latchkey.capture(SCOPE, bearer('dead'));
    open('dead').answered(401);
    const exchange = open('fresh');
    expect(monitor.workload(SCOPE).state).toBe('unauthenticated');
    exchange.answered(200);
    expect(monitor.workload(SCOPE).state).toBe('running');
    expect(states()).toContain('unauthenticated');
    expect(states().at(-1)).toBe('running');
  });
});

describe('late answers', () => {
  it('(hole) a late 401 of the old credential does not re-mark the new one', () => {
    const old = open('old');
    open('old').answered(401);
    open('new').answered(200);
    old.answered(401);
    expect(monitor.workload(SCOPE).state).toBe('running');
    expect(states()).toEqual(['unauthenticated', 'running']);
  });

  it('nor one that is the first to be heard of the old one', () => {
    const old = open('old');
    open('new');
    old.answered(401);
    expect(states()).toEqual(['running']);
  });

  it('a late 401 of a request sent before one that was accepted changes nothing', () => {
    const slow = open('token');
    open('token').answered(200);
    slow.answered(401);
    expect(states()).toEqual(['running']);
  });
});

describe('what is remembered', () => {
  it('goes with its session', () => {
    open('dead').answered(401);
    latchkey.evict({ session: 's' });
    expect(monitor.workload(SCOPE)).toMatchObject({ state: 'starting', fingerprint: undefined });
    open('dead').answered(401);
    expect(states()).toEqual(['unauthenticated', 'unauthenticated']);
  });

  it('stays when another session goes', () => {
    open('dead').answered(401);
    open('dead', { session: 't', provider: 'p' }).answered(401);
    latchkey.evict({ session: 't' });
    open('dead').answered(401);
    expect(written.filter(({ scope }) => scope.session === 's')).toHaveLength(1);
  });

  it('is bounded: the workload not heard of for longest goes first', () => {
    monitor = watch({ limit: 2 });
    for (const session of ['a', 'b', 'a', 'c', 'a', 'b']) open(`dead-${session}`, { session, provider: 'p' }).answered(401);
    expect(written.map(({ scope }) => scope.session)).toEqual(['a', 'b', 'c', 'b']);
  });

  it('has its times by the clock that it is given', () => {
    const clock = manualClock(1_000_000_000_000);
    latchkey = createLatchkey({ clock });
    monitor = watch({ clock });
    expect(monitor.workload(SCOPE).since).toBe(1_000_000_000_000);
    clock.advance(1);
    open('token').answered(200);
    clock.advance(1);
    open('token').answered(401);
    expect(written.map(({ since }) => since)).toEqual([1_000_000_000_001, 1_000_000_000_002]);
  });

  it('does not hang on a scope object that changes afterwards', () => {
    const scope = { session: 's', provider: 'p' };
    monitor.started(scope);
    scope.session = 'other';
    open('dead').answered(401);
    expect(states()).toEqual(['running', 'unauthenticated']);
  });

  it('two monitors share nothing', () => {
    const other: string[] = [];
    const second = createUnauthorizedMonitor(latchkey, { scope: () => SCOPE, onWorkload: ({ state }) => void other.push(state) });
    open('dead').answered(401);
    expect(other).toEqual([]);
    expect(second.workload(SCOPE).state).toBe('unauthenticated');
    second.open({ headers: { authorization: 'Bearer dead' } }).answered(401);
    expect(other).toEqual(['unauthenticated']);
    expect(states()).toEqual(['unauthenticated']);
  });

  it('is written when an eviction takes the credential that it lives on', () => {
    const work = { provider: 'p' };
    open('good', work).answered(200);
    latchkey.capture({ session: 't', provider: 'p' }, bearer('dead'));
    const resolution = latchkey.resolve(work);
    if (!resolution.ok) throw new Error('blocked');
    resolution.lease.settle(401);
    expect(states()).toEqual(['running', 'unauthenticated']);
    latchkey.evict({ session: 't' });
    expect([states().at(-1), monitor.workload(work).state]).toEqual(['running', 'running']);
  });
});
