import type { Attempt, Latchkey, RefreshFunction, Scope } from '../../src/index.js';
import { importBuilt } from '../support/built.js';
import type { Parts, Place, Policy, Session } from './policy.js';

/** This library, its callers parked. Its clients bring new tokens. */
export const latchkey: Policy = {
  refreshes: false,
  open: (parts) => open(parts, undefined),
  openAll,
};

/** This library, which has been given a way to get new ones. */
export const latchkeyRefresh: Policy = {
  refreshes: true,
  async open(parts) {
    const { bearer } = await importBuilt();
    return open(parts, async () => bearer(await parts.refresh()));
  },
  openAll,
};

async function open(parts: Parts, refresh: RefreshFunction | undefined): Promise<Session> {
  const { createLatchkey } = await importBuilt();
  const instance = createLatchkey({ reporter: { opened: parts.report, ended() {} }, refresh });
  return sessionOf(instance, { session: 'session', provider: 'upstream' }, parts);
}

/** One for all of them, with sessions of the same name. */
async function openAll(places: readonly Place[]): Promise<{ sessions: Session[]; instances: number }> {
  const { createLatchkey } = await importBuilt();
  const instance = createLatchkey({ tenancy: 'multi' });
  const sessions = await Promise.all(
    places.map((place) => sessionOf(instance, { tenant: place.tenant, session: 'session', provider: place.provider }, place)),
  );
  return { sessions, instances: 1 };
}

async function sessionOf(instance: Latchkey, scope: Scope, { send }: Parts): Promise<Session> {
  const { bearer } = await importBuilt();
  const attempt: Attempt<boolean> = async (lease, { check }) => (await check(await send(lease.credential.reveal()))).ok;
  return {
    present: (token) => void instance.capture(scope, bearer(token)),
    async work() {
      await instance.run(scope, attempt, { whenBlocked: 'park' });
    },
    async tick() {
      return (await instance.run(scope, attempt, { whenBlocked: 'skip' })) !== undefined;
    },
    close: () => instance.close(),
  };
}
