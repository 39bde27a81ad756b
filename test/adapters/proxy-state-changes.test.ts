import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Exchange, Workload } from '../../src/adapters/proxy.js';
import { apiKey, bearer, createLatchkey, type Latchkey, type Scope } from '../../src/index.js';
import { freezeTime } from '../support/clock.js';
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

describe('a rejection is written at once', () => {
  const told = (): string[] => written.map(({ scope, state }) => `${scope.session ?? '-'} ${state}`);

  it('of every session that presented the credential', () => {
    open('shared').answered(200);
    open('shared', { session: 'other', provider: 'p' }).answered(200);
    open('own', { session: 'third', provider: 'p' }).answered(200);
    written = [];
    open('shared').answered(401);
    expect(told().sort()).toEqual(['other unauthenticated', 's unauthenticated']);
  });

  it('of a workload without session that lives on the credential', () => {
    monitor.started({ provider: 'p' });
    open('shared').answered(200);
    written = [];
    open('shared').answered(401);
    expect(told().sort()).toEqual(['- unauthenticated', 's unauthenticated']);
  });

  it('of every session that a pin serves', async () => {
    latchkey.pin({ provider: 'p' }, apiKey('own'));
    monitor.started(SCOPE);
    monitor.started({ session: 'other', provider: 'p' });
    written = [];
    await latchkey.run(SCOPE, () => new Response(null, { status: 401 }), { rejected: 'return' });
    expect(told().sort()).toEqual(['other unauthenticated', 's unauthenticated']);
  });

  it('but only where it holds: a 403 for one scope is not one for another', async () => {
    open('shared').answered(200);
    open('shared', { session: 'other', provider: 'p' }).answered(200);
    written = [];
    await latchkey.run(SCOPE, () => new Response(null, { status: 403 }), { rejected: 'return' });
    expect(told()).toEqual(['s unauthenticated']);
  });
});

describe('start-up', () => {
  it('(hole) never overwrites unauthenticated with running', () => {
    open('dead').answered(401);
    monitor.started(SCOPE);
    expect(monitor.workload(SCOPE).state).toBe('unauthenticated');
    expect(states()).toEqual(['unauthenticated']);
    latchkey.capture(SCOPE, bearer('fresh'));
    expect(states()).toEqual(['unauthenticated', 'running']);
  });

  it('that completes first is running, and then unauthenticated', () => {
    monitor.started(SCOPE);
    expect(states()).toEqual(['running']);
    open('dead').answered(401);
    monitor.started(SCOPE);
    expect(states()).toEqual(['running', 'unauthenticated']);
  });

  it('is not over for a 401 to a credential that the workload never held', () => {
    monitor = watch({ provisional: true });
    open('dead').answered(401);
    expect(monitor.workload(SCOPE).state).toBe('starting');
    expect(states()).toEqual([]);
  });

  it('nor for one that comes when the session has gone', () => {
    const exchange = open('dead');
    latchkey.evict({ session: 's' });
    exchange.answered(401);
    expect(states()).toEqual([]);
  });

  it('does not begin anew after a worker’s 401', async () => {
    open('token').answered(503);
    await latchkey.run(SCOPE, () => new Response(null, { status: 401 }), { rejected: 'return' });
    latchkey.capture(SCOPE, bearer('fresh'));
    expect(states()).toEqual(['unauthenticated', 'running']);
  });

  it('is not over for an answer that says nothing of the credential', () => {
    open('token').answered(503);
    expect(monitor.workload(SCOPE).state).toBe('starting');
    expect(states()).toEqual([]);
  });
});
