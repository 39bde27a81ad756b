import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FleetCoordinator } from '../../src/fleet/coordinator.js';
import { Names } from '../../src/fleet/names.js';
import { bearer, createLatchkey, type LatchkeyOptions } from '../../src/index.js';
import type { Coordinator, IncidentClaim, IncidentEnding, IncidentOf } from '../../src/ledger/store.js';
import { throwing } from '../support/attempts.js';
import { freezeTime, settled } from '../support/clock.js';
import { coordinatedStore } from '../support/coordinated.js';
import { type Deferred, deferred } from '../support/deferred.js';
import { hearAll, named } from '../support/heard.js';
import { MemoryStore } from '../support/memory-carrier.js';
import { QUIET_LINK } from '../support/quiet-link.js';
import { recordingReporter } from '../support/reporter.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const TOKEN = bearer('token-a');

type Options = Omit<LatchkeyOptions, 'store' | 'reporter'> & { readonly reporter?: ReturnType<typeof recordingReporter> };

function start(coordinator: Coordinator, { reporter = recordingReporter(), ...options }: Options = {}) {
  const latchkey = createLatchkey({ fallback: 'none', canary: 'off', reporter, ...options, store: coordinatedStore(coordinator) });
  const heard = hearAll(latchkey);
  return {
    latchkey,
    reporter,
    heard,
    /** Its work with the credential is rejected. */
    async die(value = 'token-a', provider = 'p'): Promise<void> {
      const scope = { session: `s-${value.at(-1)}`, provider };
      latchkey.capture(scope, bearer(value));
      await latchkey.run(scope, throwing({ [value]: 401 }).attempt).catch(() => {});
    },
    heal(value = 'token-a'): void {
      latchkey.forgive(bearer(value).fingerprint);
    },
    openings: () => reporter.openings.map(({ id }) => id),
    endings: () => reporter.endings.map(({ id }) => id),
    suppressed: () => named(heard, 'suppressed').map((event) => (event as { why: string }).why),
  };
}

/** A process whose coordinator is asked, and answered by the test. */
function asked(options: Options = {}) {
  const enters: { id: string; of: IncidentOf; answer: Deferred<IncidentClaim> }[] = [];
  const leaves: Deferred<IncidentEnding>[] = [];
  const ends: (((id: string) => void) | undefined)[] = [];
  const coordinator: Coordinator = {
    claimRefresh: async () => ({ state: 'down' }),
    claimCanary: async () => ({ state: 'down' }),
    enterIncident(of, id) {
      const answer = deferred<IncidentClaim>();
      enters.push({ id, of, answer });
      return answer.promise;
    },
    leaveIncident(_, tellEnd) {
      const answer = deferred<IncidentEnding>();
      leaves.push(answer);
      ends.push(tellEnd);
      return answer.promise;
    },
  };
  const enter = async (state: IncidentClaim['state'], id = enters.at(-1)?.id ?? ''): Promise<void> => {
    enters.at(-1)?.answer.resolve({ state, id });
    await settled();
  };
  const leave = async (state: IncidentEnding['state'], id?: string): Promise<void> => {
    leaves.at(-1)?.resolve({ state, id });
    await settled();
  };
  return { ...start(coordinator, options), enters, leaves, ends, enter, leave };
}

