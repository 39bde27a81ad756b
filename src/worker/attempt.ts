import { ResponseError } from '../errors.js';
import { isInstance } from '../instance.js';
import { LeasedCall } from '../ledger/call.js';
import { IssuedLease } from '../ledger/lease.js';
import { afterCanary } from '../policy/canary.js';
import type { Classification } from '../policy/classification.js';
import { isResponseLike, type Outcome, outcomeOfError, outcomeOfResponse, statusOf } from '../policy/outcome.js';
import type { Acquired } from './acquire.js';
import { AttemptContext } from './context.js';
import { Interrupted } from './flight.js';
import type { Ended, Given, Job, Rejected, Sent, Workshop } from './job.js';
import { drain, isPeeked, peekBody } from './response.js';

interface Judged<T> {
  readonly learnt: Classification['kind'] | undefined;
  readonly sent: Sent<T>;
}

/** An attempt that is out. */
export interface Begun<T> {
  readonly call: LeasedCall;
  readonly acquired: Acquired;
  readonly context: AttemptContext;
  readonly answer: Promise<T>;
  /** Gives back the right to put the credential to the test, where that was taken. */
  readonly giveBack: (() => void) | undefined;
}

/** Makes attempts and records what they learn. */
export class Sender {
  readonly #shop: Workshop;

  constructor(shop: Workshop) {
    this.#shop = shop;
  }

  /** @throws {Interrupted} if the run was broken off in the meantime. */
  async send<T>(job: Job<T>, acquired: Acquired): Promise<Sent<T>> {
    const begun = this.begin(job, acquired);
    let given: Given<T>;
    try {
      const value = await begun.answer;
      if (this.succeed(job, begun, value)) return { kind: 'done', value };
      given = returned(value);
    } catch (error) {
      given = thrown(error);
    }
    return this.conclude(job, begun, given);
  }

  /** Makes the attempt. Its answer goes to `succeed`, and if that will not have it to `conclude`. */
  begin<T>(job: Job<T>, acquired: Acquired): Begun<T> {
    const { ledger, settler, counters, emitter } = this.#shop;
    const { flight, scope } = job;
    const { choice, lead } = acquired;
    const call = new LeasedCall(choice, scope, ledger.sequence.next(), ledger.sendingAt(choice.identity));
    const context = new AttemptContext(flight, ++job.attempts, (response) => {
      settler.note(call, response);
      this.#accept(job, call, acquired);
    });
    counters.attempts++;
    if (choice.probe) counters.probes++;
    const giveBack = choice.probe ? ledger.takeProbe(choice.identity) : undefined;
    ledger.touch(choice.session);
    if (lead !== undefined) flight.onInterrupt = () => lead.done('next');
    let answer: Promise<T>;
    try {
      const result = job.attempt(new IssuedLease(choice, scope, call, settler), context);
      answer = Promise.resolve(result);
    } catch (error) {
      answer = Promise.reject(error);
    }
    // Told after it was sent: a listener that has the credential rejected comes too late, and not in between.
    if (call.borrowed) {
      counters.borrowed++;
      emitter.emit('borrowed', () => ({ scope: scope.parts, fingerprint: choice.identity.fingerprint }));
    }
    return { call, acquired, context, answer, giveBack };
  }

