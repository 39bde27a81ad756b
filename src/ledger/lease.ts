import type { Credential } from '../credential/credential.js';
import type { ScopeParts } from '../errors.js';
import type { Source } from '../policy/choose.js';
import type { Verdict } from '../policy/verdict.js';
import type { LeasedCall } from './call.js';
import type { Ledger } from './ledger.js';
import type { Settler } from './settle.js';

/** What a worker gets for one attempt. There is nothing to give back; take a new one for each call. */
export interface Lease {
  readonly credential: Credential;
  readonly source: Source;
  readonly scope: ScopeParts;
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

export class IssuedLease implements Lease {
  readonly #call: LeasedCall;
  readonly #ledger: Ledger;
  readonly #settler: Settler;

  constructor(call: LeasedCall, ledger: Ledger, settler: Settler) {
    this.#call = call;
    this.#ledger = ledger;
    this.#settler = settler;
  }

  get credential(): Credential {
    return this.#call.credential;
  }

  get source(): Source {
    return this.#call.source;
  }

  get scope(): ScopeParts {
    return this.#call.scope.parts;
  }

  headers(): Record<string, string> {
    return this.#call.credential.headers();
  }

  usable(): boolean {
    return this.#call.identity.known && this.#ledger.isUsable(this.#call.identity, this.#call.scope);
  }

  settle(outcome: unknown): Verdict {
    return this.#settler.settle(this.#call, outcome);
  }

  toJSON(): object {
    return { credential: this.credential.toString(), source: this.source, scope: this.scope };
  }

  [Symbol.for('nodejs.util.inspect.custom')](): object {
    return this.toJSON();
  }
}
