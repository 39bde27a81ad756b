import type { Policy } from './policy.js';

/** No handling: each session's own credential, and a 401 returns nothing to anybody. */
export const silent: Policy = {
  name: 'silent',
  open({ client }) {
    const tokens = new Map<string, string>();
    return {
      presented: (_user, session, token) => void tokens.set(session, token),
      async tick(due) {
        await Promise.all(due.map(({ user, session }) => client.work(user, { authorization: `Bearer ${tokens.get(session)}` })));
      },
      close: async () => {},
    };
  },
};
