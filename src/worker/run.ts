import { onAbort } from '../abort.js';
import { startTimer } from '../clock.js';
import { LatchkeyError } from '../errors.js';
import { isInstance } from '../instance.js';
import type { WorkScope } from '../ledger/scope-key.js';
import { nextStep } from '../policy/next-step.js';
import { type Acquired, Acquirer } from './acquire.js';
import { type Begun, passOn, returned, Sender, thrown } from './attempt.js';
import { parkTimeout } from './blocked-error.js';
import { Flight, Flights, Interrupted } from './flight.js';
import {
  type Attempt,
  closedError,
  Deadline,
  type Ended,
  type Given,
  Job,
  type Rejected,
  type Sent,
  type Transient,
  type Workshop,
} from './job.js';
import { drain } from './response.js';
import { DEFAULT_PARK_MS, type RunOptions } from './run-options.js';
import { retryTransient } from './transient.js';

/** Runs attempts: leases, retries once with a credential that has changed, and stops when there is nothing left to try. */
export class Runner {
  readonly flights = new Flights();
  readonly #shop: Workshop;
  readonly #acquirer: Acquirer;
  readonly #sender: Sender;

  constructor(shop: Workshop) {
    this.#shop = shop;
    this.#acquirer = new Acquirer(shop);
    this.#sender = new Sender(shop);
  }

  run<T>(scope: WorkScope, attempt: Attempt<T>, options: RunOptions): Promise<T | undefined> {
    const { counters, ledger, incidents, clock, refresher, statuses } = this.#shop;
    const { signal, timeoutMs } = options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    counters.runs++;
    if (options.whenBlocked === 'skip' && ledger.choose(scope) === undefined && refresher?.recover(scope) === undefined) {
      // The short way for what a loop meets most often while a credential is dead.
      incidents.meet(scope, 'unsent');
      statuses.note(scope);
      this.#acquirer.skipped(scope);
      return Promise.resolve(undefined);
    }
    const job = new Job(scope, attempt, options, timeoutMs === undefined ? 0 : clock.now());
    const { flight } = job;
    const acquired = this.#acquireAtOnce(job);
    this.flights.add(flight);
    if (signal !== undefined || timeoutMs !== undefined) arm(flight, signal, timeoutMs);
    if (acquired === undefined) this.#land(job, this.#drive(job, this.#sendWithAuthRetry(job)));
    else this.#launch(job, acquired);
    return flight.promise as Promise<T | undefined>;
  }

