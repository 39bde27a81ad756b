import type { Clock } from '../clock.js';
import { redact, redactedCopy } from '../credential/redact.js';
import type { Emitter } from '../events.js';
import { isInstance } from '../instance.js';
import type { Classification, ClassifyRule } from '../policy/classification.js';
import { classify } from '../policy/classify.js';
import { type Outcome, type OutcomeLike, outcomeOfError, outcomeOfResponse, parsedBody } from '../policy/outcome.js';
import type { Verdict } from '../policy/verdict.js';
import { isPromiseLike } from '../promise-like.js';
import type { Counters } from '../stats.js';
import type { Call, Judgement } from './call.js';
import type { Effect } from './judging.js';
import type { Ledger } from './ledger.js';
import type { WorkScope } from './scope-key.js';
import type { Timekeeper } from './timekeeper.js';
import type { Identity } from './verdicts.js';

export interface SettlerOptions {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly emitter: Emitter;
  readonly counters: Counters;
  readonly rule: ClassifyRule | undefined;
  /** Looks at what answers say of time. Default: nobody does. */
  readonly timekeeper?: Timekeeper | undefined;
  /** What is known of an identity has changed. */
  readonly onVerdict: (identity: Identity) => void;
  /** A worker's call was accepted, or rejected. */
  readonly onAccepted: (scope: WorkScope) => void;
  readonly onRejected: (scope: WorkScope) => void;
  /** Does about a rejection what can be done, before anybody is told of it and asks. Default: nothing can. */
  readonly beforeRejected?: ((scope: WorkScope) => void) | undefined;
}

const ACCEPTED = { kind: 'accepted' } as const;

/** Turns outcomes into verdicts: classifies, records, tells. */
export class Settler {
  readonly #options: SettlerOptions;
  #closed = false;

  constructor(options: SettlerOptions) {
    this.#options = options;
  }

  /** The user has rules: nothing is taken for granted. */
  get hasRule(): boolean {
    return this.#options.rule !== undefined;
  }

  /** Later outcomes change nothing. */
  close(): void {
    this.#closed = true;
  }

  /** @throws {TypeError} for a hold that is no number of milliseconds. */
  settle(call: Call, outcome: unknown): Verdict {
    const hold = readHold(outcome);
    if (hold !== undefined) {
      this.record(call, hold, undefined);
    } else {
      const read = readOutcome(outcome);
      this.note(call, outcome);
      this.record(call, this.classify(read, call), read.status);
    }
    return this.#options.ledger.verdict(call.identity, call.scope);
  }

