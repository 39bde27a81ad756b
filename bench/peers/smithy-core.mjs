import { memoize } from '@smithy/core/config';

const HOUR_MS = 3_600_000;
const EARLY_MS = 300_000;

/** @type {import('../scenarios/peer.js').Peer} */
export const peer = {
  refreshes: true,
  serves: 'session',
  open: (served) => served.map(clientOf),
};

/** @param {import('../scenarios/peer.js').PeerParts} parts */
function clientOf({ send, refresh }) {
  /** @type {(options?: { forceRefresh?: boolean }) => Promise<{ token: string; expiration: Date }>} */
  let provider;
  return {
    /** @param {string} token */
    present(token) {
      let isFirst = true;
      provider = memoize(
        async () => {
          const held = isFirst ? token : await refresh();
          isFirst = false;
          return { token: held, expiration: new Date(Date.now() + HOUR_MS) };
        },
        ({ expiration }) => expiration.getTime() - Date.now() < EARLY_MS,
        ({ expiration }) => expiration !== undefined,
      );
    },
    async work() {
      let response = await send((await provider()).token);
      if (response.status === 401) response = await send((await provider({ forceRefresh: true })).token);
      if (!response.ok) throw new Error(`answered ${response.status}`);
    },
  };
}