  /** Resolves once the scope can work. */
  whenRunnable(scope: WorkScope, signal: AbortSignal | undefined, timeoutMs = DEFAULT_PARK_MS): Promise<void> {
    const { ledger, parking, seats, refresher, statuses } = this.#shop;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (ledger.choose(scope) !== undefined) return Promise.resolve();
    refresher?.recover(scope);
    statuses.note(scope);
    // A listener may have brought what it would wait for, or called it off.
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (ledger.choose(scope) !== undefined) return Promise.resolve();
    if (!seats.take()) return Promise.reject(new LatchkeyError('PARK_OVERFLOW', 'too many runs wait already', { scope: scope.parts }));
    const flight = new Flight(scope);
    this.flights.add(flight);
    arm(flight, signal, undefined);
    const deadline = new Deadline(timeoutMs);
    flight.deadline = deadline;
    const end = (): void => {
      this.flights.delete(flight);
      seats.leave();
    };
    const waiting = flight.wait<void>((resolve, reject) => {
      const unwatch = deadline.watch(() => reject(parkTimeout(scope, this.#shop)));
      const leave = parking.park(scope, parking.nextPlace(), resolve);
      return () => {
        unwatch();
        leave();
      };
    });
    waiting.then(
      () => {
        end();
        flight.resolve(undefined);
      },
      (error: unknown) => {
        end();
        flight.reject(error);
      },
    );
    return flight.promise as Promise<void>;
  }

  /** Ends the runs that wait for something other than their attempt. */
  interruptWaiting(): void {
    for (const flight of this.flights) if (flight.waiting) interruptClosed(flight);
  }

  interruptAll(): void {
    for (const flight of this.flights) interruptClosed(flight);
  }

  /** The usual case, without the long way's detours: nothing to wait for, and the first attempt is accepted. */
  #launch<T>(job: Job<T>, acquired: Acquired): void {
    const begun = this.#sender.begin(job, acquired);
    const conclude = (given: Given<T>): void => {
      this.#land(job, this.#drive(job, this.#conclude(job, begun, given)));
    };
    begun.answer.then(
      (value) => {
        try {
          if (!this.#sender.succeed(job, begun, value)) {
            conclude(returned(value));
            return;
          }
          this.flights.delete(job.flight);
          job.flight.resolve(value);
        } catch (error) {
          // A clock of the user's that throws, say: the caller is told, and nothing goes unhandled.
          this.flights.delete(job.flight);
          job.flight.reject(error);
        }
      },
      (error: unknown) => conclude(thrown(error)),
    );
  }

  /** Hands a run's end to its caller. */
  #land<T>(job: Job<T>, end: Promise<T | undefined>): void {
    end.then(
      (value) => {
        this.flights.delete(job.flight);
        job.flight.resolve(value);
      },
      (error: unknown) => {
        this.flights.delete(job.flight);
        // Nobody is there any more to get the answer that the run had in hand.
        if (isInstance(error, Interrupted)) void drain(job.rejection?.given.response);
        job.flight.reject(error);
      },
    );
  }

  async #drive<T>(job: Job<T>, first: Promise<Ended<T> | Transient<T>>): Promise<T | undefined> {
    let sent = await first;
    const { transient, once } = job.options;
    if (sent.kind === 'transient' && transient !== undefined && transient.retries > 0 && once !== true) {
      this.#stopIfClosing(job);
      sent = await retryTransient<Ended<T> | Transient<T>>(sent, () => this.#sendWithAuthRetry(job), {
        ...transient,
        flight: job.flight,
        remainingMs: () => this.#remainingMs(job),
        giveUp: (failed) => drain(failed.kind === 'transient' ? failed.given.response : undefined),
      });
    }
    const ended = sent.kind === 'transient' ? passOn(sent.given) : sent;
    if (ended.kind === 'failed') throw ended.error;
    return ended.value;
  }

  #acquireAtOnce<T>(job: Job<T>): Acquired | undefined {
    const choice = this.#shop.ledger.choose(job.scope);
    return choice !== undefined && job.maySend(choice) ? this.#acquirer.tryNow(job, choice) : undefined;
  }

  /** One attempt, and after a rejection one more, with another credential. */
  async #sendWithAuthRetry<T>(job: Job<T>): Promise<Ended<T> | Transient<T>> {
    const sent = await this.#leaseAndSend(job);
    return sent.kind === 'rejected' ? this.#afterRejection(job, sent) : sent;
  }

  async #conclude<T>(job: Job<T>, begun: Begun<T>, given: Given<T>): Promise<Ended<T> | Transient<T>> {
    const sent = await this.#sender.conclude(job, begun, given);
    return sent.kind === 'rejected' ? this.#afterRejection(job, sent) : sent;
  }

  async #afterRejection<T>(job: Job<T>, rejected: Rejected<T>): Promise<Ended<T> | Transient<T>> {
    if (job.options.once === true) return this.#acquirer.blocked(job);
    const choice = this.#shop.ledger.choose(job.scope);
    const step = nextStep({ retried: job.retried, resolved: choice !== undefined, changed: choice !== undefined && job.maySend(choice) });
    const isToBe = choice === undefined && !job.retried;
    const park = isToBe && job.options.whenBlocked === 'park';
    const refresh = isToBe && this.#shop.refresher?.recover(job.scope) !== undefined;
    if (step === 'blocked' && !park && !refresh) return this.#acquirer.blocked(job);
    const again = await this.#leaseAndSend(job, rejected);
    return again.kind === 'rejected' ? this.#acquirer.blocked(job) : again;
  }

  /** Sends with the scope's credential, in place of what was rejected if this is the auth retry. */
  async #leaseAndSend<T>(job: Job<T>, rejected?: Rejected<T>): Promise<Sent<T>> {
    // The answer that is given up is read away before the retry, so that its socket can serve it; one that may yet be returned, as late as can be.
    if (rejected !== undefined && job.options.rejected !== 'return') await this.#drained(job, rejected);
    for (;;) {
      this.#stopIfClosing(job);
      const acquired = this.#acquireAtOnce(job) ?? (await this.#acquirer.acquire(job));
      if ('kind' in acquired) return acquired;
      if (rejected !== undefined) await this.#drained(job, rejected);
      // While the run was on its way, it may have been broken off, or the credential fallen to somebody else's call.
      const isWanted = job.flight.interruption === undefined && !this.#shop.isClosing();
      const choice = this.#shop.ledger.choose(job.scope);
      if (isWanted && choice?.identity === acquired.choice.identity && choice.probe === acquired.choice.probe) {
        const sending = this.#sender.send(job, acquired);
        if (rejected !== undefined) this.#noteRetry(job, rejected, acquired);
        return sending;
      }
      acquired.lead?.done('next');
    }
  }

  async #drained<T>(job: Job<T>, rejected: Rejected<T>): Promise<void> {
    if (job.drained === rejected) return;
    job.drained = rejected;
    await drain(rejected.given.response);
  }

  #noteRetry<T>(job: Job<T>, rejected: Rejected<T>, { choice }: Acquired): void {
    const { counters, emitter } = this.#shop;
    job.retried = true;
    counters.retried++;
    const [fingerprint, from] = [choice.identity.fingerprint, rejected.call.identity.fingerprint];
    emitter.emit('retried', () => ({ scope: job.scope.parts, fingerprint, from }));
  }

  /** @throws {Interrupted} What is out is given its time; nothing more is sent. */
  #stopIfClosing<T>({ flight }: Job<T>): void {
    if (this.#shop.isClosing()) interruptClosed(flight);
    flight.check();
  }

  #remainingMs<T>({ options, startedAt }: Job<T>): number {
    return options.timeoutMs === undefined ? Number.POSITIVE_INFINITY : startedAt + options.timeoutMs - this.#shop.clock.now();
  }
}

function interruptClosed(flight: Flight): void {
  flight.interrupt({ by: 'close', reason: closedError(flight.scope) });
}

/** Lets the caller's signal and time limit break a flight off, for as long as it is on its way. */
function arm(flight: Flight, signal: AbortSignal | undefined, timeoutMs: number | undefined): void {
  const unlisten = signal && onAbort(signal, () => flight.interrupt({ by: 'signal', reason: signal.reason }));
  const onTimeout = (): void => {
    const reason = new LatchkeyError('TIMEOUT', `the run took longer than ${timeoutMs} ms`, { scope: flight.scope.parts });
    flight.interrupt({ by: 'timeout', reason });
  };
  const timer = timeoutMs === undefined ? undefined : startTimer(timeoutMs, onTimeout);
  flight.disarm = () => {
    unlisten?.();
    timer?.cancel();
  };
}
