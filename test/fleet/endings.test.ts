import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FleetCoordinator } from '../../src/fleet/coordinator.js';
import { Names } from '../../src/fleet/names.js';
import { bearer } from '../../src/index.js';
import { Identity } from '../../src/ledger/verdicts.js';
import { throwing } from '../support/attempts.js';
import { freezeTime, settled } from '../support/clock.js';
import { type MemoryCarrier, MemoryStore } from '../support/memory-carrier.js';
import { MemoryFleet } from '../support/memory-fleet.js';
import { QUIET_LINK } from '../support/quiet-link.js';
import { recordingReporter } from '../support/reporter.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const A = new Identity('p', '0000000000000001');
const LOOK_MS = 61_000;

interface Process {
  readonly coordinator: FleetCoordinator;
  readonly carrier: MemoryCarrier;
  readonly state: { up: boolean };
  /** The ends that fell to it after it had left, by their ids. */
  readonly told: string[];
  enter(id: string, of?: Identity): Promise<string>;
  leave(of?: Identity): Promise<string>;
}

function fleet() {
  const store = new MemoryStore({ clock: { now: () => Date.now() } });
  const process = (): Process => {
    const carrier = store.carrier();
    const state = { up: true };
    const told: string[] = [];
    const names = new Names(new Uint8Array(32), 'app');
    const coordinator = new FleetCoordinator({
      ...QUIET_LINK,
      carrier,
      names,
      isUp: () => state.up,
      release: () => {},
      fetch: async () => {},
    });
    return {
      coordinator,
      carrier,
      state,
      told,
      enter: async (id, of = A) => (await coordinator.enterIncident(of, id)).state,
      leave: async (of = A) => (await coordinator.leaveIncident(of, (id) => void told.push(id))).state,
    };
  };
  return { store, process, three: (): [Process, Process, Process] => [process(), process(), process()] };
}

function kill({ coordinator, carrier }: Process): void {
  coordinator.close();
  carrier.down = true;
}

async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
  await settled();
}

