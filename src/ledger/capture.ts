import type { Credential } from '../credential/credential.js';
import type { Verdict } from '../policy/verdict.js';
import type { OnInstalled } from './change.js';
import type { Ledger } from './ledger.js';
import type { Pending } from './provisional.js';
import type { WorkScope } from './scope-key.js';
import type { Settler } from './settle.js';
import type { Identity } from './verdicts.js';

/** A client's request that presented a credential. */
export interface Capture {
  /** Its slot points at another credential than before. */
  readonly changed: boolean;
  /** The credential may be used for the scope, as far as is known. */
  readonly usable: boolean;
  /**
   * Judges the credential by what came of the client's own request, at any time, repeatedly: a status, a `Response` (its body is not read), a
   * thrown error, `{ status, headers?, body? }`, or `{ holdMs, reason? }`. A bare 403 changes nothing, and no
   * incident is opened: the client sees its own failure.
   * @throws {TypeError} for a `holdMs` that is no number of milliseconds.
   */
  settle(outcome: unknown): Verdict;
  /** Installs a provisional capture, in the place that its arrival had; nothing if its session was evicted since. */
  commit(): void;
  /** Forgets a provisional capture. */
  discard(): void;
}

export interface CaptureContext {
  readonly ledger: Ledger;
  readonly settler: Settler;
  /** A session has presented something. */
  readonly onPresented: () => void;
  readonly onInstalled: OnInstalled;
  readonly isClosed: () => boolean;
  readonly now: () => number;
}

/** Where a capture stands: a provisional one waits, with a mark that an eviction drops. */
type Stage =
  | { readonly name: 'provisional'; readonly pending: Pending }
  | { readonly name: 'installed'; readonly identity: Identity }
  | { readonly name: 'discarded' };

export class PresentedCapture implements Capture {
  readonly #context: CaptureContext;
  readonly #scope: WorkScope;
  readonly #credential: Credential;
  /** Arrival orders presentations, however late they are committed. */
  readonly #arrived: number;
  readonly #arrivedAt: number;
  #stage: Stage;
  #changed = false;

  constructor(context: CaptureContext, scope: WorkScope, credential: Credential, provisional: boolean) {
    this.#context = context;
    this.#scope = scope;
    this.#credential = credential;
    this.#arrived = context.ledger.sequence.next();
    this.#arrivedAt = context.now();
    this.#stage = provisional ? { name: 'provisional', pending: context.ledger.pending(scope) } : this.#install();
  }

  get changed(): boolean {
    return this.#changed;
  }

  get usable(): boolean {
    const { ledger, isClosed, now } = this.#context;
    if (isClosed()) return false;
    const identity = this.#stage.name === 'installed' ? this.#stage.identity : ledger.identity(this.#scope, this.#credential);
    if (identity !== undefined) return identity.known && ledger.isUsable(identity, this.#scope);
    // One that was never seen is as good as its expiry hint.
    const expiry = ledger.expiryOf(this.#scope.provider, this.#credential);
    return expiry === undefined || now() < expiry.endsAt;
  }

  settle(outcome: unknown): Verdict {
    const identity = this.#identity();
    if (identity === undefined) return { state: 'unproven' };
    const { settler } = this.#context;
    return settler.settle(
      {
        identity,
        credential: this.#credential,
        scope: this.#scope,
        sent: this.#arrived,
        sentAt: this.#arrivedAt,
        presented: true,
        borrowed: false,
        probe: false,
      },
      outcome,
    );
  }

  commit(): void {
    if (this.#stage.name !== 'provisional' || this.#context.isClosed()) return;
    if (!this.#stage.pending.dropped) this.#stage = this.#install();
  }

  discard(): void {
    if (this.#stage.name === 'provisional' && !this.#stage.pending.dropped) this.#stage = { name: 'discarded' };
  }

  #install(): Stage {
    const { ledger, onInstalled, onPresented } = this.#context;
    const { identity, changed } = ledger.present(this.#scope, this.#credential, ledger.sequence.bounded(this.#arrived), onInstalled);
    this.#changed = changed;
    onPresented();
    return { name: 'installed', identity };
  }

  /** What is judged. A verdict on a provisional capture is remembered; what an eviction has forgotten stays forgotten. */
  #identity(): Identity | undefined {
    const { ledger, isClosed } = this.#context;
    if (this.#stage.name === 'installed') return this.#stage.identity;
    const known = ledger.identity(this.#scope, this.#credential);
    const dropped = isClosed() || (this.#stage.name === 'provisional' && this.#stage.pending.dropped);
    return known ?? (dropped ? undefined : ledger.remember(this.#scope.provider, this.#credential.fingerprint));
  }
}

/** What a capture is once Latchkey is closed. */
export const INERT_CAPTURE: Capture = Object.freeze({
  changed: false,
  usable: false,
  settle: () => ({ state: 'unproven' as const }),
  commit: () => {},
  discard: () => {},
});