describe('an incident in a fleet', () => {
  it('is told by the process that is first, once it knows that it is', async () => {
    const one = asked();
    await one.die();
    expect(one.openings()).toEqual([]);
    expect(named(one.heard, 'incident')).toHaveLength(1);
    expect(named(one.heard, 'blocked')).toHaveLength(1);
    await one.enter('acquired');
    expect(one.openings()).toEqual([one.enters[0]?.id]);
    expect(one.reporter.openings[0]).toMatchObject({ fingerprint: TOKEN.fingerprint, status: 401 });
    expect(one.latchkey.stats()).toMatchObject({ incidents: 1, reports: 1, reportsSuppressed: 0 });
    await one.die();
    expect(one.enters).toHaveLength(1);
    one.heal();
    expect(named(one.heard, 'recovered')).toHaveLength(1);
    expect(one.endings()).toEqual([]);
    await one.leave('last', one.enters[0]?.id);
    expect(one.endings()).toEqual(one.openings());
  });

  it('is not told where it is held; its events are told all the same', async () => {
    const one = asked();
    await one.die();
    await one.enter('held', 'theirs');
    expect(one.openings()).toEqual([]);
    expect(named(one.heard, 'suppressed')).toEqual([{ incident: one.enters[0]?.id, why: 'elsewhere' }]);
    expect(one.latchkey.stats()).toMatchObject({ incidents: 1, openIncidents: 1, reports: 0, reportsSuppressed: 1 });
    one.heal();
    await one.leave('others', 'theirs');
    expect(one.endings()).toEqual([]);
    expect(named(one.heard, 'recovered')).toHaveLength(1);
  });

  it('the last to be rid of it tells the end, under the id it was told by', async () => {
    const one = asked();
    await one.die();
    await one.enter('held', 'theirs');
    one.heal();
    await one.leave('last', 'theirs');
    expect(one.reporter.endings).toEqual([
      expect.objectContaining({
        id: 'theirs',
        end: 'proof',
        fingerprint: TOKEN.fingerprint,
        scopes: [{ session: 's-a', provider: 'p' }],
      }),
    ]);
  });

  it('the first tells no end while others have it', async () => {
    const one = asked();
    await one.die();
    await one.enter('acquired');
    one.heal();
    await one.leave('others', one.enters[0]?.id);
    expect(one.openings()).toHaveLength(1);
    expect(one.endings()).toEqual([]);
  });

  it('evicted as the last, it has no end to be told', async () => {
    const one = asked();
    await one.die();
    await one.enter('held', 'theirs');
    one.latchkey.evict('s-a');
    await one.leave('last', 'theirs');
    expect(one.endings()).toEqual([]);
  });

  it('without the store it is one process’s: opened and ended there', async () => {
    const one = asked();
    await one.die();
    await one.enter('down');
    one.heal();
    await one.leave('down');
    expect(one.openings()).toEqual([one.enters[0]?.id]);
    expect(one.endings()).toEqual(one.openings());
  });

  it('the store is lost in between: who told the opening tells the end, who did not does not', async () => {
    const [one, two] = [asked(), asked()];
    await one.die();
    await one.enter('acquired');
    await two.die();
    await two.enter('held', one.enters[0]?.id);
    one.heal();
    two.heal();
    await one.leave('down');
    await two.leave('down', one.enters[0]?.id);
    expect(one.endings()).toEqual(one.openings());
    expect(two.endings()).toEqual([]);
  });
});

describe('over before it is known who tells it', () => {
  it.each<[IncidentClaim['state'], IncidentEnding['state'], string]>([
    ['acquired', 'last', 'grace'],
    ['down', 'down', 'grace'],
    ['held', 'others', 'elsewhere'],
  ])('%s, %s: nothing is told, and it is left again', async (claim, ending, why) => {
    const one = asked();
    await one.die();
    one.heal();
    expect(one.leaves).toHaveLength(0);
    await one.enter(claim, claim === 'held' ? 'theirs' : undefined);
    await one.leave(ending, claim === 'held' ? 'theirs' : undefined);
    expect(one.leaves).toHaveLength(1);
    expect([...one.openings(), ...one.endings()]).toEqual([]);
    expect(one.suppressed()).toEqual([why]);
  });

  it('held and the last by then: somebody told the opening, so the end is told', async () => {
    const one = asked();
    await one.die();
    one.heal();
    await one.enter('held', 'theirs');
    await one.leave('last', 'theirs');
    expect(one.endings()).toEqual(['theirs']);
  });

  it('acquired, and others have it by then: they rely on its having been told', async () => {
    const one = asked();
    await one.die();
    one.heal();
    await one.enter('acquired');
    await one.leave('others', one.enters[0]?.id);
    expect(one.openings()).toEqual([one.enters[0]?.id]);
    expect(one.reporter.openings[0]?.endedAt).toBeUndefined();
    expect(one.endings()).toEqual([]);
    expect(one.leaves).toHaveLength(1);
  });

  it('the next incident of the same credential asks only when the one before has been left', async () => {
    const one = asked();
    await one.die();
    one.heal();
    await one.die();
    await settled();
    expect(one.enters).toHaveLength(1);
    await one.enter('acquired');
    expect(one.enters).toHaveLength(1);
    await one.leave('last', one.enters[0]?.id);
    expect(one.enters).toHaveLength(2);
    await one.enter('acquired');
    expect(one.openings()).toEqual([one.enters[1]?.id]);
  });

  it('one that is over before its turn is not asked about', async () => {
    const one = asked();
    await one.die();
    one.heal();
    await one.die();
    one.heal();
    await one.enter('acquired');
    await one.leave('last', one.enters[0]?.id);
    expect(one.enters).toHaveLength(1);
    expect(one.leaves).toHaveLength(1);
    expect(one.suppressed()).toEqual(['grace', 'grace']);
  });

  it('another credential’s incident waits for none of that', async () => {
    const one = asked();
    await one.die();
    await one.die('token-b');
    expect(one.enters).toHaveLength(2);
  });
});