describe('an incident whose last members die', () => {
  it('one of those that had left before tells its end, once a minute has passed', async () => {
    const [one, two, three] = fleet().three();
    expect(await one.enter('one')).toBe('acquired');
    expect(await two.enter('two')).toBe('held');
    expect(await three.enter('three')).toBe('held');
    kill(one);
    expect([await two.leave(), await three.leave()]).toEqual(['others', 'others']);
    await pass(LOOK_MS - 1);
    expect([two.told, three.told]).toEqual([[], []]);
    await pass(1);
    expect([...two.told, ...three.told]).toEqual(['one']);
    await pass(10 * LOOK_MS);
    expect([...two.told, ...three.told]).toEqual(['one']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('also if they live for longer than that', async () => {
    const [one, two] = fleet().three();
    await one.enter('one');
    await two.enter('two');
    expect(await two.leave()).toBe('others');
    await pass(5 * LOOK_MS);
    expect(two.told).toEqual([]);
    kill(one);
    await pass(2 * LOOK_MS);
    expect(two.told).toEqual(['one']);
  });

  it('also if it is open anew by then', async () => {
    const [one, two, three] = fleet().three();
    await one.enter('one');
    await two.enter('two');
    kill(one);
    await two.leave();
    await pass(60_000);
    expect(await three.enter('next')).toBe('acquired');
    await pass(LOOK_MS);
    expect(two.told).toEqual(['one']);
    expect(await three.leave()).toBe('last');
  });
});

describe('an end that is told', () => {
  it('by the last to leave is not told again by those that left before', async () => {
    const [one, two, three] = fleet().three();
    await one.enter('one');
    await two.enter('two');
    await three.enter('three');
    expect([await one.leave(), await two.leave(), await three.leave()]).toEqual(['others', 'others', 'last']);
    await pass(10 * LOOK_MS);
    expect([one.told, two.told, three.told]).toEqual([[], [], []]);
  });

  it('without the store, by the first, is not told again once it is back', async () => {
    const { store, three } = fleet();
    const [one, two] = three();
    await one.enter('one');
    await two.enter('two');
    expect(await two.leave()).toBe('others');
    store.down = true;
    expect(await one.leave()).toBe('down');
    store.down = false;
    await pass(3 * LOOK_MS);
    expect(two.told).toEqual([]);
  });

  it('nor where the first was not told that it had entered', async () => {
    const [one, two] = fleet().three();
    one.carrier.losesAnswers = true;
    expect(await one.enter('one')).toBe('down');
    one.carrier.losesAnswers = false;
    expect(await two.enter('two')).toBe('held');
    expect(await two.leave()).toBe('others');
    expect(await one.leave()).toBe('down');
    await pass(3 * LOOK_MS);
    expect(two.told).toEqual([]);
  });

  it('is not told by one that was taken for dead, and by others instead of it', async () => {
    const [one, two] = fleet().three();
    await one.enter('one');
    await two.enter('two');
    one.state.up = false;
    await two.leave();
    await pass(LOOK_MS);
    expect(two.told).toEqual(['one']);
    one.state.up = true;
    expect(await one.leave()).toBe('others');
  });

  it('is not told where there is nothing to tell; somebody else who has something does', async () => {
    const [one, two] = fleet().three();
    await one.enter('one');
    await two.enter('two');
    await one.leave();
    expect(await two.coordinator.leaveIncident(A)).toEqual({ state: 'last', id: 'one' });
    await pass(LOOK_MS);
    expect(one.told).toEqual(['one']);
  });
});

describe('who has left and watches', () => {
  it('watches no more once it has it open again', async () => {
    const [one, two] = fleet().three();
    await one.enter('one');
    await two.enter('two');
    await two.leave();
    expect(await two.enter('again')).toBe('held');
    await pass(20_000);
    // Each renews what it has open.
    expect(vi.getTimerCount()).toBe(2);
    kill(one);
    await pass(2 * LOOK_MS);
    expect(two.told).toEqual([]);
    expect(await two.leave()).toBe('last');
  });

  it('waits for a store that is down, but not for ever', async () => {
    const { store, three } = fleet();
    const [one, two, other] = three();
    await one.enter('one');
    await two.enter('two');
    await other.enter('three');
    kill(one);
    await two.leave();
    await other.leave();
    two.state.up = false;
    other.carrier.down = true;
    await pass(4 * LOOK_MS);
    other.carrier.down = false;
    await pass(LOOK_MS);
    expect(other.told).toEqual(['one']);
    await two.enter('two');
    store.down = true;
    expect(vi.getTimerCount()).toBe(0);
  });

  it('has the answer to its question lost, and asks again as the same', async () => {
    const [one, two] = fleet().three();
    await one.enter('one');
    await two.enter('two');
    kill(one);
    await two.leave();
    two.carrier.losesAnswers = true;
    await pass(LOOK_MS);
    two.carrier.losesAnswers = false;
    const { lock } = two.carrier;
    let lost = true;
    two.carrier.lock = async (...args) => {
      const answer = await lock(...args);
      if (lost) throw new Error('the answer was lost');
      return answer;
    };
    await pass(LOOK_MS);
    expect(two.told).toEqual([]);
    lost = false;
    await pass(LOOK_MS);
    expect(two.told).toEqual(['one']);
  });

  it('knows nothing any more when the store has lost everything: the end may have been told', async () => {
    const { store, three } = fleet();
    const [one, two] = three();
    await one.enter('one');
    await two.enter('two');
    await two.leave();
    await one.leave();
    store.reset();
    two.coordinator.reset();
    await pass(2 * LOOK_MS);
    expect(two.told).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('stops when it closes', async () => {
    const [one, two] = fleet().three();
    await one.enter('one');
    await two.enter('two');
    kill(one);
    await two.leave();
    two.coordinator.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('watches 1,000 at the most; the oldest are left to others', async () => {
    const [one, two] = fleet().three();
    const identities = Array.from({ length: 1_001 }, (_, n) => new Identity('p', n.toString(16).padStart(16, '0')));
    for (const [n, identity] of identities.entries()) {
      await one.enter(`${n}`, identity);
      await two.enter('two', identity);
    }
    kill(one);
    for (const identity of identities) await two.leave(identity);
    await pass(LOOK_MS);
    await settled();
    expect(two.told).toHaveLength(1_000);
    expect(two.told).not.toContain('0');
  });
});

describe('with a store behind it', () => {
  const mine = { session: 's', provider: 'p' };

  async function dying() {
    const fleet = new MemoryFleet();
    const reporters = [recordingReporter(), recordingReporter()];
    const all = reporters.map((reporter) => fleet.add({ reporter, canary: 'off' }));
    await fleet.ready();
    for (const { latchkey } of all) {
      latchkey.capture(mine, bearer('token-a'));
      await latchkey.run(mine, throwing({ 'token-a': 401 }).attempt).catch(() => {});
      await settled();
    }
    const ends = () => reporters.flatMap(({ endings }) => endings.map(({ id }) => id));
    return { fleet, reporters, ends, all };
  }

  it('an end that was told before the store lost everything is not told again', async () => {
    const { fleet, reporters, ends, all } = await dying();
    all[0]?.latchkey.capture(mine, bearer('token-b'));
    await settled();
    expect(ends()).toEqual([reporters[0]?.openings[0]?.id]);
    fleet.store.reset();
    await pass(3 * LOOK_MS);
    expect(ends()).toHaveLength(1);
    await fleet.close();
  });

  it('a canary’s lock that was granted too late is given back as soon as the store is known to be up', async () => {
    const fleet = new MemoryFleet();
    const [one, two] = [fleet.add(), fleet.add()];
    await fleet.ready();
    one.latchkey.capture(mine, bearer('token-a'));
    await settled();
    await two.latchkey.load([mine]);
    const { lock } = one.carrier;
    let grant: (() => Promise<number>) | undefined;
    one.carrier.lock = (...args) => {
      grant = () => lock(...args);
      return lock(...args);
    };
    one.carrier.down = true;
    await one.latchkey.run(mine, () => Promise.reject(new Error('it says nothing of the credential'))).catch(() => {});
    await pass(3_001);
    expect(one.latchkey.stats().store).toBe('down');
    one.carrier.down = false;
    await grant?.();
    await pass(100);
    expect(one.latchkey.stats().store).toBe('up');
    let calls = 0;
    void two.latchkey.run(mine, async () => ++calls);
    await settled();
    expect(calls).toBe(1);
    await fleet.close();
  });
});