  /** The short way: the attempt returned what counts as accepted, to a run that is still wanted. Returns whether it was that. */
  succeed<T>(job: Job<T>, { call, acquired, context }: Begun<T>, value: T): boolean {
    if (job.flight.interruption !== undefined || context.wasUnused || !this.#isPlainSuccess(value)) return false;
    if (!context.wasChecked) {
      this.#shop.settler.note(call, value);
      this.#accept(job, call, acquired);
    }
    return true;
  }

  /**
   * The long way: looks at what came back, and records it.
   * @throws {Interrupted} if the run was broken off in the meantime.
   */
  async conclude<T>(job: Job<T>, { call, acquired, context, giveBack }: Begun<T>, given: Given<T>): Promise<Sent<T>> {
    const { flight } = job;
    let learnt: Classification['kind'] | undefined;
    try {
      let sent: Sent<T> | undefined;
      // Of a run that was called off nothing counts; one that was only too slow has learnt something all the same.
      if (!context.wasUnused && flight.interruption?.by !== 'signal') {
        if ('value' in given && this.#isPlainSuccess(given.value)) {
          if (!context.wasChecked) {
            this.#shop.settler.note(call, given.value);
            this.#accept(job, call, acquired);
          }
          learnt = 'accepted';
        } else {
          ({ learnt, sent } = await this.#judge(job, call, given));
        }
      }
      if (flight.interruption !== undefined) {
        void drain(given.response);
        throw new Interrupted();
      }
      return sent ?? passOn(given);
    } finally {
      if (learnt === undefined) giveBack?.();
      if (acquired.lead !== undefined) this.#handOn(job, acquired, learnt);
    }
  }

  /** Those behind a canary go; only then is its proof recorded, or they would be asked to choose again. */
  #accept<T>(job: Job<T>, call: LeasedCall, acquired: Acquired): void {
    if (job.flight.interruption?.by === 'signal') return;
    if (acquired.lead !== undefined) this.#handOn(job, acquired, 'accepted');
    this.#shop.settler.accept(call);
  }

  #handOn<T>({ flight }: Job<T>, { lead }: Acquired, learnt: Classification['kind'] | undefined): void {
    flight.onInterrupt = undefined;
    lead?.done(afterCanary(learnt));
  }

  /** A value that is no response counts as accepted: SDKs throw what was not. */
  #isPlainSuccess(value: unknown): boolean {
    if (!isResponseLike(value)) return true;
    const status = statusOf(value);
    return status !== undefined && status >= 200 && status < 300 && !this.#shop.settler.hasRule;
  }

  async #judge<T>(job: Job<T>, call: LeasedCall, given: Given<T>): Promise<Judged<T>> {
    const { settler, clock, ledger } = this.#shop;
    if (!job.failed.includes(call.credential)) job.failed.push(call.credential);
    const outcome = await this.#read(given);
    if (job.flight.interruption?.by === 'signal') return { learnt: undefined, sent: passOn(given) };
    const { status } = outcome;
    const classification = settler.classify(outcome, call);
    const { kind } = classification;
    settler.note(call, 'error' in given ? given.error : given.value);
    const isStrike = settler.record(call, classification, status) === 'strike';
    if (kind === 'transient') return { learnt: kind, sent: { kind, given, retryAfterMs: classification.retryAfterMs } };
    // A call that was called off has learnt nothing, not even that others may go.
    if (kind !== 'rejected') return { learnt: kind === 'none' && outcome.aborted ? undefined : kind, sent: passOn(given) };
    const rejected: Rejected<T> = { kind, call, given, status, since: clock.now(), isStrike };
    job.noteRejected(rejected, ledger.sequence.next());
    return { learnt: kind, sent: rejected };
  }

  async #read<T>(given: Given<T>): Promise<Outcome> {
    const outcome = 'error' in given ? outcomeOfError(given.error) : outcomeOfResponse(given.response as object);
    if (outcome.body !== undefined || outcome.status === undefined || !isPeeked(outcome.status)) return outcome;
    return { ...outcome, body: await peekBody(given.response) };
  }
}

/** What an attempt gave, as it gave it. */
export function passOn<T>(given: Given<T>): Ended<T> {
  return 'error' in given ? { kind: 'failed', error: given.error } : { kind: 'done', value: given.value };
}

export function returned<T>(value: T): Given<T> {
  return { value, response: isResponseLike(value) ? value : undefined };
}

export function thrown<T>(error: unknown): Given<T> {
  return { error, response: responseBehind(error) };
}

/** Fetch wrappers keep the response on their errors. */
function responseBehind(error: unknown): unknown {
  if (isInstance(error, ResponseError)) return error.response;
  if (typeof error !== 'object' || error === null) return undefined;
  try {
    return (error as { response?: unknown }).response;
  } catch {
    return undefined;
  }
}
