import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Incident, type Lease } from '../../src/index.js';
import { freezeTime, manualClock, settled } from '../support/clock.js';
import { recordingReporter } from '../support/reporter.js';
import type { Known } from './hearsay.js';
import { Model, type ModelScope, type Sent } from './model.js';
import { pick } from './operations.js';
import { CHECKED, LONG_MS } from './runs.js';

// L6: At most one report when an incident opens and one when it ends, whatever the number of sessions, workers, ticks, and processes that
// share a store.

afterEach(() => void vi.useRealTimers());

const CREDENTIALS = ['a', 'b', 'c'].map((name) => bearer(`token-${name}`));
const SCOPES: readonly ModelScope[] = [
  { session: 's', provider: 'p' },
  { session: 't', provider: 'p' },
  { session: 'u', provider: 'p' },
  { session: 's', provider: 'p', purpose: 'x' },
  { provider: 'p' },
];
const at = fc.nat({ max: SCOPES.length - 1 });
const anyStep = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('capture' as const), at, which: fc.nat({ max: 2 }) }) },
  // Mostly failures: what is told of them is the matter here.
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('tick' as const),
      at,
      status: fc.constantFrom(401, 401, 403, 200, 503),
      whenBlocked: fc.constantFrom('skip' as const, 'throw' as const),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('lease' as const), at }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('settle' as const), which: fc.nat({ max: 4 }), status: fc.constantFrom(401, 403, 200) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('client' as const), at, which: fc.nat({ max: 2 }), status: fc.constantFrom(401, 200) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('evict' as const), session: fc.constantFrom('s', 't', 'u') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forgive' as const), which: fc.nat({ max: 2 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(10, 60, 300) }) },
);
type Step = typeof anyStep extends fc.Arbitrary<infer T> ? T : never;
const anySteps = fc.array(anyStep, { minLength: 4, maxLength: 40, size: 'max' });
const LOUD = { perHour: 100_000, providerWideAfter: { identities: 1_000, withinMs: 1 } };
const learntOf = (status: number) =>
  status === 200 ? 'accepted' : status === 401 ? 'rejected' : status === 403 ? 'rejected for scope' : 'nothing';

/** What an incident is, by the definition: which scopes met a block, and have not been free of it since. */
class Incidents {
  readonly opened: string[] = [];
  readonly ended: string[] = [];
  readonly #model: Model;
  readonly #open = new Map<Known, { scopes: Set<ModelScope>; recovered: boolean }>();

  constructor(model: Model) {
    this.#model = model;
  }

