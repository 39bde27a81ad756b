import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Carrier } from '../../src/fleet/carrier.js';
import { FleetCoordinator } from '../../src/fleet/coordinator.js';
import { Names } from '../../src/fleet/names.js';
import { StoreError } from '../../src/fleet/store-error.js';
import type { CanaryClaim } from '../../src/ledger/store.js';
import { Identity } from '../../src/ledger/verdicts.js';
import type { AfterCanary } from '../../src/policy/canary.js';
import { freezeTime, settled } from '../support/clock.js';
import { deferred } from '../support/deferred.js';
import { MemoryStore } from '../support/memory-carrier.js';
import { QUIET_LINK } from '../support/quiet-link.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const A = new Identity('p', '0000000000000001');
const B = new Identity('p', '0000000000000002');
const NO_PROVIDER = { provider: undefined, fingerprint: undefined };
const MS = 10_000;

type Asked = Pick<Carrier, 'lock' | 'unlock' | 'enter' | 'leave'>;

function watched(carrier: Carrier, onCall: (name: keyof Asked, args: readonly unknown[]) => void): Asked {
  return {
    lock(...args) {
      onCall('lock', args);
      return carrier.lock(...args);
    },
    unlock(...args) {
      onCall('unlock', args);
      return carrier.unlock(...args);
    },
    enter(...args) {
      onCall('enter', args);
      return carrier.enter(...args);
    },
    leave(...args) {
      onCall('leave', args);
      return carrier.leave(...args);
    },
  };
}

function fleet() {
  const store = new MemoryStore({ clock: { now: () => Date.now() } });
  const process = () => {
    const carrier = store.carrier();
    const state = { up: true };
    const calls: string[] = [];
    const released: { lock: string; owner: string; note: string }[] = [];
    const refreshed: string[] = [];
    const coordinator = new FleetCoordinator({
      ...QUIET_LINK,
      carrier: watched(carrier, (name, args) => void calls.push(name === 'enter' ? `enter ${args[2]}` : name)),
      names: new Names(new Uint8Array(32), 'app'),
      isUp: () => state.up,
      release: (lock, owner, note) => {
        released.push({ lock, owner, note });
        void carrier.unlock(lock, owner, note);
      },
      fetch: async (refs) => void refreshed.push(refs.map(({ name }) => name).join(' ')),
    });
    carrier.open({ idleMs: 60_000 }, { message: () => {}, released: (lock, note) => coordinator.released(lock, note), gap: () => {} });
    return { coordinator, carrier, state, calls, released, refreshed };
  };
  return { store, process };
}

function heardBy(claim: CanaryClaim): AfterCanary[] {
  const heard: AfterCanary[] = [];
  if (claim.state !== 'held') throw new Error(`the canary is ${claim.state}`);
  claim.onDone((after) => void heard.push(after));
  return heard;
}

function acquired(claim: CanaryClaim): Extract<CanaryClaim, { state: 'acquired' }> {
  if (claim.state !== 'acquired') throw new Error(`the canary is ${claim.state}`);
  return claim;
}

