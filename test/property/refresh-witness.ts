import { bearer, type Capture, type Credential, type Latchkey, type Lease } from '../../src/index.js';
import type { RefreshFunction } from '../../src/worker/refresh-call.js';
import type { ModelScope } from './model.js';

/** What one try to refresh comes to. `late`: it hangs past its time, ignores its signal, and brings a fresh one then. */
export type Outcome = 'fresh' | 'short' | 'same' | 'nothing' | 'dead' | 'transient' | 'permanent' | 'throws' | 'late';
export const OUTCOMES: readonly Outcome[] = ['fresh', 'short', 'same', 'nothing', 'dead', 'transient', 'permanent', 'throws', 'late'];

/** How long a refresh may take, and what is short-lived or late. */
export const TRY_MS = 1_000;
const SHORT_MS = 4_000;
const LATE_MS = 2_500;

type Learnt = 'accepted' | 'rejected' | 'held' | 'unknown';

interface Known {
  readonly outcomes: { readonly sent: number; readonly learnt: Learnt }[];
  forgivenAt: number;
  /** When it was last accepted, in milliseconds since the epoch. */
  acceptedAt: number;
}

/** A call whose outcome is not known yet. */
export interface Out {
  readonly identity: string;
  readonly sent: number;
}

const identityOf = (provider: string | undefined, fingerprint: string): string => `${provider} ${fingerprint}`;
const holderOf = ({ tenant, provider }: ModelScope, fingerprint: string): string => `${tenant} ${identityOf(provider, fingerprint)}`;

/** Watches what is sent, refreshed and installed, and notes what must never be. A rougher telling of the rules than the model's: what it says is certain. */
export class Witness {
  readonly objections: string[] = [];
  /** Every value that there is. */
  readonly values = new Set<string>();
  tries = 0;
  closed = false;
  readonly #known = new Map<string, Known>();
  /** What was presented to, or minted for, whom. */
  readonly #holders = new Set<string>();
  readonly #expiries = new Map<string, number>();
  readonly #dead: Credential[] = [];
  /** Tries that are out, by identity. */
  readonly #out = new Map<string, AbortSignal>();
  #number = 0;
  #evictedAt = 0;

  next(): number {
    return ++this.#number;
  }

  /** Calls that are out may find nothing any more to teach. */
  evicted(): void {
    this.#evictedAt = this.next();
  }

  forgiven(provider: string | undefined, fingerprint: string): void {
    const known = this.#of(identityOf(provider, fingerprint));
    known.forgivenAt = this.next();
  }

  presented(scope: ModelScope, credential: Credential): Out {
    this.#note(scope, credential);
    return { identity: identityOf(scope.provider, credential.fingerprint), sent: this.next() };
  }