describe('limits', () => {
  it('with a grace the fleet is asked when it is over, and not for what it spared', async () => {
    const one = asked({ report: { graceMs: 5_000 } });
    await one.die();
    await one.die('token-b');
    await vi.advanceTimersByTimeAsync(4_999);
    one.heal('token-b');
    expect(one.enters).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(one.enters).toHaveLength(1);
    expect(one.suppressed()).toEqual(['grace']);
    await one.enter('acquired');
    expect(one.openings()).toEqual([one.enters[0]?.id]);
    expect(one.leaves).toHaveLength(0);
  });

  it('perHour holds though many are asked about at once; a place that was not needed is free again', async () => {
    const one = asked({ report: { perHour: 2 } });
    for (let n = 0; n < 4; n++) await one.die(`token-${n}`, `p${n}`);
    expect(one.enters).toHaveLength(4);
    const answer = async (n: number, state: IncidentClaim['state'], id: string): Promise<void> => {
      one.enters[n]?.answer.resolve({ state, id });
      await settled();
    };
    await answer(0, 'held', 'theirs');
    for (const n of [1, 2, 3]) await answer(n, 'acquired', one.enters[n]?.id ?? '');
    expect(one.openings()).toHaveLength(2);
    expect(one.suppressed()).toEqual(['elsewhere', 'per-hour']);
  });

  it('nobody tells the end of what the first did not tell by itself', async () => {
    const one = asked({ report: { perHour: 0 } });
    await one.die();
    expect(one.enters[0]?.id).toMatch(/^-/);
    await one.enter('acquired');
    expect(one.suppressed()).toEqual(['per-hour']);
    const two = asked();
    await two.die();
    await two.enter('held', one.enters[0]?.id);
    one.heal();
    two.heal();
    await one.leave('others', one.enters[0]?.id);
    await two.leave('last', one.enters[0]?.id);
    expect([one, two].flatMap((each) => [...each.openings(), ...each.endings()])).toEqual([]);
  });

  it('so many at one provider are told as one by the process that was the first for them', async () => {
    const store = new MemoryStore({ clock: { now: () => Date.now() } });
    const report = { providerWideAfter: { identities: 2, withinMs: 600_000 } };
    const [one, two] = [start(shared(store), { report }), start(shared(store), { report })];
    const values = ['token-0', 'token-1', 'token-2', 'token-3'];
    for (const value of values) {
      await one.die(value);
      await two.die(value);
    }
    await settled();
    expect(one.reporter.openings.map(({ kind }) => kind)).toEqual(['identity', 'identity', 'provider']);
    expect(two.openings()).toEqual([]);
    expect(two.suppressed()).toEqual(Array(4).fill('elsewhere'));
    for (const value of values) one.heal(value);
    await settled();
    expect(one.endings()).toEqual([one.openings()[2]]);
    for (const value of values) two.heal(value);
    await settled();
    expect(two.endings()).toEqual(one.openings().slice(0, 2));
  });
});

