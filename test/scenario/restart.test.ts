import { expect, it } from 'vitest';
import { bearer, createLatchkey, type Snapshot } from '../../src/index.js';
import { answering } from '../support/answering.js';
import { manualClock } from '../support/clock.js';
import { recordingReporter } from '../support/reporter.js';

it('case 22: a gateway restarts amid an incident, and does not try the dead tokens again', async () => {
  const users = Array.from({ length: 20 }, (_, index) => ({ session: `user-${index}`, token: bearer(`token-${index}`) }));
  const dead = Object.fromEntries(users.map(({ token }) => [token.reveal(), 401]));
  const clock = manualClock();

  const first = createLatchkey({ clock, fallback: 'none' });
  const before = answering(dead);
  for (const { session, token } of users) {
    first.capture(session, token);
    await first.run(session, before.attempt).catch(() => {});
  }
  expect(before.sent).toHaveLength(20);
  const saved = JSON.stringify(first.snapshot());
  expect(saved).not.toContain('token-');
  await first.close();

  clock.advance(60_000);
  const reporter = recordingReporter();
  const second = createLatchkey({ clock, fallback: 'none', reporter, tombstones: JSON.parse(saved) as Snapshot });
  const after = answering(dead);
  for (const { session, token } of users) {
    expect(second.capture(session, token).usable).toBe(false);
    expect(await second.run(session, after.attempt, { whenBlocked: 'skip' })).toBeUndefined();
  }
  expect(after.sent).toEqual([]);
  expect(second.stats()).toMatchObject({ attempts: 0, openIncidents: 20 });

  // One user logs in again; another's token works again, as the client's own request shows.
  second.capture('user-0', bearer('renewed')).settle(200);
  second.capture('user-1', bearer('token-1')).settle(200);
  await second.run('user-0', after.attempt);
  await second.run('user-1', () => 'done');
  expect(after.sent).toEqual(['renewed']);
  expect(reporter.endings.map(({ end }) => end)).toEqual(['fresh', 'proof']);
  await second.close();
});
