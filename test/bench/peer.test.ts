import { describe, expect, it } from 'vitest';
import { type Peer, policyOf } from '../../bench/scenarios/peer.js';
import type { Place } from '../../bench/scenarios/policy.js';

const parts = { send: async () => new Response(), refresh: async () => 'new', report() {} };

function peerOf(refreshes: boolean) {
  const told: string[][] = [];
  const peer: Peer = {
    refreshes,
    serves: 'session',
    open: (served) =>
      served.map(() => {
        const own: string[] = [];
        told.push(own);
        return { present: (token) => void own.push(token), work: async () => {} };
      }),
  };
  return { told, policy: policyOf(peer) };
}

describe('a peer in a scenario', () => {
  it('that refreshes is told of a token once, and of another one', async () => {
    const { told, policy } = peerOf(true);
    const session = await policy.open(parts);

    for (const token of ['a', 'a', 'b', 'a', 'a']) session.present(token);

    expect(told).toEqual([['a', 'b', 'a']]);
  });

  it('that does not is told of every presentation', async () => {
    const { told, policy } = peerOf(false);
    const session = await policy.open(parts);

    for (const token of ['a', 'a']) session.present(token);

    expect(told).toEqual([['a', 'a']]);
  });

  it('is told of the same token in each of several places', async () => {
    const { told, policy } = peerOf(true);
    const places = ['p1', 'p2'].map((provider): Place => ({ ...parts, tenant: 't', provider }));
    const { sessions } = await policy.openAll(places);

    for (const session of sessions) for (const token of ['a', 'a']) session.present(token);

    expect(told).toEqual([['a'], ['a']]);
  });
});
