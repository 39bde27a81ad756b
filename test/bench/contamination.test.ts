import { describe, expect, it } from 'vitest';
import { bare } from '../../bench/scenarios/bare.js';
import { contamination, TICKS, WORKERS } from '../../bench/scenarios/contamination.js';
import { markAndSkip } from '../../bench/scenarios/mark-and-skip.js';
import { type Peer, policyOf } from '../../bench/scenarios/peer.js';

const play = (peer: Peer) => contamination({ policy: policyOf(peer), warm: true, brings: 'same', seed: 1 });

/** Sends nothing any more once a call has failed, whoever's it was. */
const closesForAll: Peer = {
  refreshes: false,
  serves: 'provider',
  async open(served) {
    const breaker = { isOpen: false };
    return (await bare.open(served)).map((client) => ({
      present: client.present,
      async work() {
        if (breaker.isOpen) throw new Error('open');
        await client.work().catch((error: unknown) => {
          breaker.isOpen = true;
          throw error;
        });
      },
    }));
  },
};

describe('the contamination bench', () => {
  it('finds nothing where each session has an instance of its own', async () => {
    expect(await play(bare)).toEqual({
      foreignCredentialCalls: 0,
      healthyScopesBlocked: 0,
      upstream401s: TICKS * WORKERS,
      instances: 4,
    });
  });

  it("counts calls with somebody else's credential", async () => {
    const { foreignCredentialCalls, healthyScopesBlocked, instances } = await play(markAndSkip);

    expect({ foreignCredentialCalls, healthyScopesBlocked, instances }).toEqual({
      // Each piece of work of the revoked session is done with the credential that came last.
      foreignCredentialCalls: TICKS * WORKERS,
      healthyScopesBlocked: 0,
      instances: 1,
    });
  });

  it('counts healthy scopes that are blocked', async () => {
    expect(await play(closesForAll)).toMatchObject({ foreignCredentialCalls: 0, healthyScopesBlocked: 1, instances: 2 });
  });
});
