import type { Peer } from './peer.js';

/** The call by itself, with the token that was presented last. */
export const bare: Peer = {
  refreshes: false,
  serves: 'session',
  open: (served) =>
    served.map(({ send }) => {
      let held = '';
      return {
        present(token) {
          held = token;
        },
        async work() {
          const response = await send(held);
          if (!response.ok) throw new Error(`answered ${response.status}`);
        },
      };
    }),
};
