import { expect, it } from 'vitest';
import { bearer, createLatchkey } from '../../src/index.js';
import { answering } from '../support/answering.js';
import { manualClock } from '../support/clock.js';
import { hearAll, named } from '../support/heard.js';

it('case 27: two tenants share a gateway, its session names and its providers, and nothing else', async () => {
  const latchkey = createLatchkey({ tenancy: 'multi', clock: manualClock() });
  const heard = hearAll(latchkey);
  const acme = { tenant: 'acme', session: 'main', provider: 'P' };
  const globex = { tenant: 'globex', session: 'main', provider: 'P' };
  const upstream = answering({ 'globex-1': 401 });

  latchkey.capture(acme, bearer('acme-1')).settle(200);
  latchkey.capture(globex, bearer('globex-1'));
  await latchkey.run(acme, upstream.attempt);
  await expect(latchkey.run(globex, upstream.attempt)).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED', scope: globex });

  // Acme's credentials come and go; globex is lent none of them.
  const waiting = latchkey.whenRunnable(globex);
  let woken = false;
  void waiting.then(() => (woken = true));
  for (let index = 2; index < 10; index++) {
    latchkey.capture({ ...acme, session: `s${index}` }, bearer(`acme-${index}`)).settle(200);
    for (const scope of [globex, { ...globex, session: 'other' }, { tenant: 'globex', provider: 'P' }]) {
      await expect(latchkey.run(scope, upstream.attempt)).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
    }
  }
  expect(woken).toBe(false);
  expect(upstream.sent).toEqual(['acme-1', 'globex-1']);

  latchkey.evict({ tenant: 'acme' });
  expect(latchkey.canRun(acme)).toBe(false);
  latchkey.capture({ ...globex, session: 'other' }, bearer('globex-2'));
  await waiting;
  await latchkey.run(globex, upstream.attempt);
  await expect(latchkey.run(acme, upstream.attempt)).rejects.toMatchObject({ code: 'CREDENTIAL_MISSING' });
  expect(upstream.sent).toEqual(['acme-1', 'globex-1', 'globex-2']);
  expect(named(heard, 'borrowed')).toMatchObject([{ scope: globex, fingerprint: bearer('globex-2').fingerprint }]);
  expect(latchkey.snapshot().slots.every(({ scope }) => scope.tenant === 'globex')).toBe(true);
});

it('the same bytes in two tenants are one identity: its 401 is a fact for both, its 403 for the scope that met it', () => {
  const latchkey = createLatchkey({ tenancy: 'multi', clock: manualClock() });
  const scopes = [
    { tenant: 'acme', session: 'S' },
    { tenant: 'globex', session: 'S' },
  ] as const;
  for (const scope of scopes) latchkey.capture(scope, bearer('shared'));
  const resolution = latchkey.resolve(scopes[0]);
  if (!resolution.ok) throw new Error('blocked');
  resolution.lease.settle(403);
  expect(scopes.map((scope) => latchkey.canRun(scope))).toEqual([false, true]);
  latchkey.capture(scopes[1], bearer('shared')).settle(401);
  expect(scopes.map((scope) => latchkey.canRun(scope))).toEqual([false, false]);
});
