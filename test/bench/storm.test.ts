import { describe, expect, it } from 'vitest';
import { type Peer, policyOf } from '../../bench/scenarios/peer.js';
import { storm } from '../../bench/scenarios/storm.js';
import { Upstream } from '../../bench/scenarios/upstream.js';

/** Sends nothing from the first 401 on that it hears of. */
const stopsAtOnce: Peer = {
  refreshes: false,
  serves: 'session',
  open: (served) =>
    served.map(({ send }) => {
      let held = '';
      let isDead = false;
      return {
        present(token) {
          held = token;
        },
        async work() {
          if (isDead) return;
          const { status } = await send(held);
          isDead ||= status === 401;
        },
      };
    }),
};

describe('the storm bench', () => {
  it('counts as under way what had left when the first 401 was answered, and nothing that leaves upon it', async () => {
    const upstream = new Upstream(() => 1);

    await Promise.all(['dead', 'dead', 'dead'].map(upstream.send));
    await upstream.send('dead');

    expect(upstream).toMatchObject({ calls: 4, unauthorized: 4, callsOut: 3 });
  });

  it('leaves nothing more under way with whoever stops at the first 401', async () => {
    const { upstreamCalls, upstream401s, callsOut } = await storm({ policy: policyOf(stopsAtOnce), warm: true, brings: 'new', seed: 1 });

    expect(callsOut).toBeGreaterThan(0);
    expect({ upstreamCalls, upstream401s }).toEqual({ upstreamCalls: callsOut, upstream401s: callsOut });
  });
});
