import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { bearer, createLatchkey } from '../../src/index.js';
import { freezeTime, settled } from '../support/clock.js';
import { anySchedule, codeOf, Race, type Reply } from './race.js';
import { CHECKED, LONG_MS } from './runs.js';

// L12: One waiter's abort, deadline or failure never rejects another; no unhandled rejection; nothing keeps the process alive.

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);

beforeEach(() => {
  freezeTime();
  unhandled.length = 0;
  process.on('unhandledRejection', note);
});
afterEach(() => {
  process.off('unhandledRejection', note);
  vi.useRealTimers();
});

const A = bearer('token-a');
const B = bearer('token-b');

const anyWaiter = fc.record({
  session: fc.nat({ max: 3 }),
  /** When its own caller gives up: never, by abort, or by a deadline. */
  ends: fc.constantFrom('never', 'never', 'abort', 'deadline'),
  urgent: fc.constantFrom(false, false, true),
  patient: fc.boolean(),
});

function fail(): never {
  throw new Error('a hook that fails');
}

/** Everything of the user's throws, or rejects. */
const HOSTILE = {
  reporter: { opened: fail, ended: async () => fail() },
  classify: fail,
  fallback: fail,
  canonicalProvider: fail,
} as const;

it('L12: each waiter ends by what happens to itself', { timeout: LONG_MS }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyWaiter, { minLength: 1, maxLength: 12, size: 'max' }),
      fc.constantFrom('parked', 'behind a canary'),
      fc.array(fc.constantFrom<Reply>('transient', 'none', 'accepted', 'accepted', 'unused'), { minLength: 1, maxLength: 6 }),
      fc.boolean(),
      anySchedule,
      async (waiters, where, replies, hostile, schedule) => {
        const latchkey = createLatchkey({ ...(hostile ? HOSTILE : {}), limits: { sessions: 10, identities: 10, parked: 50 } });
        if (hostile)
          for (const name of ['captured', 'parked', 'accepted', 'resumed', 'error'] as const) latchkey.on(name, async () => fail());
        if (hostile) for (const name of ['captured', 'incident', 'retried', 'error'] as const) latchkey.on(name, fail);
        for (let session = 0; session <= 3; session++) {
          const capture = latchkey.capture({ session: `s${session}`, provider: 'p' }, A);
          if (where === 'parked') capture.settle(401);
        }
        let answered = 0;
        const race = new Race(schedule, latchkey, undefined, () => replies[answered++ % replies.length] as Reply);
        const ready: Promise<unknown>[] = [];
        for (const [index, { session, ends, urgent, patient }] of waiters.entries()) {
          race.later(`run ${index}`, () => {
            const place = race.runs.length;
            race.start(
              { session: `s${session}`, provider: 'p' },
              {
                whenBlocked: 'park',
                urgent,
                ...(ends === 'deadline' ? { timeoutMs: 40 } : {}),
                ...(patient ? { transient: { retries: 2, minMs: 10, maxMs: 20 } } : {}),
              },
            );
            deadlines[place] = ends === 'deadline';
            if (ends === 'abort') race.later(`abort ${index}`, () => race.callOff(place));
          });
          ready.push(latchkey.whenRunnable({ session: `s${session}`, provider: 'p' }));
        }
        const deadlines: boolean[] = [];
        race.later('time passes', () => vi.advanceTimersByTimeAsync(50));
        race.later('fresh auth', () => {
          for (let session = 0; session <= 3; session++) latchkey.capture({ session: `s${session}`, provider: 'p' }, B);
        });
        expect(await race.finish()).toBe(true);

        for (const [index, run] of race.runs.entries()) {
          if (run.calledOff) expect(run.end).toEqual({ error: new Error('called off') });
          // A deadline of its own, and nobody else's, is the one failure left: fresh auth came for all, and no reply rejects.
          else if (codeOf(run) !== undefined) expect([codeOf(run), deadlines[index]]).toEqual(['TIMEOUT', true]);
          else expect(run.end !== undefined && 'value' in run.end).toBe(true);
        }
        const results = await Promise.allSettled(ready);
        expect(results.every(({ status }) => status === 'fulfilled')).toBe(true);
        await latchkey.close({ timeoutMs: 0 });
        expect(latchkey.stats().waiting).toBe(0);
        expect(vi.getTimerCount()).toBe(0);
        await settled(2);
        expect(unhandled).toEqual([]);
      },
    ),
    CHECKED,
  );
});

it('L12: a leader that throws what it likes fails alone', { timeout: LONG_MS }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('string', 'undefined', 'type error', 'ok', 'abort error', 'hangs'), {
        minLength: 1,
        maxLength: 10,
        size: 'max',
      }),
      fc.boolean(),
      async (kinds, hostile) => {
        const latchkey = createLatchkey({
          ...(hostile ? HOSTILE : {}),
          canaryMs: 1_000,
          limits: { sessions: 4, identities: 8, parked: 50 },
        });
        latchkey.capture({ session: 's', provider: 'p' }, A);
        const own = new TypeError('its own');
        const aborted = Object.assign(new Error('stopped'), { name: 'AbortError' });
        const runs = kinds.map((kind, index) =>
          latchkey.run(
            { session: 's', provider: 'p' },
            async () => {
              await settled(1);
              if (kind === 'string') throw 'a plain string';
              if (kind === 'undefined') throw undefined;
              if (kind === 'type error') throw own;
              if (kind === 'abort error') throw aborted;
              if (kind === 'hangs') await new Promise(() => {});
              return index;
            },
            kind === 'hangs' ? { timeoutMs: 500 } : {},
          ),
        );
        let left = runs.length;
        const results = Promise.allSettled(runs.map((run) => run.finally(() => left--)));
        for (let round = 0; left > 0 && round < 25; round++) {
          await settled(3);
          if (left > 0 && kinds.includes('hangs')) await vi.advanceTimersByTimeAsync(250);
        }
        expect(left).toBe(0);
        for (const [index, result] of (await results).entries()) {
          const kind = kinds[index];
          if (kind === 'ok') expect(result).toEqual({ status: 'fulfilled', value: index });
          else if (kind === 'hangs') expect(result).toMatchObject({ status: 'rejected', reason: { code: 'TIMEOUT' } });
          else {
            const thrown = { string: 'a plain string', undefined: undefined, 'type error': own, 'abort error': aborted }[kind as string];
            expect(result.status === 'rejected' && Object.is(result.reason, thrown)).toBe(true);
          }
        }
        const closing = latchkey.close({ timeoutMs: 0 });
        await vi.advanceTimersByTimeAsync(1);
        await closing;
        expect(vi.getTimerCount()).toBe(0);
        await settled(2);
        expect(unhandled).toEqual([]);
      },
    ),
    CHECKED,
  );
});