describe('so many at one provider', () => {
  const report = { providerWideAfter: { identities: 1, withinMs: 600_000 } };

  /** The second is the one too many. */
  async function wide(options: Options = {}) {
    const one = asked({ report, ...options });
    await one.die('token-a');
    await one.enter('acquired');
    await one.die('token-b');
    await one.enter('acquired');
    return one;
  }

  it('are told by the process that is first, once it knows that it is, and not asked about again', async () => {
    const one = await wide();
    expect(one.enters.map(({ of }) => of.fingerprint)).toEqual([bearer('token-a').fingerprint, bearer('token-b').fingerprint, undefined]);
    expect(one.enters[2]?.of.provider).toBe('p');
    expect(one.openings()).toEqual([one.enters[0]?.id]);
    await one.die('token-c');
    await one.enter('acquired');
    // Answered the one of token-c: its provider's is still asked about.
    expect(one.enters).toHaveLength(4);
    one.enters[2]?.answer.resolve({ state: 'acquired', id: one.enters[2].id });
    await settled();
    expect(one.reporter.openings[1]).toMatchObject({ id: one.enters[2]?.id, kind: 'provider', provider: 'p', fingerprint: undefined });
    expect(one.suppressed()).toEqual(['provider-wide']);
    expect(one.latchkey.stats()).toMatchObject({ incidents: 3, reports: 2, reportsSuppressed: 1 });
  });

  it('are told once in the fleet, and their end by whoever is the last to be rid of them', async () => {
    const store = new MemoryStore({ clock: { now: () => Date.now() } });
    const all = [start(shared(store), { report }), start(shared(store), { report }), start(shared(store), { report })];
    const values = Array.from({ length: 12 }, (_, n) => `token-${'abcdefghijkl'[n]}`);
    for (const [n, value] of values.entries()) {
      for (let k = 0; k < all.length; k++) {
        await all[(n + k) % all.length]?.die(value);
        await settled();
      }
    }
    const told = (what: 'openings' | 'endings') => all.flatMap(({ reporter }) => reporter[what]).filter(({ kind }) => kind === 'provider');
    expect(told('openings')).toHaveLength(1);
    expect(told('endings')).toEqual([]);
    for (const [n, one] of all.entries()) {
      expect(told('endings')).toEqual([]);
      for (const value of values) one.heal(value);
      await settled();
      expect(one.reporter.endings.filter(({ kind }) => kind === 'provider')).toHaveLength(n === all.length - 1 ? 1 : 0);
    }
    // About the same, as the last one has seen it.
    expect(told('endings')).toEqual([expect.objectContaining({ id: told('openings')[0]?.id, provider: 'p', end: 'proof', scopeCount: 4 })]);
    const openings = all.flatMap((one) => one.openings());
    expect(all.flatMap((one) => one.endings()).sort()).toEqual(openings.sort());
  });

  it('held: nothing is told, and its place among the reports is free again', async () => {
    const one = await wide({ report: { ...report, perHour: 2 } });
    await one.enter('held', 'theirs');
    expect(one.openings()).toHaveLength(1);
    expect(one.suppressed()).toEqual(['elsewhere']);
    expect(named(one.heard, 'suppressed')).toEqual([{ incident: one.enters[1]?.id.slice(1), why: 'elsewhere' }]);
    await one.die('token-x', 'another');
    await one.enter('acquired');
    expect(one.openings()).toHaveLength(2);
    one.heal('token-b');
    await one.leave('others', one.enters[1]?.id);
    await one.leave('last', 'theirs');
    expect(one.reporter.endings).toEqual([expect.objectContaining({ id: 'theirs', kind: 'provider', end: 'proof', scopeCount: 1 })]);
  });

  it('without the store each process tells and ends its own', async () => {
    const one = await wide();
    await one.enter('down');
    one.heal('token-b');
    await one.leave('last', one.enters[1]?.id);
    await one.leave('down');
    expect(one.endings()).toEqual([one.enters[2]?.id]);
    expect(one.openings()).toEqual([one.enters[0]?.id, one.enters[2]?.id]);
  });

  it('over before it is known who tells it: nothing is, and the next are told', async () => {
    const one = await wide();
    one.heal('token-b');
    await one.leave('last', one.enters[1]?.id);
    await one.enter('acquired');
    await one.leave('last', one.enters[2]?.id);
    expect(one.openings()).toHaveLength(1);
    expect(named(one.heard, 'suppressed')).toEqual([{ incident: one.enters[1]?.id.slice(1), why: 'grace' }]);
    await one.die('token-b');
    await one.enter('acquired');
    expect(one.enters).toHaveLength(5);
    await one.enter('acquired');
    expect(one.reporter.openings.map(({ kind }) => kind)).toEqual(['identity', 'provider']);
  });

  it('all evicted they have no end to be told', async () => {
    const one = await wide();
    await one.enter('held', 'theirs');
    one.latchkey.evict('s-b');
    await one.leave('last', one.enters[1]?.id);
    await one.leave('last', 'theirs');
    expect(one.endings()).toEqual([]);
    expect(one.ends).toEqual([undefined, undefined]);
  });
});

