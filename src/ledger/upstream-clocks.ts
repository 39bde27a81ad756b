/** A difference below this is the second that a `Date` header is exact to, and the way that it took. */
const LEAST_SKEW_MS = 2_000;
/** A clock that is wrong by more than a day tells us nothing. */
const MOST_SKEW_MS = 24 * 3_600_000;
const SAMPLES = 8;
const MOST_CLOCKS = 1_000;
/** One look in so many milliseconds is enough. */
const SAMPLE_EVERY_MS = 10_000;

/** Fewer answers say nothing: one machine's clock may be wrong, or ours for a moment. */
const LEAST_SAMPLES = 3;
/** What was learnt so long ago is not relied upon: where it was wrong, no call may have left since that could show it. */
const LONGEST_MS = 3_600_000;

/** How far an upstream's clock is ahead of ours, as far as its answers say. */
export class UpstreamClock {
  readonly #now: () => number;
  readonly #samples: number[] = [];
  #median = 0;
  #sampledAt = Number.NEGATIVE_INFINITY;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** In milliseconds; negative if it is behind. */
  get aheadMs(): number {
    return this.#median === 0 || Math.abs(this.#now() - this.#sampledAt) > LONGEST_MS ? 0 : this.#median;
  }

  /** Whether another answer is worth a look. */
  isWanted(now: number): boolean {
    return this.#samples.length < SAMPLES || now - this.#sampledAt >= SAMPLE_EVERY_MS || now < this.#sampledAt;
  }

  /** An answer's `Date` (RFC 9110, section 6.6.1), in milliseconds since the epoch. The median of the last ones counts: some were late, or one machine's. */
  sample(date: number, now: number): void {
    // It names the second in which it was written: on average half of it was over.
    const ahead = date + 500 - now;
    if (!(Math.abs(ahead) <= MOST_SKEW_MS)) return;
    if (Math.abs(now - this.#sampledAt) > LONGEST_MS) this.#samples.length = 0;
    this.#sampledAt = now;
    this.#samples.push(ahead);
    if (this.#samples.length > SAMPLES) this.#samples.shift();
    const median = this.#samples.toSorted((a, b) => a - b)[this.#samples.length >> 1] ?? 0;
    this.#median = this.#samples.length < LEAST_SAMPLES || Math.abs(median) < LEAST_SKEW_MS ? 0 : median;
  }
}

/** The clocks of the providers that answers came from. */
export class UpstreamClocks {
  readonly #now: () => number;
  readonly #clocks = new Map<string | undefined, UpstreamClock>();

  constructor(now: () => number) {
    this.#now = now;
  }

  of(provider: string | undefined): UpstreamClock {
    let clock = this.#clocks.get(provider);
    if (clock === undefined) {
      clock = new UpstreamClock(this.#now);
      this.#clocks.set(provider, clock);
      for (const oldest of this.#clocks.keys()) {
        if (this.#clocks.size <= MOST_CLOCKS) break;
        this.#clocks.delete(oldest);
      }
    }
    return clock;
  }
}
