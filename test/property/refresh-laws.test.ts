import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, isLatchkeyError, type Latchkey, type LatchkeyOptions, type RunOptions } from '../../src/index.js';
import { freezeTime, START, settled } from '../support/clock.js';
import { EVENT_NAMES } from '../support/heard.js';
import { recordingReporter } from '../support/reporter.js';
import type { ModelScope } from './model.js';
import { type Attempted, anySchedule, codeOf, isRejected, Race, type Reply } from './race.js';
import { OUTCOMES, type Out, type Outcome, TRY_MS, Witness } from './refresh-witness.js';
import { CHECKED, LONG_MS } from './runs.js';

// With `refresh` on, L1 to L10 and L12 hold as they do without; one refresh of an identity is out at a time; nothing crosses tenants or providers.

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

/** Clients of different tenants, at different providers, may present the same bytes; the last two expire. */
const CREDENTIALS = [
  bearer('shared-one'),
  bearer('shared-two'),
  bearer('shared-soon', { expiresAt: START + 5_000 }),
  bearer('shared-later', { expiresAt: START + 60_000 }),
] as const;
const SCOPES: readonly ModelScope[] = [
  { tenant: 't', session: 's', provider: 'p' },
  { tenant: 't', session: 's', provider: 'p', purpose: 'x' },
  { tenant: 't', session: 'r', provider: 'p' },
  { tenant: 't', provider: 'p' },
  { tenant: 't', session: 's', provider: 'q' },
  { tenant: 'u', session: 's', provider: 'p' },
  { tenant: 'u', provider: 'p', purpose: 'x' },
];

/** Everything is told, one by one. */
const LOUD = { perHour: 1_000, providerWideAfter: { identities: 1_000, withinMs: 1_000 } };

