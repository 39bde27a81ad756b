import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RecordRef } from '../../src/fleet/carrier.js';
import { FleetCoordinator } from '../../src/fleet/coordinator.js';
import { Names } from '../../src/fleet/names.js';
import { StoreError } from '../../src/fleet/store-error.js';
import { WorkScope } from '../../src/ledger/scope-key.js';
import type { AfterRefresh, RefreshClaim } from '../../src/ledger/store.js';
import { Identity } from '../../src/ledger/verdicts.js';
import { freezeTime, settled } from '../support/clock.js';
import { deferred } from '../support/deferred.js';
import { MemoryStore } from '../support/memory-carrier.js';
import { QUIET_LINK } from '../support/quiet-link.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const A = new Identity('p', '0000000000000001');
const B = new Identity('p', '0000000000000002');
const SCOPE = new WorkScope('T', 'S', 'p', undefined, false);
const MS = 32_000;
const names = new Names(new Uint8Array(32), 'app');

function fleet() {
  const store = new MemoryStore({ clock: { now: () => Date.now() } });
  const process = (fetch: (refs: readonly RecordRef[]) => Promise<void> = async () => {}) => {
    const carrier = store.carrier();
    const state = { up: true };
    const link: { greet(): void } = { greet: () => {} };
    const released: string[] = [];
    const fetched: RecordRef[] = [];
    const coordinator = new FleetCoordinator({
      ...QUIET_LINK,
      greet: async () => link.greet(),
      carrier,
      names,
      isUp: () => state.up,
      release: (lock, owner, note) => {
        released.push(note);
        void carrier.unlock(lock, owner, note).catch(() => {});
      },
      fetch: (refs) => {
        fetched.push(...refs);
        return fetch(refs);
      },
    });
    carrier.open({ idleMs: 60_000 }, { message: () => {}, released: (lock, note) => coordinator.released(lock, note), gap: () => {} });
    return { coordinator, carrier, state, link, released, fetched, claim: (of = A, ms = MS) => coordinator.claimRefresh(of, SCOPE, ms) };
  };
  return { store, process };
}

function acquired(claim: RefreshClaim): Extract<RefreshClaim, { state: 'acquired' }> {
  if (claim.state !== 'acquired') throw new Error(`the right is ${claim.state}`);
  return claim;
}

function heardBy(claim: RefreshClaim): { readonly heard: AfterRefresh[]; readonly stop: () => void } {
  if (claim.state !== 'held') throw new Error(`the right is ${claim.state}`);
  const heard: AfterRefresh[] = [];
  return { heard, stop: claim.onDone((after) => void heard.push(after)) };
}

const lockOf = (of: Identity): string => names.lock('refresh', names.identity(of.provider, of.fingerprint), names.tenant('T'));

