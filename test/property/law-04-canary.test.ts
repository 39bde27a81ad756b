import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { bearer, createLatchkey } from '../../src/index.js';
import { freezeTime } from '../support/clock.js';
import { anySchedule, isRejected, Race, type Reply } from './race.js';
import { CHECKED, LONG_MS } from './runs.js';

// L4: After the first rejection of an identity no new call leaves with it; back-off retries resolve anew. If it was doubtful when its calls
// began and the leader answers within `canaryMs`, exactly one call meets the rejection.

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const A = bearer('token-a');
const G = bearer('token-g');

const anyWorker = fc.record({
  session: fc.nat({ max: 4 }),
  whenBlocked: fc.constantFrom('throw' as const, 'skip' as const, 'park' as const),
  patient: fc.boolean(),
});
const anyCrowd = fc.array(anyWorker, { minLength: 1, maxLength: 12, size: 'max' });
const retried = { retries: 2, minMs: 10, maxMs: 40 };

it('L4: of a crowd on a doubtful token that is dead, one call meets the rejection, on each token', { timeout: LONG_MS }, async () => {
  await fc.assert(
    fc.asyncProperty(
      anyCrowd,
      // How leaders fail before one is told the truth.
      fc.array(fc.constantFrom<Reply>('transient', 'unused', 'rejected', 'thrown rejection'), { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat({ max: 11 }), { maxLength: 3 }),
      fc.boolean(),
      fc.constantFrom<Reply>('rejected', 'accepted'),
      anySchedule,
      async (crowd, stumbles, calledOff, hasGlobal, globalReply, schedule) => {
        // Every leader answers within this, however long the schedule leaves it waiting.
        const latchkey = createLatchkey({ canaryMs: 10_000_000, limits: { sessions: 20, identities: 20, parked: 50 } });
        if (hasGlobal) latchkey.capture({ session: 'owner', provider: 'p' }, G);
        // Presented before the owner's, so that G stays the one that is lent.
        else latchkey.capture({ session: 'owner', provider: 'p' }, A);
        for (let session = 0; session <= 4; session++) latchkey.capture({ session: `s${session}`, provider: 'p' }, A);
        if (hasGlobal) latchkey.capture({ session: 'owner', provider: 'p' }, G);
        let stumbled = 0;
        const race = new Race(schedule, latchkey, undefined, ({ fingerprint }) => {
          if (fingerprint === G.fingerprint) return globalReply;
          return stumbles[stumbled++] ?? 'rejected';
        });
        for (const { session, whenBlocked, patient } of crowd) {
          race.later(`run of s${session}`, () =>
            race.start(
              { session: `s${session}`, provider: 'p' },
              { whenBlocked, parkMs: 60_000, transient: patient ? retried : undefined },
            ),
          );
        }
        for (const index of calledOff) race.later(`call off ${index}`, () => race.callOff(index));
        expect(await race.finish()).toBe(true);

        const attempts = race.runs.flatMap((run) => run.attempts.map((attempt) => ({ ...attempt, calledOff: run.calledOff })));
        for (const { fingerprint } of [A, G]) {
          const met = attempts.filter((attempt) => attempt.fingerprint === fingerprint && isRejected(attempt) && !attempt.calledOff);
          expect(met.length).toBeLessThanOrEqual(1);
          const [first] = met;
          if (first === undefined) continue;
          const after = attempts.filter((attempt) => attempt.fingerprint === fingerprint && attempt.sent > (first.answered as number));
          expect(after).toEqual([]);
        }
        await latchkey.close({ timeoutMs: 0 });
      },
    ),
    CHECKED,
  );
});

it('L4: of a crowd on a token that was good a moment ago, none leaves after the first rejection', { timeout: LONG_MS }, async () => {
  await fc.assert(
    fc.asyncProperty(
      anyCrowd,
      fc.array(fc.constantFrom<Reply>('transient', 'transient', 'rejected', 'none'), { minLength: 1, maxLength: 5 }),
      fc.boolean(),
      anySchedule,
      async (crowd, replies, urgent, schedule) => {
        const latchkey = createLatchkey({ limits: { sessions: 20, identities: 20, parked: 50 } });
        for (let session = 0; session <= 4; session++) latchkey.capture({ session: `s${session}`, provider: 'p' }, A).settle(200);
        let answered = 0;
        const race = new Race(schedule, latchkey, undefined, () => replies[answered++ % replies.length] as Reply);
        for (const { session, whenBlocked, patient } of crowd) {
          race.later(`run of s${session}`, () =>
            race.start(
              { session: `s${session}`, provider: 'p' },
              { whenBlocked, parkMs: 60_000, urgent, transient: patient ? retried : undefined },
            ),
          );
        }
        race.later('a while', () => vi.advanceTimersByTimeAsync(25));
        expect(await race.finish()).toBe(true);
        const attempts = race.runs.flatMap((run) => run.attempts);
        const first = attempts.filter(isRejected).sort((a, b) => (a.answered as number) - (b.answered as number))[0];
        for (const { sent } of attempts) if (first !== undefined) expect(sent).toBeLessThan(first.answered as number);
        await latchkey.close({ timeoutMs: 0 });
      },
    ),
    CHECKED,
  );
});