  meet(scope: ModelScope): void {
    if (this.#model.choose(scope) !== undefined || !this.#model.hasCandidate(scope)) return;
    if ([...this.#open.values()].some(({ scopes }) => scopes.has(scope))) return;
    const known = this.#model.lastToFall(scope) as Known;
    let incident = this.#open.get(known);
    if (incident === undefined) {
      incident = { scopes: new Set(), recovered: false };
      this.#open.set(known, incident);
      this.opened.push(known.fingerprint);
    }
    incident.scopes.add(scope);
  }

  /** Some scopes may be free again, and those of a session that went are gone. */
  changed(evicted?: string): void {
    for (const [known, incident] of [...this.#open]) {
      for (const scope of incident.scopes) {
        const free = this.#model.choose(scope) !== undefined;
        const gone = (evicted !== undefined && scope.session === evicted) || !this.#model.hasCandidate(scope);
        if (!free && !gone) continue;
        incident.scopes.delete(scope);
        if (!gone) incident.recovered = true;
      }
      if (incident.scopes.size > 0) continue;
      this.#open.delete(known);
      if (incident.recovered) this.ended.push(known.fingerprint);
    }
  }
}

it('L6: one report for each incident and one for its end, as many as the definition counts', { timeout: LONG_MS }, async () => {
  await fc.assert(
    fc.asyncProperty(anySteps, fc.boolean(), async (steps, lends) => {
      const clock = manualClock();
      const reporter = recordingReporter();
      const fallback = lends ? 'global' : 'none';
      const latchkey = createLatchkey({ clock, canary: 'off', fallback, reporter, report: LOUD, limits: { sessions: 10, identities: 20 } });
      const model = new Model({ now: clock.now, lends });
      const incidents = new Incidents(model);
      const leases: { real: Lease; modelled: Sent }[] = [];
      for (const step of steps) {
        clock.advance(1);
        await take(step);
        expect(reporter.openings.map(({ fingerprint }) => fingerprint)).toEqual(incidents.opened);
        expect(reporter.endings.map(({ fingerprint }) => fingerprint).sort()).toEqual([...incidents.ended].sort());
      }
      expectPaired(reporter.openings, reporter.endings);
      await latchkey.close({ timeoutMs: 0 });

      async function take(step: Step): Promise<void> {
        if (step.do === 'wait') return clock.advance(step.ms);
        if (step.do === 'evict') {
          latchkey.evict(step.session);
          model.evict(undefined, step.session);
          return incidents.changed(step.session);
        }
        if (step.do === 'forgive') {
          const { fingerprint } = CREDENTIALS[step.which] as (typeof CREDENTIALS)[number];
          const known = model.find('p', fingerprint);
          if (known === undefined) return;
          latchkey.forgive(fingerprint);
          model.forgive(known);
          return incidents.changed();
        }
        if (step.do === 'settle') {
          const lease = pick(leases, step.which);
          if (lease === undefined) return;
          lease.real.settle(step.status);
          hear(lease.modelled, step.status);
          return;
        }
        const scope = SCOPES[step.at] as ModelScope;
        if (step.do === 'capture' || step.do === 'client') {
          const credential = CREDENTIALS[step.which] as (typeof CREDENTIALS)[number];
          const capture = latchkey.capture(scope, credential);
          const modelled = model.arrive(scope, credential);
          model.install(modelled);
          incidents.changed();
          if (step.do === 'capture' || modelled.known === undefined) return;
          capture.settle(step.status);
          model.hear({ known: modelled.known, scope, sent: modelled.at }, learntOf(step.status), true);
          return incidents.changed();
        }
        if (step.do === 'lease') {
          const resolution = latchkey.resolve(scope);
          const modelled = model.send(scope);
          if (resolution.ok && modelled !== undefined) leases.push({ real: resolution.lease, modelled });
          return;
        }
        // A tick: the model's answers come from what the attempt was really given.
        if (model.choose(scope) === undefined) incidents.meet(scope);
        const run = latchkey.run(
          scope,
          () => {
            const sent = model.send(scope) as Sent;
            hear(sent, step.status);
            return { status: step.status, headers: {} };
          },
          { whenBlocked: step.whenBlocked },
        );
        await run.catch(() => {});
        await settled(1);
      }

      function hear(sent: Sent, status: number): void {
        model.hear(sent, learntOf(status));
        incidents.changed();
        if (status === 401 || status === 403) incidents.meet(sent.scope);
      }
    }),
    CHECKED,
  );
});

function expectPaired(openings: readonly Incident[], endings: readonly Incident[]): void {
  const opened = openings.map(({ id }) => id);
  const ended = endings.map(({ id }) => id);
  expect(new Set(opened).size).toBe(opened.length);
  expect(new Set(ended).size).toBe(ended.length);
  for (const id of ended) expect(opened).toContain(id);
}

beforeEach(freezeTime);

it('L6: whatever the grace, an incident is told once at the most, and just those that outlive it', { timeout: LONG_MS }, async () => {
  await fc.assert(
    fc.asyncProperty(anySteps, fc.constantFrom(0, 50, 200), fc.boolean(), async (steps, graceMs, lends) => {
      const reporter = recordingReporter();
      const fallback = lends ? 'global' : 'none';
      const latchkey = createLatchkey({
        canary: 'off',
        fallback,
        reporter,
        report: { ...LOUD, graceMs },
        limits: { sessions: 10, identities: 20 },
      });
      const spans = new Map<string, { from: number; to: number | undefined }>();
      latchkey.on('incident', ({ incident }) => spans.set(incident.id, { from: Date.now(), to: undefined }));
      const open = (): Set<string> => new Set(latchkey.snapshot().incidents.map(({ id }) => id));
      const leases: Lease[] = [];
      const longAfter = { do: 'wait', ms: 300 } as const;
      for (const step of [...steps, longAfter, longAfter]) {
        await takeFree(step);
        const now = open();
        for (const [id, span] of spans) if (span.to === undefined && !now.has(id)) span.to = Date.now();
      }
      expectPaired(reporter.openings, reporter.endings);
      const told = new Set(reporter.openings.map(({ id }) => id));
      for (const [id, { from, to }] of spans) {
        // One that lasted just as long as the grace may be told or not.
        const lasted = (to ?? Date.now()) - from;
        if (lasted < graceMs) expect(told.has(id)).toBe(false);
        // Lent credentials may absorb it without ending it; with none to lend, it is told when the grace is over.
        if (!lends && (graceMs === 0 || lasted > graceMs)) expect(told.has(id)).toBe(true);
      }
      for (const id of told) expect(spans.has(id)).toBe(true);
      await latchkey.close({ timeoutMs: 0 });

      async function takeFree(step: Step): Promise<void> {
        switch (step.do) {
          case 'wait':
            await vi.advanceTimersByTimeAsync(step.ms);
            return;
          case 'evict':
            return latchkey.evict(step.session);
          case 'forgive':
            return latchkey.forgive((CREDENTIALS[step.which] as (typeof CREDENTIALS)[number]).fingerprint);
          case 'settle':
            return void pick(leases, step.which)?.settle(step.status);
          case 'lease': {
            const resolution = latchkey.resolve(SCOPES[step.at] as ModelScope);
            if (resolution.ok) leases.push(resolution.lease);
            return;
          }
          case 'tick':
            await latchkey
              .run(SCOPES[step.at] as ModelScope, () => ({ status: step.status, headers: {} }), { whenBlocked: step.whenBlocked })
              .catch(() => {});
            return;
          default: {
            const capture = latchkey.capture(SCOPES[step.at] as ModelScope, CREDENTIALS[step.which] as (typeof CREDENTIALS)[number]);
            if (step.do === 'client') capture.settle(step.status);
          }
        }
      }
    }),
    CHECKED,
  );
});