const anyWhere = fc.nat({ max: SCOPES.length - 1 });
const anyWhich = fc.nat({ max: CREDENTIALS.length - 1 });
const anyEvent = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('capture' as const), at: anyWhere, which: anyWhich }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('client' as const), at: anyWhere, which: anyWhich, status: fc.constantFrom(200, 401, 401) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('lease' as const), at: anyWhere }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('settle' as const), which: fc.nat({ max: 5 }), status: fc.constantFrom(200, 401) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pin' as const), at: anyWhere, which: anyWhich }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unpin' as const), which: fc.nat({ max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forgive' as const), which: anyWhich }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('evict' as const), at: anyWhere, whole: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('call off' as const), which: fc.nat({ max: 5 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 20, TRY_MS, 3_000, 15_000) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('ask' as const) }) },
);
type Event = typeof anyEvent extends fc.Arbitrary<infer T> ? T : never;

const anyRun = fc.record({
  at: anyWhere,
  options: fc.record<RunOptions>({
    whenBlocked: fc.constantFrom('throw', 'skip', 'park', 'park'),
    parkMs: fc.constantFrom(500, 60_000),
    timeoutMs: fc.constantFrom(undefined, undefined, 700, 20_000),
    minTtlMs: fc.constantFrom(undefined, undefined, 3_000),
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
  'accepted',
  'transient',
  'none',
  'unused',
);

interface Story {
  readonly first: readonly number[];
  readonly events: readonly Event[];
  readonly runs: readonly (typeof anyRun extends fc.Arbitrary<infer T> ? T : never)[];
  readonly replies: readonly Reply[];
  readonly outcomes: readonly Outcome[];
  readonly options: LatchkeyOptions;
  /** After how many events it is closed in the middle; never if there are not so many. */
  readonly closesAfter: number;
}
const anyStory: fc.Arbitrary<Story> = fc.record({
  first: fc.array(anyWhich, { minLength: 1, maxLength: SCOPES.length, size: 'max' }),
  events: fc.array(anyEvent, { maxLength: 16, size: 'max' }),
  runs: fc.array(anyRun, { minLength: 1, maxLength: 6, size: 'max' }),
  replies: fc.array(anyReply, { minLength: 1, maxLength: 12, size: 'max' }),
  outcomes: fc.array(fc.constantFrom(...OUTCOMES, 'fresh' as const, 'fresh' as const), { minLength: 1, maxLength: 8, size: 'max' }),
  options: fc.record<LatchkeyOptions>({
    canary: fc.constantFrom('doubtful', 'off'),
    fallback: fc.constantFrom('global', 'global', 'none'),
    expiry: fc.constant({ advisoryMs: 2_000, mandatoryMs: 100, jitterMs: 0 }),
  }),
  closesAfter: fc.constantFrom(3, 8, 100, 100, 100),
});

const LEARNT: Partial<Record<Reply, 'accepted' | 'rejected' | 'held'>> = {
  accepted: 'accepted',
  rejected: 'rejected',
  'thrown rejection': 'rejected',
  held: 'held',
};

it('L1 to L10, L12 with a refresh', { timeout: LONG_MS }, async () => {
  await fc.assert(
    fc.asyncProperty(anyStory, anySchedule, async (story, schedule) => {
      vi.clearAllTimers();
      vi.setSystemTime(START);
      const witness = new Witness();
      const reporter = recordingReporter();
      const texts: string[] = [];
      const latchkey = createLatchkey({
        ...story.options,
        reporter,
        report: LOUD,
        probe: 'off',
        refreshMs: TRY_MS,
        refresh: witness.refresh(story.outcomes, () => schedule.schedule(Promise.resolve(), 'a refresh is answered')),
        limits: { sessions: 100, identities: 1_000, parked: 100 },
      });
      for (const name of EVENT_NAMES) latchkey.on(name, (event: unknown) => void texts.push(JSON.stringify(event)));
      // L6: nobody is told of what is being mended.
      latchkey.on('blocked', ({ scope }) => {
        const { state } = latchkey.status(scope);
        if (state === 'refreshing' || state === 'ready') witness.objections.push(`L6: told of ${JSON.stringify(scope)}, which is ${state}`);
      });

      const outs = new Map<Attempted, Out>();
      let answers = 0;
      const watched: Latchkey = {
        ...latchkey,
        run: ((scope: ModelScope, attempt: Parameters<Latchkey['run']>[1], options: RunOptions) =>
          latchkey.run(
            scope,
            (lease, context) => {
              const out = witness.sending(scope, lease);
              const answer = attempt(lease, context);
              // It is in the race by now, which knows it by what it is answered.
              for (const { attempts } of race.runs) for (const one of attempts) if (!outs.has(one)) outs.set(one, out);
              return answer;
            },
            options,
          )) as Latchkey['run'],
      };
      const race = new Race(schedule, watched, undefined, (attempted) => {
        const reply = story.replies[answers++ % story.replies.length] as Reply;
        const learnt = LEARNT[reply];
        const out = outs.get(attempted);
        const run = race.runs[attempted.run];
        // Of a run that was called off nothing counts, nor of any once it is closed; one that ran out of time teaches all the same.
        if (learnt !== undefined && out !== undefined && run?.calledOff === false && !isOver) witness.learnt(out, learnt);
        return reply;
      });
      let isOver = false;
      const leases: { settle: (status: number) => void }[] = [];
      const unpins: (() => void)[] = [];
      const proofs: { fingerprint: string; sent: number; answered: number }[] = [];
      let closing: Promise<void> | undefined;
      const close = (timeoutMs: number): Promise<void> => {
        isOver = true;
        witness.closed = true;
        closing ??= latchkey.close({ timeoutMs });
        return closing;
      };

      const take = (event: Event): unknown => {
        if (isOver && event.do !== 'wait' && event.do !== 'ask') return;
        switch (event.do) {
          case 'capture':
            return void witness.capture(latchkey, SCOPES[event.at] as ModelScope, CREDENTIALS[event.which] as (typeof CREDENTIALS)[number]);
          case 'client': {
            const credential = CREDENTIALS[event.which] as (typeof CREDENTIALS)[number];
            const place = race.mark();
            const { real, out } = witness.capture(latchkey, SCOPES[event.at] as ModelScope, credential);
            witness.learnt(out, event.status === 200 ? 'accepted' : 'rejected');
            if (event.status === 200) proofs.push({ fingerprint: credential.fingerprint, sent: place, answered: race.mark() });
            return void real.settle(event.status);
          }
          case 'lease': {
            const scope = SCOPES[event.at] as ModelScope;
            const resolution = latchkey.resolve(scope);
            if (!resolution.ok) return;
            const { lease } = resolution;
            const place = race.mark();
            const out = witness.sending(scope, lease);
            leases.push({
              settle: (status) => {
                witness.learnt(out, status === 200 ? 'accepted' : 'rejected');
                if (status === 200) proofs.push({ fingerprint: lease.credential.fingerprint, sent: place, answered: race.mark() });
                lease.settle(status);
              },
            });
            return;
          }
          case 'settle':
            return void leases[event.which]?.settle(event.status);
          case 'pin': {
            const { tenant, provider } = SCOPES[event.at] as ModelScope;
            const scope = { ...(tenant === undefined ? {} : { tenant }), ...(provider === undefined ? {} : { provider }) };
            const credential = CREDENTIALS[event.which] as (typeof CREDENTIALS)[number];
            witness.presented(scope, credential);
            witness.forgiven(provider, credential.fingerprint);
            unpins.push(latchkey.pin(scope, credential));
            return;
          }
          case 'unpin':
            witness.evicted();
            return unpins[event.which]?.();
          case 'forgive': {
            const { fingerprint } = CREDENTIALS[event.which] as (typeof CREDENTIALS)[number];
            for (const provider of ['p', 'q']) witness.forgiven(provider, fingerprint);
            return latchkey.forgive(fingerprint);
          }
          case 'evict': {
            const { tenant, session } = SCOPES[event.at] as ModelScope;
            witness.evicted();
            const isWhole = event.whole || session === undefined;
            return latchkey.evict({ ...(tenant === undefined ? {} : { tenant }), ...(isWhole ? {} : { session }) });
          }
          case 'call off':
            return race.callOff(event.which);
          case 'wait':
            return vi.advanceTimersByTimeAsync(event.ms);
          case 'ask':
            return ask(latchkey, witness);
        }
      };

      for (const [at, which] of story.first.entries()) take({ do: 'capture', at, which });
      const places: number[] = [];
      for (const [index, { at, options }] of story.runs.entries()) {
        race.later(`run in ${at}`, () => {
          places[race.runs.length] = index;
          race.start(SCOPES[at] as ModelScope, options);
        });
      }
      for (const [index, event] of story.events.entries()) {
        race.later(event.do, () => take(event));
        if (index === story.closesAfter) race.later('close', () => void close(500));
      }
      expect(await race.finish()).toBe(true);

      expect(witness.objections).toEqual([]);
      const attempts = race.runs.flatMap((run) => run.attempts);
      const accepted = [...proofs, ...attempts.filter((one) => one.reply === 'accepted' && one.answered !== undefined)];
      for (const [place, run] of race.runs.entries()) {
        // L3
        expect(run.attempts.filter(isRejected).length).toBeLessThanOrEqual(2);
        for (const [later, attempt] of run.attempts.entries()) {
          for (const earlier of run.attempts.slice(0, later)) {
            if (earlier.fingerprint !== attempt.fingerprint || !isRejected(earlier)) continue;
            const isProven = accepted.some(
              ({ fingerprint, sent, answered }) =>
                fingerprint === attempt.fingerprint && sent > (earlier.answered ?? 0) && (answered ?? 0) < attempt.sent,
            );
            expect(isProven).toBe(true);
          }
        }
        // L12
        const options = story.runs[places[place] ?? 0]?.options;
        const code = codeOf(run);
        if (run.calledOff) expect(run.end).toEqual({ error: new Error('called off') });
        if (code === 'TIMEOUT') expect(options?.timeoutMs).toBeDefined();
        if (code === 'PARK_TIMEOUT') expect(options?.whenBlocked).toBe('park');
        if (code === 'CLOSED') expect(isOver).toBe(true);
        expect(code).not.toBe('PARK_OVERFLOW');
        if (run.end !== undefined && 'error' in run.end && isLatchkeyError(run.end.error))
          texts.push(JSON.stringify(run.end.error), String(run.end.error.stack));
      }
      // L6
      expectPaired(reporter.openings, reporter.endings);

      // L10: nothing is left of those who have gone, nor goes on for them for longer than a try takes.
      if (!isOver) {
        for (const unpin of unpins) unpin();
        for (const tenant of ['t', 'u']) latchkey.evict({ tenant });
        const { sessions, waiting, running } = latchkey.stats();
        expect({ sessions, waiting, running }).toEqual({ sessions: 0, waiting: 0, running: 0 });
        const { tries } = witness;
        await vi.advanceTimersByTimeAsync(11 * 60_000);
        await schedule.waitIdle();
        expect(witness.tries).toBe(tries);
        expect(latchkey.stats().refreshing).toBe(0);
      }
      texts.push(JSON.stringify(latchkey.snapshot()));
      const ending = close(0);
      await vi.advanceTimersByTimeAsync(10_000);
      await ending;
      expect(latchkey.stats()).toMatchObject({ waiting: 0, running: 0, refreshing: 0 });
      await vi.advanceTimersByTimeAsync(10_000);
      expect(vi.getTimerCount()).toBe(0);
      await schedule.waitIdle();
      await settled(2);
      expect(witness.objections).toEqual([]);
      expect(unhandled).toEqual([]);
      // L7
      const all = texts.join('\n');
      for (const value of witness.values) expect(all).not.toContain(value);
    }),
    CHECKED,
  );
});

/** L9: asking changes nothing, and its answers agree. */
function ask(latchkey: Latchkey, witness: Witness): void {
  const known = JSON.stringify(latchkey.snapshot());
  const { tries } = witness;
  for (const scope of SCOPES) {
    const canRun = latchkey.canRun(scope);
    if (latchkey.resolve(scope).ok !== canRun) witness.objections.push('L9: canRun is not resolve().ok');
    const { state } = latchkey.status(scope);
    if ((state === 'ready') !== canRun) witness.objections.push(`L9: ${state} while canRun is ${canRun}`);
    String(latchkey.explain(scope));
    latchkey.stats();
  }
  if (JSON.stringify(latchkey.snapshot()) !== known || witness.tries !== tries) witness.objections.push('L9: asking has changed something');
}

function expectPaired(openings: readonly { id: string }[], endings: readonly { id: string }[]): void {
  const opened = openings.map(({ id }) => id);
  const ended = endings.map(({ id }) => id);
  expect(new Set(opened).size).toBe(opened.length);
  expect(new Set(ended).size).toBe(ended.length);
  for (const id of ended) expect(opened).toContain(id);
}