describe('claimRefresh', () => {
  for (const after of ['look', 'nothing', 'again'] as const) {
    it(`one process gets it; the others hear '${after}' when it is given back`, async () => {
      const { process } = fleet();
      const [one, two, three] = [process(), process(), process()];
      const mine = acquired(await one.claim());
      const waiting = [await two.claim(), await three.claim()].map(heardBy);
      mine.done(after);
      mine.done('look');
      expect(one.released).toEqual([]);
      await settled();
      expect(one.released).toEqual([after]);
      expect(waiting.map(({ heard }) => heard)).toEqual([[after], [after]]);
      acquired(await two.claim());
    });
  }

  it('a note that this version does not know has those who wait look', async () => {
    const { process } = fleet();
    const [one, two] = [process(), process()];
    await one.claim();
    const { heard } = heardBy(await two.claim());
    two.coordinator.released(lockOf(A), 'something new');
    expect(heard).toEqual(['look']);
  });

  it('is another than the canary’s, and each credential has its own', async () => {
    const { process } = fleet();
    const [one, two] = [process(), process()];
    acquired(await one.claim());
    acquired(await two.claim(B));
    expect((await two.coordinator.claimCanary(A, MS)).state).toBe('acquired');
  });

  it('what the store knows of the credential, its session and its tenant is brought in before', async () => {
    const { process } = fleet();
    const fetching = deferred();
    const [one, two] = [process(() => fetching.promise), process()];
    let claim: RefreshClaim | undefined;
    void one.claim().then((answer) => {
      claim = answer;
    });
    await settled();
    expect(claim).toBeUndefined();
    expect(one.fetched).toEqual([
      { kind: 'identity', name: names.identity('p', A.fingerprint) },
      { kind: 'session', name: names.session('T', 'S') },
      { kind: 'tenant', name: names.tenant('T') },
    ]);
    await two.claim();
    expect(two.fetched).toEqual([]);
    fetching.resolve();
    await settled();
    expect(claim?.state).toBe('acquired');
  });

  it('an owner that dies loses it after its time, and nobody is told', async () => {
    const { process } = fleet();
    const [one, two] = [process(), process()];
    await one.claim();
    const { heard } = heardBy(await two.claim());
    await vi.advanceTimersByTimeAsync(MS - 1);
    expect((await two.claim(A, 10)).state).toBe('held');
    await vi.advanceTimersByTimeAsync(1);
    acquired(await two.claim());
    expect(heard).toEqual([]);
  });

  it('is kept for longer by asking again, as long as nobody else has it', async () => {
    const { process } = fleet();
    const [one, two] = [process(), process()];
    const mine = acquired(await one.claim());
    await vi.advanceTimersByTimeAsync(MS - 1_000);
    expect(await mine.keep(MS)).toBe(true);
    await vi.advanceTimersByTimeAsync(MS - 1_000);
    expect((await two.claim()).state).toBe('held');
    await vi.advanceTimersByTimeAsync(2_000);
    const theirs = acquired(await two.claim());
    expect(await mine.keep(MS)).toBe(false);
    mine.done('look');
    await settled();
    expect((await one.claim()).state).toBe('held');
    theirs.done('look');
    await settled();
    // Given back it is not taken again by mistake.
    expect(await theirs.keep(MS)).toBe(false);
    acquired(await one.claim());
  });

  it('is kept without asking while the store is down, as long as it lasts', async () => {
    const { store, process } = fleet();
    const one = process();
    const mine = acquired(await one.claim());
    await vi.advanceTimersByTimeAsync(2_000);
    store.down = true;
    one.state.up = false;
    one.coordinator.lost();
    expect(await mine.keep(MS - 2_000)).toBe(true);
  });

  it('is not kept for longer than it lasts before the store has answered, or has been away for too long', async () => {
    const { process } = fleet();
    const [one, two] = [process(), process()];
    const mine = acquired(await one.claim());
    await vi.advanceTimersByTimeAsync(20_000);
    one.state.up = false;
    one.coordinator.lost();
    await vi.advanceTimersByTimeAsync(10_000);
    const kept: boolean[] = [];
    void mine.keep(MS).then((is) => kept.push(is));
    await vi.advanceTimersByTimeAsync(MS - 20_000);
    expect(kept).toEqual([]);
    acquired(await two.claim());
    one.state.up = true;
    one.coordinator.found();
    await settled();
    expect(kept).toEqual([false]);

    const again = acquired(await two.claim(B));
    two.state.up = false;
    two.coordinator.lost();
    void again.keep(2 * MS).then((is) => kept.push(is));
    await vi.advanceTimersByTimeAsync(2 * MS - 1);
    expect(kept).toEqual([false]);
    await vi.advanceTimersByTimeAsync(1);
    expect(kept).toEqual([false, true]);
  });

  it('a store that has never answered is waited for, too, from the start on', async () => {
    const { process } = fleet();
    const one = process();
    one.state.up = false;
    await vi.advanceTimersByTimeAsync(10_000);
    const answers: string[] = [];
    void one.claim().then(({ state }) => answers.push(state));
    await vi.advanceTimersByTimeAsync(MS - 10_001);
    expect(answers).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(answers).toEqual(['down']);
  });

  it('there is nobody to ask for it once it is closed', async () => {
    const { process } = fleet();
    const [one, two] = [process(), process()];
    await one.coordinator.close();
    expect(await one.claim()).toEqual({ state: 'down' });
    acquired(await two.claim());
  });

  it('a store that has gone is waited for as long as somebody may have it, and no longer', async () => {
    const { process } = fleet();
    const one = process();
    acquired(await one.claim(B)).done('look');
    one.state.up = false;
    one.coordinator.lost();
    await vi.advanceTimersByTimeAsync(10_000);
    const answers: string[] = [];
    void one.claim().then(({ state }) => answers.push(state));
    await vi.advanceTimersByTimeAsync(MS - 10_001);
    expect(answers).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(answers).toEqual(['down']);
    expect(await one.claim()).toEqual({ state: 'down' });
    one.state.up = true;
    one.coordinator.found();
    acquired(await one.claim());
  });

  it('is asked for again as soon as the store is back, and nobody else has got it meanwhile', async () => {
    const { store, process } = fleet();
    const [one, two] = [process(), process()];
    const theirs = acquired(await two.claim());
    store.down = true;
    const claiming = one.claim();
    await settled();
    one.state.up = false;
    one.coordinator.lost();
    await vi.advanceTimersByTimeAsync(1_000);
    store.down = false;
    one.state.up = true;
    one.coordinator.found();
    const { heard } = heardBy(await claiming);
    theirs.done('look');
    await settled();
    expect(heard).toEqual(['look']);
  });

  it('that the store has another epoch only takes asking it where it stands', async () => {
    const { process } = fleet();
    const one = process();
    acquired(await one.claim(B)).done('look');
    one.state.up = false;
    one.link.greet = () => {
      one.state.up = true;
    };
    acquired(await one.claim());
  });

  it('a store that was emptied has what is held here again', async () => {
    const { store, process } = fleet();
    const [one, two] = [process(), process()];
    const mine = acquired(await one.claim());
    await vi.advanceTimersByTimeAsync(1_000);
    store.reset();
    one.coordinator.reset();
    await settled();
    const claim = await two.claim();
    expect(claim).toMatchObject({ state: 'held', leftMs: MS - 1_000 });
    mine.done('look');
    await settled();
    store.reset();
    one.coordinator.reset();
    await settled();
    acquired(await two.claim());
  });

  it('is had for all of its time from when what the store knows is here', async () => {
    const { process } = fleet();
    const [one, two] = [process(() => new Promise((resolve) => setTimeout(resolve, 5_000))), process()];
    const claiming = one.claim();
    await vi.advanceTimersByTimeAsync(5_000);
    acquired(await claiming);
    expect(await two.claim()).toMatchObject({ state: 'held', leftMs: MS });
  });

  it('is not had before what the store knows is here', async () => {
    const { process } = fleet();
    let fails = 3;
    const one = process(async () => {
      if (fails-- > 0) throw new StoreError('STORE_DOWN', 'no answer in time');
    });
    const claiming = one.claim();
    await vi.advanceTimersByTimeAsync(2_000);
    acquired(await claiming);
    expect(fails).toBe(-1);
    expect(one.released).toEqual(['again', 'again', 'again']);
  });

  it('that is left is nobody’s to give back', async () => {
    const { process } = fleet();
    const [one, two] = [process(), process()];
    const mine = acquired(await one.claim());
    mine.leave();
    mine.done('look');
    await one.coordinator.close();
    await settled();
    expect(await two.claim()).toMatchObject({ state: 'held', leftMs: MS });
  });

  it('asked for and granted after nobody waits for it, it is given back when the store answers', async () => {
    const { process } = fleet();
    const [one, two] = [process(), process()];
    one.carrier.losesAnswers = true;
    const answers: string[] = [];
    void one.claim().then(({ state }) => answers.push(state));
    await vi.advanceTimersByTimeAsync(MS + 1_000);
    expect(answers).toEqual(['down']);
    await settled();
    one.carrier.losesAnswers = false;
    acquired(await two.claim());
  });

  it('whoever waits goes on waiting when the store is gone, and looks when it is back', async () => {
    const { process } = fleet();
    const [one, two] = [process(), process()];
    await one.claim();
    const { heard } = heardBy(await two.claim());
    two.coordinator.lost();
    expect(heard).toEqual([]);
    two.coordinator.found();
    expect(heard).toEqual(['again']);
  });

  it('who waits no more hears nothing, not even what has come already', async () => {
    const { process } = fleet();
    const [one, two] = [process(), process()];
    const mine = acquired(await one.claim());
    const early = heardBy(await two.claim());
    early.stop();
    const claiming = two.claim();
    two.coordinator.released(lockOf(A), 'look');
    const late = heardBy(await claiming);
    late.stop();
    mine.done('nothing');
    await settled();
    expect([early.heard, late.heard]).toEqual([[], []]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('a release that is heard before the answer is not missed', async () => {
    const { process } = fleet();
    const [one, two] = [process(), process()];
    acquired(await one.claim());
    const claiming = two.claim();
    // Asked, but not answered.
    for (let turn = 0; turn < 2; turn++) await Promise.resolve();
    two.coordinator.released(lockOf(A), 'nothing');
    const { heard } = heardBy(await claiming);
    expect(heard).toEqual([]);
    await settled();
    expect(heard).toEqual(['nothing']);
  });

  it('is given back by a process that closes, for somebody else to go on', async () => {
    const { process } = fleet();
    const [one, two] = [process(), process()];
    acquired(await one.claim());
    const { heard } = heardBy(await two.claim());
    await one.coordinator.close();
    await settled();
    expect(heard).toEqual(['again']);
    acquired(await two.claim());
  });

  it('is given back, too, if it is granted while the process closes', async () => {
    const { process } = fleet();
    const [one, two] = [process(), process()];
    const claiming = one.claim();
    await one.coordinator.close();
    expect(await claiming).toEqual({ state: 'down' });
    acquired(await two.claim());
  });

  it('no timer is left behind', async () => {
    const { process } = fleet();
    const [one, two] = [process(), process()];
    acquired(await one.claim());
    heardBy(await two.claim());
    expect(vi.getTimerCount()).toBe(1);
    await two.coordinator.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});
