import type { Credential } from '../credential/credential.js';
import type { ScopeParts } from '../errors.js';
import type { Source } from '../policy/choose.js';
import type { Verdict } from '../policy/verdict.js';
import { type Call, type Choice, LeasedCall } from './call.js';
import type { Ledger } from './ledger.js';
import type { WorkScope } from './scope-key.js';
import type { Settler } from './settle.js';

/** What a worker gets for one attempt. There is nothing to give back; take a new one for each call. */
export interface Lease {
  readonly credential: Credential;
  readonly source: Source;
  readonly scope: ScopeParts;
  /** The credential was rejected, and the one call made with this lease puts it to the test. */
  readonly probe: boolean;
  /** A fresh plain object with the one header that carries the credential. */
  headers(): Record<string, string>;
  /** Whether the credential may be used still, for this scope: worth asking between the steps of long work. */
  usable(): boolean;
  /**
   * Records what came of the call made with this lease, and returns the verdict on its credential; `run` does it by itself. An outcome is a
   * status, a `Response` (its body is not read), a thrown error, `{ status, headers?, body? }`, or `{ holdMs, reason? }`.
   * @throws {TypeError} for a `holdMs` that is no number of milliseconds.
   */
  settle(outcome: unknown): Verdict;
}

/** For a call that is made now. */
export function issueLease(ledger: Pick<Ledger, 'sequence' | 'sendingAt'>, choice: Choice, scope: WorkScope, settler: Settler): Lease {
  return new IssuedLease(choice, scope, { sent: ledger.sequence.next(), sentAt: ledger.sendingAt(choice.identity) }, settler);
}

/** Small, since loops over many sessions ask for many: the call that it stands for is made up when it has an outcome. */
export class IssuedLease implements Lease {
  readonly #choice: Choice;
  readonly #scope: WorkScope;
  readonly #sent: number;
  readonly #sentAt: number;
  readonly #settler: Settler;

  constructor(choice: Choice, scope: WorkScope, { sent, sentAt }: Pick<Call, 'sent' | 'sentAt'>, settler: Settler) {
    this.#choice = choice;
    this.#scope = scope;
    this.#sent = sent;
    this.#sentAt = sentAt;
    this.#settler = settler;
  }

  get credential(): Credential {
    return this.#choice.credential;
  }

  get source(): Source {
    return this.#choice.source;
  }

  get scope(): ScopeParts {
    return this.#scope.parts;
  }

  get probe(): boolean {
    return this.#choice.probe;
  }

  headers(): Record<string, string> {
    return this.#choice.credential.headers();
  }

  usable(): boolean {
    const { identity, probe } = this.#choice;
    return this.#settler.isUsable(identity, this.#scope) || (probe && this.#settler.isUntold(identity, this.#scope, this.#sent));
  }

  settle(outcome: unknown): Verdict {
    return this.#settler.settle(new LeasedCall(this.#choice, this.#scope, this.#sent, this.#sentAt), outcome);
  }

  toJSON(): object {
    return { credential: this.credential.toString(), source: this.source, scope: this.scope };
  }

  [Symbol.for('nodejs.util.inspect.custom')](): object {
    return this.toJSON();
  }
}
