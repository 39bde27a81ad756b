import { expect, it } from 'vitest';
import { bearer, createLatchkey } from '../../src/index.js';
import { reportedOnce } from '../../src/testkit/assertions.js';
import { answering } from '../support/answering.js';
import { manualClock } from '../support/clock.js';
import { recordingReporter } from '../support/reporter.js';

it('case 12: one user on two devices: the one that has not renewed its token does not take the other’s away', async () => {
  const clock = manualClock();
  const reporter = recordingReporter();
  const latchkey = createLatchkey({ clock, reporter });
  const [stale, renewed] = [bearer('stale'), bearer('renewed')];
  const upstream = answering({ stale: 401 });

  latchkey.capture('user', stale);
  await expect(latchkey.run('user', upstream.attempt)).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });

  // The laptop logs in again; the phone goes on with what it has, every second.
  latchkey.capture('user', renewed).settle(200);
  for (let second = 0; second < 30; second++) {
    clock.advance(1_000);
    const phone = latchkey.capture('user', stale);
    expect(phone).toMatchObject({ changed: false, usable: false });
    phone.settle(401);
    await latchkey.run('user', upstream.attempt);
  }
  expect(upstream.sent).toEqual(['stale', ...Array.from({ length: 30 }, () => 'renewed')]);
  expect(latchkey.stats()).toMatchObject({ incidents: 1, openIncidents: 0 });
  reportedOnce(reporter, { ended: 'fresh' });

  // Until the laptop's dies as well: then neither is sent, and the phone's dead one brings nothing back.
  latchkey.capture('user', renewed).settle(401);
  latchkey.capture('user', stale);
  await expect(latchkey.run('user', upstream.attempt)).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
  expect(upstream.sent).toHaveLength(31);
});

it('both devices’ tokens are good: the one that was seen last is used, and a slow 401 of the other harms nothing', async () => {
  const latchkey = createLatchkey({ clock: manualClock() });
  const [laptop, phone] = [bearer('laptop'), bearer('phone')];
  const earlier = latchkey.capture('user', laptop);
  latchkey.capture('user', phone).settle(200);
  const upstream = answering();
  await latchkey.run('user', upstream.attempt);
  earlier.settle(401);
  await latchkey.run('user', upstream.attempt);
  latchkey.capture('user', phone);
  expect(upstream.sent).toEqual(['phone', 'phone']);
  expect(latchkey.capture('user', laptop).usable).toBe(false);
});
