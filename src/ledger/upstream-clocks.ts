/** A difference below this is the second that a `Date` header is exact to, and the way that it took. */
const LEAST_SKEW_MS = 2_000;
/** A clock that is wrong by more than a day tells us nothing. */
const MOST_SKEW_MS = 24 * 3_600_000;
const SAMPLES = 8;
const MOST_CLOCKS = 1_000;
/** One look in so many milliseconds is enough. */
const SAMPLE_EVERY_MS = 10_000;

/** How far an upstream's clock is ahead of ours, as far as its answers say. */
export class UpstreamClock {
  /** In milliseconds; negative if it is behind. */
  aheadMs = 0;
  readonly #samples: number[] = [];
  #sampledAt = Number.NEGATIVE_INFINITY;

  /** Whether another answer is worth a look. */
  isWanted(now: number): boolean {
    return this.#samples.length < SAMPLES || now - this.#sampledAt >= SAMPLE_EVERY_MS || now < this.#sampledAt;
  }

  /**
   * An answer's `Date` (RFC 9110, section 6.6.1), in milliseconds since the epoch. On its way, and in a cache, it can only grow older: of the last
   * answers the one that is furthest ahead is nearest to the truth.
   */
  sample(date: number, now: number): void {
    // It names the second in which it was written: on average half of it was over.
    const ahead = date + 500 - now;
    if (!(Math.abs(ahead) <= MOST_SKEW_MS)) return;
    this.#sampledAt = now;
    this.#samples.push(ahead);
    if (this.#samples.length > SAMPLES) this.#samples.shift();
    const furthest = Math.max(...this.#samples);
    this.aheadMs = Math.abs(furthest) < LEAST_SKEW_MS ? 0 : furthest;
  }
}

/** The clocks of the providers that answers came from. */
export class UpstreamClocks {
  readonly #clocks = new Map<string | undefined, UpstreamClock>();

  of(provider: string | undefined): UpstreamClock {
    let clock = this.#clocks.get(provider);
    if (clock === undefined) {
      clock = new UpstreamClock();
      this.#clocks.set(provider, clock);
      for (const oldest of this.#clocks.keys()) {
        if (this.#clocks.size <= MOST_CLOCKS) break;
        this.#clocks.delete(oldest);
      }
    }
    return clock;
  }
}
