import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, type Scope } from '../../src/index.js';
import { freezeTime } from '../support/clock.js';
import { deferred } from '../support/deferred.js';
import { known } from '../support/known.js';
import { MemoryFleet, type MemoryProcess, settled } from '../support/memory-fleet.js';

const A = bearer('value-a');
const B = bearer('value-b');

/** Answers and messages come over two connections: what was published later may be heard first. */
function holdAnswers({ carrier }: MemoryProcess): () => Promise<void> {
  const gate = deferred<void>();
  const { push } = carrier;
  carrier.push = async (...args) => {
    const answer = await push(...args);
    await gate.promise;
    return answer;
  };
  return async () => {
    gate.resolve();
    await settled();
  };
}

describe('what arrives late, or in another order', () => {
  let fleet: MemoryFleet;
  beforeEach(() => {
    freezeTime();
    fleet = new MemoryFleet();
  });
  afterEach(async () => {
    await fleet.close();
    vi.useRealTimers();
  });

  async function two(...scopes: Scope[]): Promise<readonly [MemoryProcess, MemoryProcess]> {
    const [one, other] = [fleet.add(), fleet.add()];
    await fleet.ready();
    for (const { latchkey } of [one, other]) await latchkey.load(scopes);
    await settled();
    return [one, other];
  }

  function agree(...scopes: Scope[]): void {
    const [one, other] = fleet.processes.map(({ latchkey }) => known(latchkey, scopes));
    expect(one).toEqual(other);
  }

  it('an answer is overtaken by what was published after it: a session’s slot ends where the store has it', async () => {
    const [one, other] = await two('S');
    const release = holdAnswers(one);
    one.latchkey.capture('S', A);
    await settled();
    vi.setSystemTime(Date.now() + 1);
    other.latchkey.capture('S', B);
    await settled();
    await release();
    expect(one.latchkey.explain('S').candidates[0]?.fingerprint).toBe(B.fingerprint);
    agree('S', {});
  });

  it('what is known of a credential comes with it', async () => {
    const [one, other] = await two('S');
    const release = holdAnswers(one);
    one.latchkey.capture('S', A);
    await settled();
    vi.setSystemTime(Date.now() + 1);
    const capture = other.latchkey.capture('S', B);
    await settled();
    capture.settle(401);
    await settled();
    await release();
    expect(one.latchkey.explain('S').candidates[0]).toMatchObject({ fingerprint: B.fingerprint, reason: 'rejected' });
    agree('S', {});
  });

  it('so does a tenant’s global slot', async () => {
    const [one, other] = await two('S', 'T', {});
    const release = holdAnswers(one);
    one.latchkey.capture('S', A);
    await settled();
    vi.setSystemTime(Date.now() + 1);
    other.latchkey.capture('T', B);
    await settled();
    await release();
    expect(one.latchkey.explain({}).candidates[0]?.fingerprint).toBe(B.fingerprint);
    agree('S', 'T', {});
  });

  it('and a pin', async () => {
    const [one, other] = await two({});
    const release = holdAnswers(one);
    one.latchkey.pin({}, A);
    await settled();
    vi.setSystemTime(Date.now() + 1);
    other.latchkey.pin({}, B);
    await settled();
    await release();
    expect(one.latchkey.explain({}).candidates[0]?.fingerprint).toBe(B.fingerprint);
    agree({});
  });

  it('and an eviction', async () => {
    const [one, other] = await two('S');
    one.latchkey.capture('S', A);
    await settled();
    vi.setSystemTime(Date.now() + 1);
    const release = holdAnswers(one);
    one.latchkey.capture('S', B);
    await settled();
    vi.setSystemTime(Date.now() + 1);
    other.latchkey.evict('S');
    await settled();
    await release();
    expect(one.latchkey.canRun('S')).toBe(false);
    agree('S', {});
  });

  it('a dead one that was presented in between makes nobody’s presentation any newer', async () => {
    const [one, two, three] = [fleet.add(), fleet.add(), fleet.add()];
    const scopes = ['S', 'T', 'U', {}];
    await fleet.ready();
    for (const { latchkey } of fleet.processes) await latchkey.load(scopes);
    one.latchkey.capture('S', A);
    await settled();
    two.carrier.down = three.carrier.down = true;
    vi.setSystemTime(Date.now() + 1);
    three.latchkey.capture('U', bearer('value-u'));
    vi.setSystemTime(Date.now() + 1);
    two.latchkey.capture('S', B);
    vi.setSystemTime(Date.now() + 1);
    one.latchkey.capture('T', bearer('value-t')).settle(401);
    await settled();
    for (const { carrier } of [three, two]) {
      carrier.down = false;
      await vi.advanceTimersByTimeAsync(2_000);
      await settled();
    }
    for (const { latchkey } of fleet.processes) expect(latchkey.explain('S').candidates[0]?.fingerprint).toBe(B.fingerprint);
    agree(...scopes);
  });
});
