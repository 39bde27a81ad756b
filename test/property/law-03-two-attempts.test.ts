import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type RunOptions } from '../../src/index.js';
import { freezeTime } from '../support/clock.js';
import { Model, type Presentation } from './model.js';
import { type Attempted, anySchedule, codeOf, isRejected, Race, type Reply } from './race.js';
import { CHECKED, LONG_MS } from './runs.js';

// L1: What is not usable for a scope is never handed out for it, but for one leased probe.
// L3: One `run` sends at most two attempts for auth reasons: the first, and one retry, with a different identity (or the same one, proven by a
// call sent after this run's rejection). No dead identity is sent twice within a run, through any slot, before or after a park.

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const CREDENTIALS = ['a', 'b', 'c', 'd'].map((name) => bearer(`token-${name}`));
const SCOPES = [
  { session: 's', provider: 'p' },
  { session: 't', provider: 'p' },
  { session: 's', provider: 'p', purpose: 'x' },
  { provider: 'p' },
] as const;

const anyWhere = fc.nat({ max: SCOPES.length - 1 });
const anyEvent = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('capture' as const), at: anyWhere, which: fc.nat({ max: 3 }) }) },
  // The client's own request goes well, or does not, with what it presented.
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('client' as const),
      at: anyWhere,
      which: fc.nat({ max: 3 }),
      reply: fc.constantFrom('accepted' as const, 'rejected' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forgive' as const), which: fc.nat({ max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('call off' as const), which: fc.nat({ max: 5 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 20, 1_000) }) },
);
const anyRun = fc.record({
  at: anyWhere,
  options: fc.record<RunOptions>({
    whenBlocked: fc.constantFrom('throw', 'skip', 'park', 'park'),
    parkMs: fc.constant(60_000),
    transient: fc.constantFrom(undefined, { retries: 2, minMs: 10, maxMs: 100 }),
    rejected: fc.constantFrom('throw', 'throw', 'return'),
    urgent: fc.boolean(),
  }),
});
const anyReply = fc.constantFrom<Reply>(
  'rejected',
  'rejected',
  'thrown rejection',
  'refused',
  'accepted',
  'transient',
  'none',
  'unused',
  'held',
);

interface Story {
  readonly first: number;
  readonly events: readonly (typeof anyEvent extends fc.Arbitrary<infer T> ? T : never)[];
  readonly runs: readonly (typeof anyRun extends fc.Arbitrary<infer T> ? T : never)[];
  readonly replies: readonly Reply[];
  readonly canary: 'doubtful' | 'off';
}
const anyStory: fc.Arbitrary<Story> = fc.record({
  first: fc.nat({ max: 3 }),
  events: fc.array(anyEvent, { maxLength: 12, size: 'max' }),
  runs: fc.array(anyRun, { minLength: 1, maxLength: 5, size: 'max' }),
  replies: fc.array(anyReply, { minLength: 1, maxLength: 12, size: 'max' }),
  canary: fc.constantFrom('doubtful', 'off'),
});

it('L1, L3: two attempts for auth reasons, no dead credential, whatever else goes on', { timeout: LONG_MS }, async () => {
  await fc.assert(
    fc.asyncProperty(anyStory, anySchedule, async ({ first, events, runs, replies, canary }, schedule) => {
      const latchkey = createLatchkey({ canary, limits: { sessions: 10, identities: 20, parked: 20 } });
      const model = new Model({ now: Date.now });
      const clients: Proof[] = [];
      let answers = 0;
      const race = new Race(schedule, latchkey, model, () => replies[answers++ % replies.length] as Reply);
      const present = (at: number, which: number): { real: ReturnType<typeof latchkey.capture>; modelled: Presentation } => {
        const scope = SCOPES[at] as (typeof SCOPES)[number];
        const credential = CREDENTIALS[which] as (typeof CREDENTIALS)[number];
        // The model first: what it says must hold at the very moment when somebody is woken.
        const modelled = model.arrive(scope, credential);
        model.install(modelled);
        return { real: latchkey.capture(scope, credential), modelled };
      };
      present(0, first);
      for (const { at, options } of runs) race.later(`run in ${at}`, () => race.start(SCOPES[at] as (typeof SCOPES)[number], options));
      for (const event of events) {
        race.later(event.do, () => {
          if (event.do === 'capture') present(event.at, event.which);
          if (event.do === 'call off') race.callOff(event.which);
          if (event.do === 'wait') return vi.advanceTimersByTimeAsync(event.ms);
          if (event.do === 'forgive') {
            const { fingerprint } = CREDENTIALS[event.which] as (typeof CREDENTIALS)[number];
            const known = model.find('p', fingerprint);
            if (known !== undefined) model.forgive(known);
            latchkey.forgive(fingerprint);
          }
          if (event.do === 'client') {
            const { real, modelled } = present(event.at, event.which);
            const known = model.knownOf(modelled);
            if (known !== undefined) model.hear({ known, scope: modelled.scope, sent: modelled.at }, event.reply, true);
            const { fingerprint } = modelled.credential;
            if (event.reply === 'accepted') clients.push({ fingerprint, sent: race.mark(), answered: race.mark() });
            real.settle(event.reply === 'accepted' ? 200 : 401);
          }
          return undefined;
        });
      }
      expect(await race.finish()).toBe(true);

      const all = race.runs.flatMap(({ attempts }) => attempts);
      expect(all.map(({ objection }) => objection).filter((objection) => objection !== undefined)).toEqual([]);
      for (const [index, run] of race.runs.entries()) {
        const { attempts } = run;
        expect(attempts.filter(isRejected).length).toBeLessThanOrEqual(2);
        expect(attempts.length).toBeLessThanOrEqual(2 + (runOptions(runs, index)?.transient?.retries ?? 2));
        for (const [place, attempt] of attempts.entries()) {
          for (const earlier of attempts.slice(0, place)) {
            if (earlier.fingerprint === attempt.fingerprint && isRejected(earlier))
              expectProven(attempt, earlier, [...clients, ...all.filter(isProof)]);
          }
        }
        // With its retry spent it is over at once: it never parks.
        if (run.spentAt !== undefined) expect(run.endedAt).toBe(run.spentAt);
        if (run.spentAt !== undefined && 'error' in (run.end ?? {})) expect(codeOf(run)).toBe('CREDENTIAL_REJECTED');
      }
      await latchkey.close({ timeoutMs: 0 });
    }),
    CHECKED,
  );
});

function runOptions(runs: Story['runs'], index: number): RunOptions | undefined {
  // Runs are started in the schedule's order, so only the most generous bound holds for all when they differ.
  return runs.length === 1 ? runs[index]?.options : undefined;
}

/** A call that was accepted: an attempt's, or a client's own. */
interface Proof {
  readonly fingerprint: string;
  readonly sent: number;
  readonly answered: number;
}

function isProof(attempt: Attempted): attempt is Attempted & Proof {
  return attempt.reply === 'accepted' && attempt.answered !== undefined;
}

/** Sent again within one run, it must have been proven by a call that was sent after the rejection. */
function expectProven(attempt: Attempted, rejected: Attempted, proofs: readonly Proof[]): void {
  const since = proofs.filter(
    ({ fingerprint, sent, answered }) =>
      fingerprint === attempt.fingerprint && sent > (rejected.answered as number) && answered < attempt.sent,
  );
  expect(since.length).toBeGreaterThan(0);
}
