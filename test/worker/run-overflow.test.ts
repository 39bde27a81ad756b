import { expect, it } from 'vitest';
import { bearer, createLatchkey, type Latchkey, type Lease, type RunOptions } from '../../src/index.js';
import { settled } from '../support/clock.js';
import { deferred } from '../support/deferred.js';

/** All seats taken: one run is the canary of `live`, one waits behind it. Then a run of a session meets a 401 and would have to wait as well. */
async function overflowing(options: RunOptions): Promise<unknown> {
  const latchkey: Latchkey = createLatchkey({ limits: { parked: 1 } });
  const gate = deferred();
  const attempt = async (lease: Lease): Promise<Response> => {
    if (lease.credential.reveal() === 'dead') return new Response('why', { status: 401 });
    await gate.promise;
    return new Response('done');
  };
  latchkey.capture('own', bearer('dead'));
  latchkey.capture('other', bearer('live'));
  const others = [latchkey.run('other', attempt), latchkey.run('other', attempt)];
  await settled();
  const run = latchkey.run('own', attempt, options).catch((error: unknown) => error);
  await settled();
  gate.resolve();
  await Promise.all(others);
  return run;
}

it('a run that has its rejected answer in hand, and no seat to wait for another credential, gives that answer back', async () => {
  const response = (await overflowing({ rejected: 'return' })) as Response;
  expect([response.status, await response.text()]).toEqual([401, 'why']);
});

it('one that throws rejections says that there was no seat', async () => {
  expect(await overflowing({})).toMatchObject({ code: 'PARK_OVERFLOW' });
});