describe('claimCanary', () => {
  it('one process gets it; the others hear how it went', async () => {
    const { process } = fleet();
    const [one, two, three] = [process(), process(), process()];
    const mine = acquired(await one.coordinator.claimCanary(A, MS));
    const heard = [await two.coordinator.claimCanary(A, MS), await three.coordinator.claimCanary(A, MS)].map(heardBy);
    mine.done('go');
    mine.done('choose');
    await settled();
    expect(heard).toEqual([['go'], ['go']]);
    expect(one.released).toEqual([{ lock: expect.stringMatching(/^[0-9a-f]{32}$/), owner: expect.any(String), note: 'go' }]);
    acquired(await three.coordinator.claimCanary(A, MS));
  });

  it('each credential has its own', async () => {
    const { process } = fleet();
    const [one, two] = [process(), process()];
    acquired(await one.coordinator.claimCanary(A, MS));
    acquired(await two.coordinator.claimCanary(B, MS));
  });

  it('a second claim of the same process is another owner’s', async () => {
    const { process } = fleet();
    const one = process();
    const mine = acquired(await one.coordinator.claimCanary(A, MS));
    const heard = heardBy(await one.coordinator.claimCanary(A, MS));
    mine.done('next');
    await settled();
    expect(heard).toEqual(['next']);
  });

  it('is released after what its caller does in the same breath, since the proof is recorded there', async () => {
    const { process } = fleet();
    const one = process();
    acquired(await one.coordinator.claimCanary(A, MS)).done('go');
    expect(one.released).toEqual([]);
    await settled();
    expect(one.released).toHaveLength(1);
  });

  it('an owner that dies loses it after its time', async () => {
    const { process } = fleet();
    const [one, two] = [process(), process()];
    await one.coordinator.claimCanary(A, MS);
    const heard = heardBy(await two.coordinator.claimCanary(A, MS));
    await vi.advanceTimersByTimeAsync(MS);
    acquired(await two.coordinator.claimCanary(A, MS));
    expect(heard).toEqual([]);
  });

  it('a release that is heard before the answer is not missed', async () => {
    const { process } = fleet();
    const [one, two] = [process(), process()];
    const mine = acquired(await one.coordinator.claimCanary(A, MS));
    const claiming = two.coordinator.claimCanary(A, MS);
    two.coordinator.released(canaryOf(A), 'choose');
    const heard = heardBy(await claiming);
    // Not at once: who has asked is not waiting yet.
    expect(heard).toEqual([]);
    await settled();
    expect(heard).toEqual(['choose']);
    mine.done('go');
    await settled();
    expect(heard).toEqual(['choose']);
  });

  it('a note that this version does not know has those who wait choose again', async () => {
    const { process } = fleet();
    const [one, two] = [process(), process()];
    await one.coordinator.claimCanary(A, MS);
    const heard = heardBy(await two.coordinator.claimCanary(A, MS));
    two.coordinator.released(canaryOf(A), 'something new');
    expect(heard).toEqual(['choose']);
  });

  it('nothing is heard of it after its time', async () => {
    const { process } = fleet();
    const [one, two] = [process(), process()];
    await one.coordinator.claimCanary(A, MS);
    const heard = heardBy(await two.coordinator.claimCanary(A, MS));
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(MS);
    expect(vi.getTimerCount()).toBe(0);
    two.coordinator.released(canaryOf(A), 'go');
    expect(heard).toEqual([]);
  });

  it('listens for 1,000 at the most; the oldest are given up', async () => {
    const { process } = fleet();
    const [one, two] = [process(), process()];
    const identities = Array.from({ length: 1_001 }, (_, n) => new Identity('p', n.toString(16).padStart(16, '0')));
    const heard: AfterCanary[][] = [];
    for (const identity of identities) {
      await one.coordinator.claimCanary(identity, MS);
      heard.push(heardBy(await two.coordinator.claimCanary(identity, MS)));
    }
    expect(vi.getTimerCount()).toBe(1_000);
    for (const identity of identities) two.coordinator.released(canaryOf(identity), 'go');
    expect(heard.map((notes) => notes.length)).toEqual([0, ...Array<number>(1_000).fill(1)]);
  });

  it('without a fleet it is down: known to be, unreachable, or closed', async () => {
    const { store, process } = fleet();
    const one = process();
    one.state.up = false;
    expect(await one.coordinator.claimCanary(A, MS)).toEqual({ state: 'down' });
    expect(one.calls).toEqual([]);
    one.state.up = true;
    store.down = true;
    expect(await one.coordinator.claimCanary(A, MS)).toEqual({ state: 'down' });
    // What was asked for may get there yet.
    expect(one.calls).toEqual(['lock', 'unlock']);
    expect(vi.getTimerCount()).toBe(1);
    store.down = false;
    one.coordinator.close();
    expect(await one.coordinator.claimCanary(A, MS)).toEqual({ state: 'down' });
    expect(one.calls).toEqual(['lock', 'unlock']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('what the last one learnt is brought in before the call goes; if that fails, it goes with what is known', async () => {
    const { process } = fleet();
    const [one, two] = [process(), process()];
    const mine = acquired(await one.coordinator.claimCanary(A, MS));
    await two.coordinator.claimCanary(A, MS);
    expect([one.refreshed, two.refreshed]).toEqual([[nameOf(A)], []]);
    mine.done('choose');
    await settled();
    const refreshing = deferred();
    const three = new FleetCoordinator({
      ...QUIET_LINK,
      carrier: one.carrier,
      names: new Names(new Uint8Array(32), 'app'),
      isUp: () => true,
      release: () => {},
      fetch: () => refreshing.promise,
    });
    let claim: CanaryClaim | undefined;
    void three.claimCanary(A, MS).then((answer) => {
      claim = answer;
    });
    await settled();
    expect(claim).toBeUndefined();
    refreshing.reject(new StoreError('STORE_DOWN', 'no answer in time'));
    await settled();
    expect(claim?.state).toBe('acquired');
  });
});

describe('a lock that was asked for and may be granted after nobody waits for it', () => {
  it('is given back at once where only the answer was lost', async () => {
    const { process } = fleet();
    const [one, two] = [process(), process()];
    one.carrier.losesAnswers = true;
    expect((await one.coordinator.claimCanary(A, MS)).state).toBe('down');
    await settled();
    acquired(await two.coordinator.claimCanary(A, MS));
    one.carrier.losesAnswers = false;
    one.coordinator.close();
    two.coordinator.close();
  });

  it('is given back when the store answers again, and whoever waits is told', async () => {
    const { store, process } = fleet();
    const [one, two] = [process(), process()];
    const owners = await late(one, store);
    const heard = heardBy(await two.coordinator.claimCanary(A, MS));
    one.coordinator.found();
    await settled();
    expect(heard).toEqual(['next']);
    expect(owners).toHaveLength(1);
    acquired(await two.coordinator.claimCanary(A, MS));
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(500);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is given back half a second later where nobody says that the store answers again', async () => {
    const { store, process } = fleet();
    const [one, two] = [process(), process()];
    await late(one, store);
    const heard = heardBy(await two.coordinator.claimCanary(A, MS));
    await vi.advanceTimersByTimeAsync(500);
    expect(heard).toEqual(['next']);
  });

  it('nobody else’s is given back', async () => {
    const { store, process } = fleet();
    const [one, two, three] = [process(), process(), process()];
    store.down = true;
    await one.coordinator.claimCanary(A, MS);
    store.down = false;
    acquired(await two.coordinator.claimCanary(A, MS));
    await vi.advanceTimersByTimeAsync(500);
    expect((await three.coordinator.claimCanary(A, MS)).state).toBe('held');
  });

  it('of 1,000 at the most; the store is not asked while it is down, and not after closing', async () => {
    const { store, process } = fleet();
    const one = process();
    store.down = true;
    for (let n = 0; n < 1_001; n++) await one.coordinator.claimCanary(A, MS);
    one.state.up = store.down = false;
    await settled();
    one.calls.length = 0;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(one.calls).toEqual([]);
    one.state.up = true;
    await vi.advanceTimersByTimeAsync(500);
    expect(one.calls).toEqual(Array(1_000).fill('unlock'));
    store.down = true;
    await one.coordinator.claimCanary(A, MS);
    one.coordinator.close();
    one.calls.length = 0;
    store.down = false;
    one.coordinator.found();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(one.calls).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  /** The store is asked while it does not answer, and does what it was asked when it has come back. */
  async function late(one: ReturnType<ReturnType<typeof fleet>['process']>, store: MemoryStore): Promise<string[]> {
    const owners: string[] = [];
    const { lock } = one.carrier;
    one.carrier.lock = (name, owner, ms) => {
      owners.push(owner);
      return lock(name, owner, ms);
    };
    store.down = true;
    expect((await one.coordinator.claimCanary(A, MS)).state).toBe('down');
    store.down = false;
    await settled();
    await lock(canaryOf(A), owners[0] ?? '', MS);
    return owners;
  }
});

describe('incidents', () => {
  it('the first gets it, the others hold it under its id, and the last ends it', async () => {
    const { process } = fleet();
    const [one, two, three] = [process(), process(), process()];
    expect(await one.coordinator.enterIncident(A, 'one')).toEqual({ state: 'acquired', id: 'one' });
    expect(await two.coordinator.enterIncident(A, 'two')).toEqual({ state: 'held', id: 'one' });
    expect(await three.coordinator.enterIncident(B, 'three')).toEqual({ state: 'acquired', id: 'three' });
    expect(await one.coordinator.leaveIncident(A)).toEqual({ state: 'others', id: 'one' });
    expect(await three.coordinator.enterIncident(A, 'four')).toEqual({ state: 'held', id: 'one' });
    expect(await two.coordinator.leaveIncident(A)).toEqual({ state: 'others', id: 'one' });
    expect(await three.coordinator.leaveIncident(A)).toEqual({ state: 'last', id: 'one' });
    expect(await two.coordinator.enterIncident(A, 'five')).toEqual({ state: 'acquired', id: 'five' });
  });

  it('are renewed for as long as they are open, and given up after a minute by a process that died', async () => {
    const { process } = fleet();
    const [one, two] = [process(), process()];
    await one.coordinator.enterIncident(A, 'one');
    await vi.advanceTimersByTimeAsync(10 * 60_000);
    expect(await two.coordinator.enterIncident(A, 'two')).toEqual({ state: 'held', id: 'one' });
    one.carrier.down = true;
    await vi.advanceTimersByTimeAsync(59_999);
    expect(await two.coordinator.leaveIncident(A)).toEqual({ state: 'others', id: 'one' });
    await vi.advanceTimersByTimeAsync(1);
    expect(await two.coordinator.enterIncident(A, 'three')).toEqual({ state: 'acquired', id: 'three' });
  });

  it('one timer renews all of them, and none is left when the last has ended', async () => {
    const { process } = fleet();
    const one = process();
    await one.coordinator.enterIncident(A, 'a');
    await one.coordinator.enterIncident(B, 'b');
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(one.calls).toEqual(['enter a', 'enter b', 'enter a', 'enter b']);
    await one.coordinator.leaveIncident(A);
    await one.coordinator.leaveIncident(B);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(one.calls.slice(4)).toEqual(['leave', 'leave']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('a store that has lost them gets them back under the same id', async () => {
    const { store, process } = fleet();
    const [one, two] = [process(), process()];
    await one.coordinator.enterIncident(A, 'one');
    await two.coordinator.enterIncident(A, 'two');
    store.reset();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(await process().coordinator.enterIncident(A, 'three')).toEqual({ state: 'held', id: 'one' });
  });

  it('a group that the store has lost makes nobody the last: who told it alone ends it alone', async () => {
    const { store, process } = fleet();
    const [one, two] = [process(), process()];
    await one.coordinator.enterIncident(A, 'one');
    await two.coordinator.enterIncident(A, 'two');
    store.reset();
    expect(await one.coordinator.leaveIncident(A)).toEqual({ state: 'down', id: 'one' });
    expect(await two.coordinator.leaveIncident(A)).toEqual({ state: 'down', id: 'one' });
  });

  it('who entered without a fleet leaves without one, and is not renewed', async () => {
    const { store, process } = fleet();
    const one = process();
    one.state.up = false;
    expect(await one.coordinator.enterIncident(A, 'a')).toEqual({ state: 'down', id: 'a' });
    expect(one.calls).toEqual([]);
    one.state.up = true;
    expect(await one.coordinator.leaveIncident(A)).toEqual({ state: 'down', id: undefined });
    store.down = true;
    expect(await one.coordinator.enterIncident(B, 'b')).toEqual({ state: 'down', id: 'b' });
    store.down = false;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await one.coordinator.leaveIncident(B)).toEqual({ state: 'down', id: undefined });
    expect(one.calls).toEqual(['enter b']);
  });

  it('left while the store is down it is left without a fleet', async () => {
    const { store, process } = fleet();
    const one = process();
    await one.coordinator.enterIncident(A, 'a');
    await one.coordinator.enterIncident(B, 'b');
    one.state.up = false;
    expect(await one.coordinator.leaveIncident(A)).toEqual({ state: 'down', id: 'a' });
    one.state.up = true;
    store.down = true;
    expect(await one.coordinator.leaveIncident(B)).toEqual({ state: 'down', id: 'b' });
  });

  it('what the store did not hear it leave, or did not say it had entered, does not hold its next incident', async () => {
    const { process } = fleet();
    const one = process();
    await one.coordinator.enterIncident(A, 'a');
    one.state.up = false;
    await one.coordinator.leaveIncident(A);
    one.state.up = true;
    expect(await one.coordinator.enterIncident(A, 'again')).toEqual({ state: 'acquired', id: 'again' });
    one.carrier.losesAnswers = true;
    expect((await one.coordinator.enterIncident(B, 'b')).state).toBe('down');
    one.carrier.losesAnswers = false;
    expect(await one.coordinator.enterIncident(B, 'again')).toEqual({ state: 'acquired', id: 'again' });
  });

  it('is the first also if it hears so only when it asks again', async () => {
    const coordinator = new FleetCoordinator({
      ...QUIET_LINK,
      carrier: { ...fleet().process().carrier, enter: async (_, __, tag) => ({ first: false, tag }) },
      names: new Names(new Uint8Array(32), 'app'),
      isUp: () => true,
      release: () => {},
      fetch: async () => {},
    });
    expect(await coordinator.enterIncident(A, 'a')).toEqual({ state: 'acquired', id: 'a' });
  });

  it('a provider’s are kept apart from those of its credentials, and of other providers', async () => {
    const { process } = fleet();
    const [one, two] = [process(), process()];
    const all = [A, { provider: 'p', fingerprint: undefined }, { provider: 'q', fingerprint: undefined }, NO_PROVIDER];
    for (const [n, of] of all.entries()) expect(await one.coordinator.enterIncident(of, `${n}`)).toEqual({ state: 'acquired', id: `${n}` });
    for (const [n, of] of all.entries()) expect(await two.coordinator.enterIncident(of, 'x')).toEqual({ state: 'held', id: `${n}` });
    for (const [n, of] of all.entries()) expect(await two.coordinator.leaveIncident(of)).toEqual({ state: 'others', id: `${n}` });
    for (const [n, of] of all.entries()) expect(await one.coordinator.leaveIncident(of)).toEqual({ state: 'last', id: `${n}` });
  });

  it('two of the same name in one process are one of the fleet’s', async () => {
    const { process } = fleet();
    const one = process();
    const twin = new Identity(A.provider, A.fingerprint);
    expect(await one.coordinator.enterIncident(A, 'a')).toEqual({ state: 'acquired', id: 'a' });
    expect(await one.coordinator.enterIncident(twin, 'b')).toEqual({ state: 'held', id: 'a' });
    expect(await one.coordinator.leaveIncident(A)).toEqual({ state: 'others', id: 'a' });
    expect(await one.coordinator.leaveIncident(twin)).toEqual({ state: 'last', id: 'a' });
  });

  it('leaving waits for a renewal that is on its way, which would bring it back', async () => {
    const { process } = fleet();
    const { carrier } = process();
    const answer = deferred<{ first: boolean; tag: string }>();
    const calls: string[] = [];
    let entered = 0;
    const coordinator = new FleetCoordinator({
      ...QUIET_LINK,
      carrier: {
        ...watched(carrier, (name) => void calls.push(name)),
        enter: (...args) => (entered++ === 0 ? carrier.enter(...args) : answer.promise),
      },
      names: new Names(new Uint8Array(32), 'app'),
      isUp: () => true,
      release: () => {},
      fetch: async () => {},
    });
    await coordinator.enterIncident(A, 'a');
    await vi.advanceTimersByTimeAsync(20_000);
    const leaving = coordinator.leaveIncident(A);
    await settled();
    expect(calls).toEqual([]);
    answer.reject(new StoreError('STORE_DOWN', 'no answer in time'));
    expect(await leaving).toEqual({ state: 'last', id: 'a' });
  });

  it('closing stops the timers and leaves nothing: whoever takes its place within a minute is not the first', async () => {
    const { process } = fleet();
    const one = process();
    await one.coordinator.enterIncident(A, 'one');
    one.coordinator.close();
    one.coordinator.close();
    expect(vi.getTimerCount()).toBe(0);
    await vi.advanceTimersByTimeAsync(59_999);
    const two = process();
    expect(await two.coordinator.enterIncident(A, 'two')).toEqual({ state: 'held', id: 'one' });
    expect(await one.coordinator.enterIncident(A, 'three')).toEqual({ state: 'down', id: 'three' });
    await vi.advanceTimersByTimeAsync(1);
    expect(await two.coordinator.leaveIncident(A)).toEqual({ state: 'last', id: 'one' });
    two.coordinator.close();
    expect(vi.getTimerCount()).toBe(0);
    expect(one.calls).toEqual(['enter one']);
  });

  it('what is entered while it closes is left again', async () => {
    const { process } = fleet();
    const [one, two] = [process(), process()];
    const entering = one.coordinator.enterIncident(A, 'one');
    one.coordinator.close();
    expect(await entering).toEqual({ state: 'down', id: 'one' });
    expect(await two.coordinator.enterIncident(A, 'two')).toEqual({ state: 'acquired', id: 'two' });
    expect(one.calls).toEqual(['enter one', 'leave']);
  });

  it('tells the store nothing but names and ids', async () => {
    const { process } = fleet();
    const { carrier } = process();
    const told: unknown[] = [];
    const coordinator = new FleetCoordinator({
      ...QUIET_LINK,
      carrier: watched(carrier, (_, args) => void told.push(args)),
      names: new Names(new Uint8Array(32), 'app'),
      isUp: () => true,
      release: (...args) => void told.push(args),
      fetch: async () => {},
    });
    acquired(await coordinator.claimCanary(A, MS)).done('go');
    await coordinator.enterIncident(A, 'id');
    await coordinator.leaveIncident(A);
    await settled();
    expect(told).toHaveLength(4);
    expect(JSON.stringify(told)).not.toContain(A.fingerprint);
  });
});

function nameOf({ provider, fingerprint }: Identity): string {
  return new Names(new Uint8Array(32), 'app').identity(provider, fingerprint);
}

function canaryOf(identity: Identity): string {
  return new Names(new Uint8Array(32), 'app').lock('canary', nameOf(identity));
}