  sending(scope: ModelScope, lease: Lease): Out {
    const { fingerprint } = lease.credential;
    const identity = identityOf(scope.provider, fingerprint);
    if (!this.#holders.has(holderOf(scope, fingerprint))) this.#object(`L8: ${JSON.stringify(scope)} sends what is not its own`);
    if (!lease.usable()) this.#object(`L1: ${fingerprint} is sent and not usable`);
    if (this.isRejected(identity)) this.#object(`L1, L4: ${fingerprint} is sent after it was rejected`);
    if (this.isExpired(identity)) this.#object(`L1: ${fingerprint} is sent after it has expired`);
    return { identity, sent: this.next() };
  }

  learnt({ identity, sent }: Out, learnt: Learnt): void {
    const known = this.#of(identity);
    // Forgotten in between or not: that is not to be told from here.
    known.outcomes.push({ sent, learnt: sent < this.#evictedAt ? 'unknown' : learnt });
    if (learnt === 'accepted') known.acceptedAt = Date.now();
  }

  /** Certainly rejected: by the latest-sent call that had an outcome. */
  isRejected(identity: string): boolean {
    const { outcomes, forgivenAt } = this.#of(identity);
    const counting = outcomes.filter(({ sent }) => sent > forgivenAt);
    const latest = Math.max(...counting.map(({ sent }) => sent));
    const last = counting.filter(({ sent }) => sent === latest).map(({ learnt }) => learnt);
    return counting.every(({ learnt }) => learnt !== 'unknown') && last.includes('rejected');
  }

  /** Certainly not rejected, nor about to expire. */
  isAlive(identity: string): boolean {
    const { outcomes, forgivenAt } = this.#of(identity);
    const counting = outcomes.filter(({ sent }) => sent > forgivenAt);
    const expiresAt = this.#expiries.get(identity);
    return counting.every(({ learnt }) => learnt === 'accepted') && (expiresAt === undefined || Date.now() < expiresAt - SHORT_MS / 5);
  }

  isExpired(identity: string): boolean {
    const expiresAt = this.#expiries.get(identity);
    return expiresAt !== undefined && Date.now() >= expiresAt && this.#of(identity).acceptedAt < expiresAt;
  }

  /** A presentation of what is dead takes no slot from what is alive. */
  capture(latchkey: Latchkey, scope: ModelScope, credential: Credential): { real: Capture; out: Out } {
    const identity = identityOf(scope.provider, credential.fingerprint);
    const isDead = this.isRejected(identity) || this.isExpired(identity);
    const slots = (): Map<string, string> =>
      new Map(latchkey.snapshot().slots.map((slot) => [`${slot.slot} ${JSON.stringify(slot.scope)}`, slot.fingerprint]));
    const before = slots();
    const out = this.presented(scope, credential);
    const real = latchkey.capture(scope, credential);
    const after = isDead ? slots() : before;
    for (const [slot, fingerprint] of before) {
      const isDisplaced = after.get(slot) !== fingerprint && after.get(slot) === credential.fingerprint;
      if (isDisplaced && this.isAlive(identityOf(scope.provider, fingerprint)))
        this.#object(`L5: ${credential.fingerprint} is dead and takes ${slot}`);
    }
    return { real, out };
  }

  /** A refresh whose tries come, one after the other, to these. `pause`: until the schedule says so. */
  refresh(outcomes: readonly Outcome[], pause: () => Promise<unknown>): RefreshFunction {
    return async (lease, { signal }) => {
      const { scope, credential } = lease;
      const identity = identityOf(scope.provider, credential.fingerprint);
      const sent = this.next();
      const outcome = outcomes[this.tries++ % outcomes.length] as Outcome;
      // Another tenant that holds the same bytes may have another refresh token.
      const out = `${scope.tenant}: ${identity}`;
      const before = this.#out.get(out);
      if (before !== undefined && !before.aborted) this.#object(`two refreshes of ${identity} at once`);
      if (!this.#holders.has(holderOf(scope, credential.fingerprint)))
        this.#object(`L8: a refresh for ${JSON.stringify(scope)} of another’s`);
      if (this.closed) this.#object('a refresh after the end');
      this.#out.set(out, signal);
      try {
        if (outcome === 'late') await new Promise((resolve) => setTimeout(resolve, LATE_MS));
        else await pause();
        return this.#bring(outcome, scope, credential, identity, sent, signal);
      } finally {
        if (this.#out.get(out) === signal) this.#out.delete(out);
      }
    };
  }

  #bring(
    outcome: Outcome,
    scope: ModelScope,
    credential: Credential,
    identity: string,
    sent: number,
    signal: AbortSignal,
  ): Credential | undefined {
    switch (outcome) {
      case 'nothing':
        return undefined;
      case 'same':
        return credential;
      case 'dead':
        return this.#dead.find(
          (one) => this.#holders.has(holderOf(scope, one.fingerprint)) && this.isRejected(identityOf(scope.provider, one.fingerprint)),
        );
      case 'transient':
        throw Object.assign(new Error('down'), { status: 503 });
      case 'permanent':
        // It is a verdict on what is over already, if anybody waits for it still.
        if (!signal.aborted && this.isExpired(identity)) this.learnt({ identity, sent }, 'unknown');
        throw Object.assign(new Error('refused'), { status: 400, error: 'invalid_grant' });
      case 'throws':
        throw new TypeError('a fault');
      default: {
        const value = `minted-${scope.tenant}-${scope.provider}-${this.tries}-${this.next()}`;
        const minted = outcome === 'short' ? bearer(value, { expiresAt: Date.now() + SHORT_MS }) : bearer(value);
        this.#note(scope, minted);
        return minted;
      }
    }
  }

  #note(scope: ModelScope, credential: Credential): void {
    const { fingerprint, expiresAt } = credential;
    this.values.add(credential.reveal());
    this.#holders.add(holderOf(scope, fingerprint));
    this.#dead.push(credential);
    if (expiresAt !== undefined) this.#expiries.set(identityOf(scope.provider, fingerprint), expiresAt);
  }

  #of(identity: string): Known {
    let known = this.#known.get(identity);
    if (known === undefined) {
      known = { outcomes: [], forgivenAt: 0, acceptedAt: Number.NEGATIVE_INFINITY };
      this.#known.set(identity, known);
    }
    return known;
  }

  #object(what: string): void {
    this.objections.push(what);
  }
}
