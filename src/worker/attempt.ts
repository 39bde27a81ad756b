import { ResponseError } from '../errors.js';
import { IssuedLease, LeasedCall } from '../ledger/lease.js';
import { afterCanary } from '../policy/canary.js';
import type { Classification } from '../policy/classify.js';
import { isResponseLike, type Outcome, outcomeOfError, outcomeOfResponse } from '../policy/outcome.js';
import type { Acquired } from './acquire.js';
import { AttemptContext } from './context.js';
import { Interrupted } from './flight.js';
import type { Ended, Given, Job, Rejected, Sent, Workshop } from './job.js';
import { drain, peekBody } from './response.js';

/** Answers whose body may say more about the credential than their status. */
const PEEKED = new Set([400, 401, 403]);

/** Makes attempts and records what they learn. */
export class Sender {
  readonly #shop: Workshop;

  constructor(shop: Workshop) {
    this.#shop = shop;
  }

  /** @throws {Interrupted} if the run was broken off in the meantime. */
  async send<T>(job: Job<T>, { choice, lead, now }: Acquired): Promise<Sent<T>> {
    const { ledger, settler, counters, emitter } = this.#shop;
    const { flight, scope } = job;
    const call = new LeasedCall(choice, scope, ledger.sequence.next());
    const context = new AttemptContext(flight, ++job.attempts);
    counters.attempts++;
    ledger.touch(choice.session);
    if (call.borrowed) {
      counters.borrowed++;
      emitter.emit('borrowed', () => ({ scope: scope.parts, fingerprint: choice.identity.fingerprint }));
    }
    if (lead !== undefined) flight.onInterrupt = () => lead.done('next');
    let learnt: Classification['kind'] | undefined;
    try {
      let given: Given<T>;
      try {
        const value = await job.attempt(new IssuedLease(call, ledger, settler), context);
        given = { value, response: isResponseLike(value) ? value : undefined };
      } catch (error) {
        given = { error, response: responseBehind(error) };
      }
      let sent: Sent<T> | undefined;
      // Of a run that was called off nothing counts; one that was only too slow has learnt something all the same.
      if (!context.wasUnused && flight.interruption?.by !== 'signal') {
        if (this.#isPlainSuccess(given)) {
          settler.accept(call, now);
          learnt = 'accepted';
        } else {
          const judged = await this.#judge(job, call, given);
          learnt = judged.kind;
          sent = judged.sent;
        }
      }
      if (flight.interruption !== undefined) {
        void drain(given.response);
        throw new Interrupted();
      }
      return sent ?? passOn(given);
    } finally {
      flight.onInterrupt = undefined;
      lead?.done(afterCanary(learnt));
    }
  }

  /** A value that is no response counts as accepted: SDKs throw what was not. */
  #isPlainSuccess<T>(given: Given<T>): boolean {
    if ('error' in given) return false;
    return given.response === undefined || (!this.#shop.settler.hasRule && isSuccess(given.response as { status: number }));
  }

  async #judge<T>(job: Job<T>, call: LeasedCall, given: Given<T>): Promise<{ kind: Classification['kind']; sent: Sent<T> }> {
    const { settler, clock, ledger } = this.#shop;
    const outcome = await this.#read(given);
    const { status } = outcome;
    const classification = settler.classify(outcome, call);
    const { kind } = classification;
    settler.record(call, classification, status);
    if (kind === 'transient') return { kind, sent: { kind, given, retryAfterMs: classification.retryAfterMs } };
    if (kind !== 'rejected') return { kind, sent: passOn(given) };
    const rejected: Rejected<T> = { kind, call, given, status, since: clock.now() };
    job.noteRejected(rejected, ledger.sequence.next());
    return { kind, sent: rejected };
  }

  async #read<T>(given: Given<T>): Promise<Outcome> {
    const outcome = 'error' in given ? outcomeOfError(given.error) : outcomeOfResponse(given.response as { status: number });
    if (outcome.body !== undefined || outcome.status === undefined || !PEEKED.has(outcome.status)) return outcome;
    return { ...outcome, body: await peekBody(given.response) };
  }
}

/** What an attempt gave, as it gave it. */
export function passOn<T>(given: Given<T>): Ended<T> {
  return 'error' in given ? { kind: 'failed', error: given.error } : { kind: 'done', value: given.value };
}

function isSuccess({ status }: { status: number }): boolean {
  return status >= 200 && status < 300;
}

/** Fetch wrappers keep the response on their errors. */
function responseBehind(error: unknown): unknown {
  if (error instanceof ResponseError) return error.response;
  if (typeof error !== 'object' || error === null) return undefined;
  try {
    return (error as { response?: unknown }).response;
  } catch {
    return undefined;
  }
}
