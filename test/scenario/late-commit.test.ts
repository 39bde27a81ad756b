import { expect, it } from 'vitest';
import { bearer, createLatchkey } from '../../src/index.js';
import { answering } from '../support/answering.js';
import { manualClock } from '../support/clock.js';

it('case 17: a long turn that began with the old token commits after a short one with the new: the new one stays', async () => {
  const latchkey = createLatchkey({ clock: manualClock() });
  const upstream = answering({ old: 401 });

  // The gateway vouches for a credential only once its own request has gone through.
  const longTurn = latchkey.capture('S', bearer('old'), { provisional: true });
  await expect(latchkey.run('S', upstream.attempt)).rejects.toMatchObject({ code: 'CREDENTIAL_MISSING' });

  const shortTurn = latchkey.capture('S', bearer('new'), { provisional: true });
  shortTurn.settle(200);
  shortTurn.commit();
  await latchkey.run('S', upstream.attempt);

  // The long turn streams to its end, on a token that has expired meanwhile.
  longTurn.settle(200);
  longTurn.commit();
  expect(longTurn.changed).toBe(false);
  await latchkey.run('S', upstream.attempt);
  expect(upstream.sent).toEqual(['new', 'new']);
});

it('case 17: a turn that fails is discarded, and a turn of a session that ended leaves nothing', async () => {
  const latchkey = createLatchkey({ clock: manualClock() });
  const upstream = answering();
  latchkey.capture('S', bearer('good'));

  const failed = latchkey.capture('S', bearer('mistyped'), { provisional: true });
  failed.settle(401);
  failed.discard();
  await latchkey.run('S', upstream.attempt);

  const open = latchkey.capture('S', bearer('later'), { provisional: true });
  latchkey.evict('S');
  open.settle(200);
  open.commit();
  await expect(latchkey.run('S', upstream.attempt)).rejects.toMatchObject({ code: 'CREDENTIAL_MISSING' });
  await expect(latchkey.run({}, upstream.attempt)).rejects.toMatchObject({ code: 'CREDENTIAL_MISSING' });
  expect(upstream.sent).toEqual(['good']);
});
