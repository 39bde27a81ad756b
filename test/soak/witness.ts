/** What a call taught, as far as it is certain. */
export type Learnt = 'accepted' | 'rejected' | 'held';

/** A call that is out, or a client's request. */
export interface Out {
  /** What it is about: an identity, or one in a single scope. */
  readonly about: string;
  readonly sent: number;
  readonly by: number;
  /** In milliseconds since the epoch. */
  readonly sentAt: number;
}

interface Outcome extends Out {
  readonly learnt: Learnt;
  readonly learntAt: number;
  readonly until: number;
  /** The process said so itself, and not that it came too late. */
  told: boolean;
}

interface Known {
  readonly outcomes: Outcome[];
  presented: number;
  forgiven: number;
  forgivenAt: number;
}

export interface WitnessOptions {
  /** Processes that share a store number their calls by clocks that agree to the millisecond only. */
  readonly isFleet: boolean;
  /** For how long what was learnt is certain to be remembered. */
  readonly certainForMs: number;
}

/** So many outcomes of one identity, and so many identities, are remembered. */
const MOST_OUTCOMES = 24;
const MOST_KNOWN = 1_500;
/** Longer than a process takes to make a verdict of an answer; calls that are this far apart are certainly numbered in their order. */
const MARGIN_MS = 150;

/**
 * Knows what each process has been taught, and what therefore must not leave it. A rougher telling of the rules than the ledger's: where it is not certain it
 * says nothing.
 */
export class Witness {
  readonly #options: WitnessOptions;
  readonly #known = new Map<string, Known>();
  #number = 0;

  constructor(options: WitnessOptions) {
    this.#options = options;
  }

  out(about: string, by: number): Out {
    return { about, sent: ++this.#number, by, sentAt: Date.now() };
  }

  presented(about: string): void {
    this.#of(about).presented = ++this.#number;
  }

  forgiven(about: string): void {
    const known = this.#of(about);
    known.forgiven = ++this.#number;
    known.forgivenAt = Date.now();
  }

  /**
   * Whether it was forgiven since a call left, or about then. An identity is forgiven for single scopes, too, also where nothing was heard for them yet; and
   * between processes what happens in one millisecond has no order.
   */
  #isForgiven(about: string, { sent, sentAt }: Out): boolean {
    const [identity = about] = about.split(' for ');
    const marginMs = this.#options.isFleet ? MARGIN_MS : Number.NEGATIVE_INFINITY;
    return [this.#known.get(about), this.#known.get(identity)].some(
      (known) => known !== undefined && (sent < known.forgiven || sentAt < known.forgivenAt + marginMs),
    );
  }

  /** An operator has said since that moment that it is good again. */
  wasForgiven(about: string, since: number): boolean {
    return (this.#known.get(about)?.forgivenAt ?? Number.NEGATIVE_INFINITY) >= since;
  }

  learnt(out: Out, learnt: Learnt, holdMs = 0): void {
    const { outcomes } = this.#of(out.about);
    const now = Date.now();
    outcomes.push({ ...out, learnt, learntAt: now, until: now + holdMs, told: false });
    if (outcomes.length <= MOST_OUTCOMES) return;
    outcomes.sort((a, b) => b.sent - a.sent);
    outcomes.length = MOST_OUTCOMES / 2;
  }

  /** A process said that it was taught so. */
  told(about: string, by: number, learnt: Learnt): void {
    for (const outcome of this.#known.get(about)?.outcomes ?? []) if (outcome.by === by && outcome.learnt === learnt) outcome.told = true;
  }

  /** Nothing bad was ever heard of it. */
  isUntouched(about: string): boolean {
    return this.#known.get(about)?.outcomes.every(({ learnt }) => learnt === 'accepted') ?? false;
  }

  /** Why a process must not send this now; undefined if it may. */
  objection(about: string, by: number): string | undefined {
    return this.#objection(about, by, ({ learnt }) => learnt !== 'accepted');
  }

  /** It is dead, as the process has said itself: one that it has forgotten since its client sent it is new to it. */
  isDead(about: string, by: number): boolean {
    return this.#objection(about, by, ({ learnt, told }) => learnt === 'rejected' && told) !== undefined;
  }

  #objection(about: string, by: number, counts: (latest: Outcome) => boolean): string | undefined {
    const known = this.#known.get(about);
    if (known === undefined) return undefined;
    const counting = known.outcomes.filter((outcome) => !this.#isForgiven(about, outcome));
    const latest = latestOf(counting);
    const now = Date.now();
    if (latest === undefined || latest.by !== by || !counts(latest)) return undefined;
    if (latest.learnt === 'held' && now >= latest.until - 20) return undefined;
    if (now - latest.learntAt > this.#options.certainForMs) return undefined;
    // Without its word: it must know, unless it may have forgotten this one before the answer came, and got it anew.
    const isSure = latest.told || (!this.#options.isFleet && known.presented < latest.sent && now - latest.learntAt > MARGIN_MS);
    if (!isSure || counting.some((other) => this.#mayOutrank(other, latest))) return undefined;
    return `${about} was ${latest.learnt} by call ${latest.sent} of process ${by}, ${now - latest.learntAt} ms ago`;
  }

  #mayOutrank(other: Outcome, latest: Outcome): boolean {
    if (other === latest || saysAsMuch(other, latest)) return false;
    return this.#options.isFleet && other.by !== latest.by && Math.abs(other.sentAt - latest.sentAt) < MARGIN_MS;
  }

  #of(about: string): Known {
    let known = this.#known.get(about);
    // The one that was looked at least lately goes first.
    if (known === undefined) known = { outcomes: [], presented: 0, forgiven: 0, forgivenAt: Number.NEGATIVE_INFINITY };
    else this.#known.delete(about);
    this.#known.set(about, known);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MOST_KNOWN) break;
      this.#known.delete(oldest);
    }
    return known;
  }
}

/** A shorter hold that outranks a longer one ends it. */
function saysAsMuch(other: Outcome, latest: Outcome): boolean {
  return other.learnt === latest.learnt && (other.learnt !== 'held' || other.until >= latest.until);
}

function latestOf(outcomes: readonly Outcome[]): Outcome | undefined {
  let latest: Outcome | undefined;
  for (const outcome of outcomes) if (latest === undefined || outcome.sent > latest.sent) latest = outcome;
  return latest;
}
