import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createLatchkey, type Latchkey, type LatchkeyEventName } from '../../src/index.js';
import { manualClock, settled } from '../support/clock.js';
import { anyScope, Gateway, manyOperations, SCOPES } from './operations.js';
import { CHECKED, LONG_MS } from './runs.js';

// L9: Asking changes nothing: `canRun`, `resolve`, `explain`, `stats`, `snapshot` have no side effect, and `canRun(scope)` is
// `resolve(scope).ok`, always.

const EVENTS = [
  'captured',
  'accepted',
  'rejected',
  'denied',
  'held',
  'blocked',
  'resumed',
  'incident',
  'recovered',
  'evicted',
  'error',
] as const;

/** Two of the same, side by side; incidents are told apart by the order in which they were opened. */
function watched(limit: number): { latchkey: Latchkey; clock: ReturnType<typeof manualClock>; told: string[]; gateway: Gateway } {
  const clock = manualClock();
  // A limit that bites: asking must not make a session look used.
  const latchkey = createLatchkey({ clock, canary: 'off', limits: { sessions: limit, identities: limit, parked: 4 } });
  const told: string[] = [];
  for (const name of EVENTS) latchkey.on(name as LatchkeyEventName, (event) => told.push(`${name} ${plain(event)}`));
  return { latchkey, clock, told, gateway: new Gateway({ latchkey, model: undefined, advance: clock.advance }) };
}

function plain(value: unknown): string {
  return JSON.stringify(value, (key, part: unknown) => ((key === 'id' || key === 'incident') && typeof part === 'string' ? 'one' : part));
}

const anyQuestion = fc.record({ ask: fc.constantFrom('canRun', 'resolve', 'explain', 'stats', 'snapshot'), scope: anyScope });

function ask(latchkey: Latchkey, question: { ask: string; scope: (typeof SCOPES)[number] }): void {
  switch (question.ask) {
    case 'canRun':
      return void latchkey.canRun(question.scope);
    case 'resolve':
      return void latchkey.resolve(question.scope);
    case 'explain':
      return void String(latchkey.explain(question.scope));
    case 'stats':
      return void latchkey.stats();
    default:
      return void latchkey.snapshot();
  }
}

it('L9: asked at every step or never, everything is the same', { timeout: LONG_MS }, () => {
  fc.assert(
    fc.property(
      manyOperations,
      fc.array(anyQuestion, { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 1, max: 6 }),
      (operations, questions, limit) => {
        const one = watched(limit);
        const other = watched(limit);
        for (const [step, operation] of operations.entries()) {
          one.gateway.apply(operation);
          other.gateway.apply(operation);
          const before = plain([one.latchkey.snapshot(), one.latchkey.stats()]);
          for (const question of questions) ask(one.latchkey, question);
          expect(plain([one.latchkey.snapshot(), one.latchkey.stats()])).toBe(before);
          expect(one.told.length).toBe(other.told.length);
          if (step % 5 === 0) expectOneAnswer(one.latchkey);
        }
        expectOneAnswer(one.latchkey);
        expect(one.told).toEqual(other.told);
        expect(plain(one.latchkey.stats())).toBe(plain(other.latchkey.stats()));
        expect(plain(one.latchkey.snapshot())).toBe(plain(other.latchkey.snapshot()));
        void one.latchkey.close();
        void other.latchkey.close();
        for (const scope of SCOPES) expect(one.latchkey.canRun(scope)).toBe(false);
        expectOneAnswer(one.latchkey);
      },
    ),
    CHECKED,
  );
});

function expectOneAnswer(latchkey: Latchkey): void {
  for (const scope of SCOPES) {
    const can = latchkey.canRun(scope);
    const resolution = latchkey.resolve(scope);
    const explanation = latchkey.explain(scope);
    expect(resolution.ok).toBe(can);
    expect(explanation.ok).toBe(can);
    if (resolution.ok) expect(explanation.source).toBe(resolution.lease.source);
    else expect(explanation.reason).toBe(resolution.reason);
  }
}

const anyStep = fc.record({
  scope: anyScope,
  status: fc.constantFrom(200, 401, 403, 503),
  whenBlocked: fc.constantFrom('throw' as const, 'skip' as const, 'park' as const),
  credential: fc.option(fc.nat({ max: 2 }), { nil: undefined }),
});

it('L9: runs go the same way whether or not they are asked about', { timeout: LONG_MS }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyStep, { minLength: 1, maxLength: 12 }),
      fc.array(anyQuestion, { minLength: 1, maxLength: 6 }),
      async (steps, questions) => {
        const play = async (asked: boolean) => {
          const { latchkey, told, gateway } = watched(3);
          const ends: string[] = [];
          for (const [index, { scope, status, whenBlocked, credential }] of steps.entries()) {
            if (credential !== undefined) gateway.apply({ do: 'capture', scope, credential, provisional: false });
            const attempt = (lease: { credential: { fingerprint: string } }) => {
              ends.push(`${index} sends ${lease.credential.fingerprint}`);
              if (asked) for (const question of questions) ask(latchkey, question);
              return { status, headers: {} };
            };
            latchkey.run(scope, attempt, { whenBlocked }).then(
              (value) => ends.push(`${index} gives ${JSON.stringify(value)}`),
              (error: { code?: string }) => ends.push(`${index} fails with ${error.code}`),
            );
            if (asked) for (const question of questions) ask(latchkey, question);
            await settled(1);
            if (asked) for (const question of questions) ask(latchkey, question);
          }
          const stats = latchkey.stats();
          await latchkey.close({ timeoutMs: 0 });
          return { ends, told, stats };
        };
        expect(await play(true)).toEqual(await play(false));
      },
    ),
    CHECKED,
  );
});
