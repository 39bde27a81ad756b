import type { Attempt, RefreshFunction } from '../../src/index.js';
import { importBuilt } from '../support/built.js';
import type { Parts, Policy, Session } from './policy.js';

const SCOPE = { session: 'session', provider: 'upstream' };

/** This library, its callers parked. Its clients bring new tokens. */
export const latchkey: Policy = {
  refreshes: false,
  open: (parts) => open(parts, undefined),
};

/** This library, which has been given a way to get new ones. */
export const latchkeyRefresh: Policy = {
  refreshes: true,
  async open(parts) {
    const { bearer } = await importBuilt();
    return open(parts, async () => bearer(await parts.refresh()));
  },
};

async function open({ send, learnt, report }: Parts, refresh: RefreshFunction | undefined): Promise<Session> {
  const { createLatchkey, bearer } = await importBuilt();
  const instance = createLatchkey({ reporter: { opened: report, ended() {} }, refresh });
  instance.on('rejected', learnt);
  const attempt: Attempt<unknown> = async (lease, { check }) => (await check(await send(lease.credential.reveal()))).json();
  return {
    present: (token) => void instance.capture(SCOPE, bearer(token)),
    async work() {
      await instance.run(SCOPE, attempt, { whenBlocked: 'park' });
    },
    async tick() {
      return (await instance.run(SCOPE, attempt, { whenBlocked: 'skip' })) !== undefined;
    },
    close: () => instance.close(),
  };
}
