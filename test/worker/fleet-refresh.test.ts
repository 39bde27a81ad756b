import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FleetCoordinator } from '../../src/fleet/coordinator.js';
import { Names } from '../../src/fleet/names.js';
import { WorkScope } from '../../src/ledger/scope-key.js';
import type { RefreshClaim } from '../../src/ledger/store.js';
import { Identity } from '../../src/ledger/verdicts.js';
import { awaitFleet } from '../../src/worker/fleet-refresh.js';
import { RefreshFlight } from '../../src/worker/refresh-flight.js';
import { watch } from '../support/attempts.js';
import { freezeTime, settled } from '../support/clock.js';
import { MemoryStore } from '../support/memory-carrier.js';
import { QUIET_LINK } from '../support/quiet-link.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const MS = 32_000;
const PAUSE_MS = 600_000;
const SCOPE = new WorkScope('T', 'S', 'p', undefined, false);
const names = new Names(new Uint8Array(32), 'app');

/** Two processes that want the same refreshed. */
function processes() {
  const store = new MemoryStore({ clock: { now: () => Date.now() } });
  const process = () => {
    const carrier = store.carrier();
    const coordinator = new FleetCoordinator({
      ...QUIET_LINK,
      carrier,
      names,
      isUp: () => true,
      release: (lock, owner, note) => void carrier.unlock(lock, owner, note),
      fetch: async () => {},
    });
    carrier.open({ idleMs: 60_000 }, { message: () => {}, released: (lock, note) => coordinator.released(lock, note), gap: () => {} });
    const identity = new Identity('p', '0000000000000001');
    const flight = new RefreshFlight(identity, SCOPE, 'session', { now: Date.now(), number: 1, holder: SCOPE });
    return { flight, turn: () => awaitFleet(flight, coordinator, MS, () => true) };
  };
  return [process(), process()] as const;
}

describe('the turn to try again', () => {
  it('is had by whoever kept the right across its pause; who asks meanwhile does not wait for that', async () => {
    const [one, two] = processes();
    expect(await one.turn()).toBe('done');
    const { claim } = one.flight;
    expect(await claim?.keep(PAUSE_MS + MS)).toBe(true);
    await vi.advanceTimersByTimeAsync(MS + 1_000);
    expect(await two.turn()).toBe('busy');
    await vi.advanceTimersByTimeAsync(PAUSE_MS - MS - 1_000);
    expect(await one.turn()).toBe('done');
    expect(one.flight.claim).toBe(claim);
    // From now on it is had for another try.
    await vi.advanceTimersByTimeAsync(MS - 1_000);
    const waiting = watch(two.turn());
    await settled();
    expect([waiting.state, two.flight.claim]).toEqual(['pending', undefined]);
    one.flight.claim?.done('again');
    await settled();
    expect(waiting).toMatchObject({ state: 'resolved', value: 'done' });
    expect(two.flight.claim).toBeDefined();
  });

  it('is another’s where the right was not kept for long enough, until that one gives it back', async () => {
    const [one, two] = processes();
    await one.turn();
    const lost = one.flight.claim;
    await vi.advanceTimersByTimeAsync(MS);
    expect(await two.turn()).toBe('done');
    const again = watch(one.turn());
    await settled();
    expect([again.state, one.flight.claim]).toEqual(['pending', undefined]);
    two.flight.claim?.done('look');
    await settled();
    expect(again).toMatchObject({ state: 'resolved', value: 'done' });
    expect(one.flight.claim).toBeDefined();
    expect(one.flight.claim).not.toBe(lost);
  });

  it('that was lost is nothing to keep or give back any more, whatever comes of asking for it anew', async () => {
    const calls: string[] = [];
    const lost: Extract<RefreshClaim, { state: 'acquired' }> = {
      state: 'acquired',
      keep: async () => {
        calls.push('keep');
        return false;
      },
      done: () => void calls.push('done'),
      leave: () => void calls.push('leave'),
    };
    const [{ flight }] = processes();
    const answers: RefreshClaim[] = [{ state: 'held', leftMs: MS + 1, onDone: () => () => {} }, { state: 'down' }];
    const coordinator = { claimRefresh: async () => answers.shift() ?? { state: 'down' } } as unknown as FleetCoordinator;
    flight.claim = lost;
    expect(await awaitFleet(flight, coordinator, MS, () => true)).toBe('busy');
    expect(flight.claim).toBeUndefined();
    expect(await awaitFleet(flight, coordinator, MS, () => true)).toBe('done');
    expect(flight.claim).toBeUndefined();
    expect(calls).toEqual(['keep']);
  });
});

describe('who waits for another’s try', () => {
  /** The right is somebody else’s, for so many milliseconds from each question on; nobody says what came of it. */
  function held(leftMs: (asked: number) => number) {
    const asked: number[] = [];
    const [{ flight }] = processes();
    const claimRefresh = async (): Promise<RefreshClaim> => {
      asked.push(Date.now());
      return { state: 'held', leftMs: leftMs(asked.length), onDone: () => () => {} };
    };
    return { asked, turn: watch(awaitFleet(flight, { claimRefresh } as unknown as FleetCoordinator, MS, () => true)) };
  }

  it('looks every two seconds, and waits for as long as that has its right', async () => {
    const { asked, turn } = held((times) => MS - (times - 1) * 2_000);
    await vi.advanceTimersByTimeAsync(MS - 2_000);
    expect([asked.length, turn.state]).toEqual([16, 'pending']);
    expect(new Set(asked.slice(1).map((at, index) => at - (asked[index] ?? 0)))).toEqual(new Set([2_000]));
  });

  it('has somebody else go on after a few who were first when its time was up', async () => {
    const { asked, turn } = held(() => 1_000);
    await vi.advanceTimersByTimeAsync(4 * 1_050);
    expect([asked.length, turn.state]).toEqual([5, 'pending']);
    await vi.advanceTimersByTimeAsync(1_050);
    expect([asked.length, turn]).toMatchObject([5, { state: 'resolved', value: 'busy' }]);
  });
});
