import fc from 'fast-check';
import { vi } from 'vitest';
import { isLatchkeyError, type Latchkey, type LatchkeyError, type RunOptions } from '../../src/index.js';
import { settled } from '../support/clock.js';
import type { Learnt } from './hearsay.js';
import type { Model, ModelScope, Sent } from './model.js';

/** fast-check decides what happens next; all that follows from it has happened before the next thing does. */
export const anySchedule = fc.scheduler({
  act: async (step) => {
    await step();
    await settled(1);
  },
});
type Schedule = typeof anySchedule extends fc.Arbitrary<infer T> ? T : never;

/** How an attempt ends. */
export type Reply = 'accepted' | 'rejected' | 'thrown rejection' | 'refused' | 'transient' | 'none' | 'unused' | 'held';
const LEARNT: Record<Reply, Learnt> = {
  accepted: 'accepted',
  rejected: 'rejected',
  'thrown rejection': 'rejected',
  refused: 'rejected for scope',
  transient: 'nothing',
  none: 'nothing',
  unused: 'nothing',
  held: { holdMs: 1_000 },
};
const STATUS: Record<Reply, number> = {
  accepted: 200,
  rejected: 401,
  'thrown rejection': 401,
  refused: 403,
  transient: 503,
  none: 404,
  unused: 200,
  held: 402,
};

export interface Attempted {
  readonly run: number;
  readonly fingerprint: string;
  readonly sent: number;
  reply: Reply | undefined;
  /** Its place in the order of all that was sent and answered. */
  answered: number | undefined;
  /** What the model has against it, when it was sent. */
  readonly objection: string | undefined;
}

export interface Ran {
  readonly scope: ModelScope;
  readonly attempts: Attempted[];
  readonly controller: AbortController;
  calledOff: boolean;
  end: { readonly value: unknown } | { readonly error: unknown } | undefined;
  /** The frozen time of its second rejection, and of its end. */
  spentAt: number | undefined;
  endedAt: number | undefined;
}

/** Runs whose attempts are answered when the schedule says so, watched by the model. */
export class Race {
  readonly runs: Ran[] = [];
  readonly #schedule: Schedule;
  readonly #latchkey: Latchkey;
  readonly #model: Model | undefined;
  readonly #reply: (attempted: Attempted) => Reply;
  #order = 0;

  constructor(schedule: Schedule, latchkey: Latchkey, model: Model | undefined, reply: (attempted: Attempted) => Reply) {
    this.#schedule = schedule;
    this.#latchkey = latchkey;
    this.#model = model;
    this.#reply = reply;
  }

  /** The next place in the order of all that is sent and answered. */
  mark(): number {
    return ++this.#order;
  }

  /** Does something at a moment of the schedule's choice. */
  later(label: string, act: () => unknown): void {
    void this.#schedule.schedule(Promise.resolve(), label).then(act);
  }

  start(scope: ModelScope, options: RunOptions): void {
    const index = this.runs.length;
    const controller = new AbortController();
    const run: Ran = { scope, attempts: [], controller, calledOff: false, end: undefined, spentAt: undefined, endedAt: undefined };
    this.runs.push(run);
    const promise = this.#latchkey.run<unknown>(
      scope,
      async (lease, context) => {
        const attempted = this.#attempted(index, scope, lease.credential.fingerprint);
        run.attempts.push(attempted.entry);
        await this.#schedule.schedule(Promise.resolve(), `answer ${run.attempts.length} of run ${index}`);
        return this.#answer(run, attempted, context.unused);
      },
      { ...options, signal: controller.signal },
    );
    promise.then(
      (value) => this.#ended(run, { value }),
      (error: unknown) => this.#ended(run, { error }),
    );
  }

  callOff(index: number): void {
    const run = this.runs[index];
    if (run === undefined || run.end !== undefined) return;
    run.calledOff = true;
    run.controller.abort(new Error('called off'));
  }

  /** Lets the schedule run dry; then lets time pass until every run has ended. Returns whether they have. */
  async finish(): Promise<boolean> {
    await this.#schedule.waitIdle();
    for (let waits = 0; waits < 30 && this.runs.some(({ end }) => end === undefined); waits++) {
      await vi.advanceTimersByTimeAsync(30_000);
      await this.#schedule.waitIdle();
    }
    return this.runs.every(({ end }) => end !== undefined);
  }

  #attempted(run: number, scope: ModelScope, fingerprint: string): { entry: Attempted; call: Sent | undefined } {
    const choice = this.#model?.send(scope);
    const objection =
      this.#model === undefined || choice?.known.fingerprint === fingerprint
        ? undefined
        : `run ${run} sends ${fingerprint} where ${choice?.known.fingerprint ?? 'nothing'} is to be used`;
    return { entry: { run, fingerprint, sent: this.mark(), reply: undefined, answered: undefined, objection }, call: choice };
  }

  #answer(run: Ran, { entry, call }: { entry: Attempted; call: Sent | undefined }, unused: () => void): unknown {
    const reply = this.#reply(entry);
    entry.reply = reply;
    entry.answered = this.mark();
    // What a caller has called off teaches nothing.
    if (call !== undefined && !run.calledOff) this.#model?.hear(call, LEARNT[reply]);
    if (!run.calledOff && run.attempts.filter(isRejected).length === 2) run.spentAt = Date.now();
    if (reply === 'unused') unused();
    if (reply === 'thrown rejection') throw Object.assign(new Error('unauthorized'), { status: 401 });
    return { status: STATUS[reply], headers: reply === 'held' ? { 'retry-after': '1' } : {} };
  }

  #ended(run: Ran, end: NonNullable<Ran['end']>): void {
    run.end = end;
    run.endedAt = Date.now();
  }
}

export function isRejected({ reply }: Attempted): boolean {
  return reply === 'rejected' || reply === 'thrown rejection' || reply === 'refused';
}

export function codeOf(run: Ran): LatchkeyError['code'] | undefined {
  return run.end !== undefined && 'error' in run.end && isLatchkeyError(run.end.error) ? run.end.error.code : undefined;
}
