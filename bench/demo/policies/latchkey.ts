import { bearer, createIdleLoop, createLatchkey, type Scope } from '../../../src/index.js';
import type { Policy, Work } from './policy.js';

/** This library with its default options: tenants named, its idle loop, its Sentry reporter. */
export const latchkey: Policy = {
  name: 'latchkey',
  open({ client, tracker, tickMs, clock }) {
    const lk = createLatchkey({ tenancy: 'multi', reporter: tracker.reporter(), clock });
    // A blocked scope is skipped and its incident reported, so nothing is expected to fail.
    const failures: unknown[] = [];
    let due: readonly Work[] = [];
    const loop = createIdleLoop<Work>(lk, {
      everyMs: tickMs,
      items: () => due,
      scope: scopeOf,
      task: ({ user }, { run }) => run(async (lease, { check }) => check(await client.work(user, lease.headers()))),
      onError: (error) => failures.push(error),
    });
    return {
      presented: (user, session, token) => void lk.capture({ tenant: user, session, provider: 'upstream' }, bearer(token)),
      async tick(work) {
        due = work;
        await loop.tick();
        if (failures.length > 0) throw failures[0];
      },
      async close() {
        await loop.stop();
        await lk.close();
      },
    };
  },
};

function scopeOf({ user, session, worker }: Work): Scope {
  return { tenant: user, session, provider: 'upstream', purpose: `worker-${worker + 1}` };
}