describe('the others die with it open', () => {
  it.each<[IncidentClaim['state'], string | undefined, string]>([
    ['acquired', undefined, 'its own'],
    ['held', 'theirs', 'theirs'],
  ])('%s: the end is told when that falls to this process, under the id it was told by', async (state, id, whose) => {
    const one = asked();
    await one.die();
    await one.enter(state, id);
    one.heal();
    await one.leave('others', id ?? one.enters[0]?.id);
    expect(one.endings()).toEqual([]);
    one.ends[0]?.(id ?? one.enters[0]?.id ?? '');
    expect(one.endings()).toEqual([whose === 'theirs' ? 'theirs' : one.enters[0]?.id]);
    expect(one.reporter.endings[0]).toMatchObject({ end: 'proof', fingerprint: TOKEN.fingerprint });
  });

  it.each<[string, IncidentClaim['state'], string | undefined, Options, (one: ReturnType<typeof asked>) => void]>([
    ['evicted', 'acquired', undefined, {}, ({ latchkey }) => latchkey.evict('s-a')],
    ['not told by the first', 'held', '-theirs', {}, (one) => one.heal()],
    ['not told here', 'acquired', undefined, { report: { perHour: 0 } }, (one) => one.heal()],
  ])('%s: there is no end to tell', async (_, state, id, options, end) => {
    const one = asked(options);
    await one.die();
    await one.enter(state, id);
    end(one);
    await one.leave('others', id ?? one.enters[0]?.id);
    expect(one.ends).toEqual([undefined]);
  });

  it('closed by then, this process tells nothing', async () => {
    const one = asked();
    await one.die();
    await one.enter('acquired');
    one.heal();
    await one.leave('others', one.enters[0]?.id);
    await one.latchkey.close({ timeoutMs: 0 });
    one.ends[0]?.(one.enters[0]?.id ?? '');
    expect(one.endings()).toEqual([]);
  });

  it('a member that was killed: the survivor tells the end a minute later', async () => {
    const store = new MemoryStore({ clock: { now: () => Date.now() } });
    const coordinators = [shared(store), shared(store)] as const;
    const [one, two] = [start(coordinators[0]), start(coordinators[1])];
    await one.die();
    await settled();
    await two.die();
    await settled();
    coordinators[0].close();
    two.heal();
    await settled();
    expect(two.endings()).toEqual([]);
    await vi.advanceTimersByTimeAsync(61_000);
    expect([one.openings(), two.openings(), one.endings(), two.endings()]).toEqual([[two.endings()[0]], [], [], one.openings()]);
  });

  it('a rolling restart tells neither the incident nor its end again', async () => {
    const store = new MemoryStore({ clock: { now: () => Date.now() } });
    const all: ReturnType<typeof start>[] = [];
    for (let n = 0; n < 3; n++) {
      const coordinator = shared(store);
      const one = start(coordinator);
      all.push(one);
      await one.die();
      await settled();
      if (n === 2) break;
      await one.latchkey.close({ timeoutMs: 0 });
      coordinator.close();
      await vi.advanceTimersByTimeAsync(30_000);
    }
    all[2]?.heal();
    await vi.advanceTimersByTimeAsync(5 * 61_000);
    expect(all.map((one) => one.openings().length)).toEqual([1, 0, 0]);
    expect(all.map((one) => one.endings())).toEqual([[], [], all[0]?.openings()]);
  });
});