  /** What an answer says of time, before it is judged by. */
  note(call: Call, answer: unknown): void {
    const { timekeeper } = this.#options;
    if (timekeeper !== undefined && !this.#closed && call.identity.known) timekeeper.note(call, answer);
  }

  /** Whether what a lease was taken with may be used still. */
  isUsable(identity: Identity, scope: WorkScope): boolean {
    return identity.known && this.#options.ledger.isUsable(identity, scope);
  }

  /** Whether nothing has been learnt of a rejected credential since a number was taken to put it to the test. */
  isUntold(identity: Identity, scope: WorkScope, sent: number): boolean {
    const rejection = identity.ruling.state === 'rejected' ? identity.ruling : identity.rejectionFor(scope);
    return !this.#closed && identity.known && rejection !== undefined && rejection.passed < sent;
  }

  /** The user's rule first, then the built-in ones. */
  classify(outcome: Outcome, { scope, credential }: Call): Classification {
    const { rule, clock, emitter } = this.#options;
    const known = { ...outcome, body: parsedBody(outcome.body), scheme: credential.scheme };
    if (rule !== undefined) {
      try {
        const classification = rule(known, scope.parts);
        // A promise is no classification; its own failure must not go unhandled.
        if (isPromiseLike(classification)) classification.then(undefined, () => {});
        if (classification !== undefined) return checked(classification);
      } catch (error) {
        // The rule has seen a client's error, which may hold the credential.
        emitter.contain('classify', redactedCopy(error, [credential]), rule);
      }
    }
    return classify(known, scope.parts, clock.now());
  }

  /** The short way for what is all in order. */
  accept(call: Call): void {
    const { counters, emitter, onAccepted } = this.#options;
    if (this.#closed) return;
    counters.accepted++;
    this.#judge(call, ACCEPTED, undefined);
    if (!call.presented) onAccepted(call.scope);
    if (emitter.heard('accepted')) emitter.emit('accepted', () => about(call));
  }

  /** Returns whether a rejection is one that does not count yet. */
  record(call: Call, classification: Classification, status: number | undefined): 'strike' | undefined {
    const { counters, emitter, clock, beforeRejected, onRejected } = this.#options;
    if (this.#closed) return undefined;
    switch (classification.kind) {
      case 'accepted':
        this.accept(call);
        return undefined;
      case 'denied':
        counters.denied++;
        emitter.emit('denied', () => ({ ...about(call), status }));
        return undefined;
      case 'rejected': {
        const { reach } = classification;
        // The client's own request may not be allowed; that says nothing about other work with its credential.
        if (call.presented && reach === 'scope') return undefined;
        counters.rejected++;
        const effect = this.#judge(call, classification, status);
        const [late, strike] = [effect === 'none', effect === 'strike'];
        if (!call.presented) beforeRejected?.(call.scope);
        emitter.emit('rejected', () => ({ ...about(call), status, reach, late, strike }));
        if (!call.presented) onRejected(call.scope);
        return strike ? 'strike' : undefined;
      }
      case 'held': {
        counters.held++;
        const until = clock.now() + classification.ms;
        const reason = withoutValue(classification.reason, call);
        if (this.#judge(call, { ...classification, reason }, status) === 'applied')
          emitter.emit('held', () => ({ ...about(call), until, reason }));
      }
    }
    return undefined;
  }

  #judge(call: Call, judgement: Judgement, status: number | undefined): Effect {
    const { ledger, clock, counters, onVerdict } = this.#options;
    const { state, sent } = call.identity.ruling;
    const effect = ledger.judge(call, judgement, status, clock.now());
    // One more success of what was known to work teaches nobody anything.
    if (effect === 'applied' && !(judgement.kind === 'accepted' && state === 'accepted')) onVerdict(call.identity);
    // The second outcome of one call is no late one.
    if (effect === 'none' && call.sent !== sent) counters.late++;
    return effect;
  }
}

/** A hold, or what the outcome says as HTTP; what cannot be read says nothing. */
function readHold(outcome: unknown): Classification | undefined {
  const { isHold, holdMs, reason } = fieldsOf(outcome);
  if (isHold !== true || isInstance(outcome, Error)) return undefined;
  if (typeof holdMs !== 'number' || !Number.isFinite(holdMs) || holdMs < 0) {
    throw new TypeError('settle: `holdMs` must be a number of milliseconds');
  }
  return { kind: 'held', ms: holdMs, reason: typeof reason === 'string' ? reason : undefined };
}

function readOutcome(outcome: unknown): Outcome {
  if (typeof outcome === 'number') return { status: outcome };
  const isAnswer = !isInstance(outcome, Error) && typeof fieldsOf(outcome).status === 'number';
  return isAnswer ? outcomeOfResponse(outcome as OutcomeLike) : outcomeOfError(outcome);
}

function fieldsOf(outcome: unknown): { isHold?: boolean; holdMs?: unknown; reason?: unknown; status?: unknown } {
  try {
    const fields = Object(outcome) as { holdMs?: unknown; reason?: unknown; status?: unknown };
    return { isHold: 'holdMs' in fields, holdMs: fields.holdMs, reason: fields.reason, status: fields.status };
  } catch {
    return {};
  }
}

function about(call: Call): { scope: WorkScope['parts']; fingerprint: string } {
  return { scope: call.scope.parts, fingerprint: call.identity.fingerprint };
}

/** A reason is told, stored and shared as it is: one that quotes the credential is none. */
function withoutValue(reason: string | undefined, { credential }: Call): string | undefined {
  return reason === undefined || redact(reason, credential) === reason ? reason : undefined;
}

/** @throws {TypeError} for what is no classification. */
function checked(classification: Classification): Classification {
  switch (classification.kind) {
    case 'accepted':
    case 'denied':
    case 'none':
      return classification;
    case 'rejected':
      if (classification.reach === 'identity' || classification.reach === 'scope') return classification;
      break;
    case 'held':
      if (Number.isFinite(classification.ms) && classification.ms >= 0) return classification;
      break;
    case 'transient':
      if (classification.retryAfterMs === undefined || Number.isFinite(classification.retryAfterMs)) return classification;
  }
  throw new TypeError('classify: the rule returned no classification');
}
