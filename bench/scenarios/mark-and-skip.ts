import type { Peer, PeerClient, PeerParts } from './peer.js';

const SKIPPED = new Error('skipped');

/**
 * What is written by hand: a 401 marks the session stale, a stale session uses the last credential that anybody presented, one retry follows if that is
 * another one, and nothing is sent while both are the same.
 */
export const markAndSkip: Peer = {
  refreshes: false,
  serves: 'gateway',
  open(served) {
    const gateway = { lastSeen: '' };
    return served.map((parts) => clientOf(parts, gateway));
  },
};

function clientOf({ send }: PeerParts, gateway: { lastSeen: string }): PeerClient {
  let own = '';
  let isStale = false;
  return {
    present(token) {
      own = token;
      isStale = false;
      gateway.lastSeen = token;
    },
    async work() {
      if (isStale && own === gateway.lastSeen) throw SKIPPED;
      const token = isStale ? gateway.lastSeen : own;
      let response = await send(token);
      if (response.status === 401) {
        isStale = true;
        if (gateway.lastSeen !== token) response = await send(gateway.lastSeen);
      }
      if (!response.ok) throw new Error(`answered ${response.status}`);
    },
    isRefusal: (error) => error === SKIPPED,
  };
}