describe('what goes on meanwhile', () => {
  it('a reporter that brings fresh auth at the news has it ended at once', async () => {
    const reporter = recordingReporter();
    const store = new MemoryStore({ clock: { now: () => Date.now() } });
    const one = start(shared(store), {
      reporter: {
        ...reporter,
        opened(incident) {
          reporter.opened(incident);
          one.heal();
        },
      },
    });
    await one.die();
    await settled();
    expect(reporter.endings.map(({ id }) => id)).toEqual(reporter.openings.map(({ id }) => id));
    expect(reporter.endings).toHaveLength(1);
  });

  it('closing waits for what is being decided, and tells it', async () => {
    const one = asked();
    await one.die();
    await one.die('token-b');
    one.enters[0]?.answer.resolve({ state: 'acquired', id: one.enters[0].id });
    await settled();
    one.heal();
    const closed = one.latchkey.close({ timeoutMs: 1_000 });
    await settled();
    one.enters[1]?.answer.resolve({ state: 'acquired', id: one.enters[1].id });
    one.leaves[0]?.resolve({ state: 'last', id: one.enters[0]?.id });
    await settled();
    await closed;
    expect(one.openings()).toEqual(one.enters.map(({ id }) => id));
    expect(one.endings()).toEqual([one.enters[0]?.id]);
  });

  it('what is decided after that is told to nobody', async () => {
    const one = asked();
    await one.die();
    const closed = one.latchkey.close({ timeoutMs: 1_000 });
    await vi.advanceTimersByTimeAsync(1_000);
    await closed;
    await one.enter('acquired');
    expect(one.openings()).toEqual([]);
    expect(one.leaves).toHaveLength(0);
  });

  it('a clock that throws leaves nothing unhandled, and the incident is left in the end', async () => {
    let broken = false;
    const clock = {
      now: () => {
        if (broken) throw new Error('no time');
        return Date.now();
      },
    };
    const one = asked({ clock, report: { perHour: 0 } });
    await one.die();
    broken = true;
    await one.enter('acquired');
    broken = false;
    expect(one.openings()).toEqual([]);
    one.heal();
    await one.leave('last', one.enters[0]?.id);
    expect(one.leaves).toHaveLength(1);
    expect(one.endings()).toEqual([]);
  });

  it('holds no credential’s value, wherever it is told', async () => {
    const store = new MemoryStore({ clock: { now: () => Date.now() } });
    const all = [start(shared(store)), start(shared(store))];
    for (const one of all) await one.die();
    for (const one of all) one.heal();
    await settled();
    const told = JSON.stringify(all.map(({ heard, reporter }) => [heard, reporter.openings, reporter.endings]));
    expect(told).toContain(TOKEN.fingerprint);
    expect(told).not.toContain('token-a');
  });
});

/** A process's coordinator on a store that works. */
function shared(store: MemoryStore): FleetCoordinator {
  const carrier = store.carrier();
  return new FleetCoordinator({
    ...QUIET_LINK,
    carrier,
    names: new Names(new Uint8Array(32), 'app'),
    isUp: () => true,
    release: () => {},
    fetch: async () => {},
  });
}

/** A process's way to a store on which questions and answers are as slow as the test likes, each in its order. */
function slow(store: MemoryStore) {
  const carrier = store.carrier();
  const waiting: Deferred<void>[] = [];
  const pause = (): Promise<void> => {
    const gate = deferred();
    waiting.push(gate);
    return gate.promise;
  };
  let questions: Promise<unknown> = Promise.resolve();
  let answers: Promise<unknown> = Promise.resolve();
  const ask = async <T>(question: () => Promise<T>): Promise<T> => {
    const asking = questions.then(pause).then(question);
    questions = asking;
    const answering = Promise.all([asking, answers]).then(pause);
    answers = answering;
    await answering;
    return asking;
  };
  const coordinator = new FleetCoordinator({
    ...QUIET_LINK,
    carrier: {
      lock: (...args) => ask(() => carrier.lock(...args)),
      unlock: (...args) => ask(() => carrier.unlock(...args)),
      enter: (...args) => ask(() => carrier.enter(...args)),
      leave: (...args) => ask(() => carrier.leave(...args)),
    },
    names: new Names(new Uint8Array(32), 'app'),
    isUp: () => true,
    release: () => {},
    fetch: async () => {},
  });
  return {
    coordinator,
    /** Something moves on: a question arrives, or an answer. */
    async move(which: number): Promise<boolean> {
      const gate = waiting.splice(which % Math.max(waiting.length, 1), 1)[0];
      gate?.resolve();
      await settled(2);
      return gate !== undefined;
    },
  };
}

const VALUES = ['token-a', 'token-b', 'token-c', 'token-d'];
const PROCESSES = 3;
const anyProcess = fc.nat({ max: PROCESSES - 1 });
const anyStep = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('die' as const, 'heal' as const), who: anyProcess, value: fc.constantFrom(...VALUES) }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('move' as const), who: anyProcess, which: fc.nat({ max: 5 }) }) },
);
const LOUD = { perHour: 100_000, providerWideAfter: { identities: 1_000, withinMs: 1 } };
const QUIET = { perHour: 5, providerWideAfter: { identities: 2, withinMs: 600_000 } };

describe('L6: whatever the order in which processes meet it, are rid of it, ask and are answered', () => {
  const property = (report: NonNullable<LatchkeyOptions['report']>, values: number, exact: boolean) =>
    fc.assert(
      fc.asyncProperty(fc.array(anyStep, { minLength: 5, maxLength: 60, size: 'max' }), async (steps) => {
        const store = new MemoryStore({ clock: { now: () => Date.now() } });
        const ways = Array.from({ length: PROCESSES }, () => slow(store));
        const all = ways.map(({ coordinator }) => start(coordinator, { report }));
        const told = () => ({ opened: all.flatMap((one) => one.openings()), ended: all.flatMap((one) => one.endings()) });
        for (const step of steps) {
          const who = all[step.who] as (typeof all)[number];
          if (step.do === 'move') await ways[step.who]?.move(step.which);
          else if (VALUES.indexOf(step.value) >= values) continue;
          else if (step.do === 'die') await who.die(step.value);
          else who.heal(step.value);
        }
        const arrive = async (): Promise<void> => {
          await settled();
          for (let moved = true; moved; ) {
            moved = false;
            for (const way of ways) while (await way.move(0)) moved = true;
          }
        };
        await arrive();
        const { opened, ended } = told();
        expect(new Set(opened).size).toBe(opened.length);
        expect(new Set(ended).size).toBe(ended.length);
        for (const id of ended) expect(opened).toContain(id);
        if (exact) {
          // What has been told and not ended is open somewhere, and what is open has been told.
          for (const value of VALUES) {
            const { fingerprint } = bearer(value);
            const about = (incidents: readonly { fingerprint: string | undefined }[]) =>
              incidents.filter((incident) => incident.fingerprint === fingerprint).length;
            const isOpen = all.some(({ latchkey }) => about(latchkey.snapshot().incidents) > 0);
            const openings = all.reduce((sum, one) => sum + about(one.reporter.openings), 0);
            const endings = all.reduce((sum, one) => sum + about(one.reporter.endings), 0);
            expect(openings - endings).toBe(isOpen ? 1 : 0);
          }
        }
        // Once nobody has anything open any more, all that was told has ended, a provider's too.
        for (const one of all) for (const value of VALUES) one.heal(value);
        await arrive();
        expect(told().ended.sort()).toEqual(told().opened.sort());
        // And nobody who left before thinks otherwise.
        for (let minutes = 0; minutes < 3; minutes++) {
          await vi.advanceTimersByTimeAsync(61_000);
          await arrive();
        }
        expect(told().ended.sort()).toEqual(told().opened.sort());
        for (const one of all) await one.latchkey.close({ timeoutMs: 0 });
      }),
      { numRuns: 150 },
    );

  it('one opening and one end for each that the fleet has, and no end without its opening', { timeout: 60_000 }, async () => {
    await property(LOUD, 2, true);
  });

  it('no end without its opening where limits hold reports back', { timeout: 60_000 }, async () => {
    await property(QUIET, VALUES.length, false);
  });
});
