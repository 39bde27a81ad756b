import { createHash } from 'node:crypto';
import { callWithin } from './call-within.js';
import { Kept } from './kept.js';

/** What a refresh of a session gives: values for its two cookies. */
export interface RefreshedTokens {
  readonly session: string;
  /** The refresh token that replaces the one used, where the provider rotates them. */
  readonly refresh?: string | undefined;
}

/** What came of a refresh token: new tokens, made into something for the answer; that the provider refused it; or nothing, for now. */
export type Renewal<R> = { readonly kind: 'renewed'; readonly renewed: R } | { readonly kind: 'refused' } | { readonly kind: 'unknown' };

export interface RefreshRules<R> {
  /** Asks the provider; undefined if it refuses the token. */
  readonly refresh: (refreshToken: string, context: { readonly signal: AbortSignal }) => RefreshResult | PromiseLike<RefreshResult>;
  /** Makes the provider's answer into what the waiters get. It throws for one that cannot be used. */
  readonly accept: (tokens: RefreshedTokens) => R;
  /** How long each of those who wait does so. */
  readonly timeoutMs: number;
  /** How long a result is kept, and how much longer than `timeoutMs` a call may take before it is given up. */
  readonly reuseMs: number;
  /** Calls under way at once, and as many results kept of each kind. */
  readonly limit: number;
  /** Hears, once for each call, why nothing came of it. */
  readonly failed: (error: unknown) => void;
}

type RefreshResult = RefreshedTokens | null | undefined;

interface Flight<R> {
  /** Never rejects. */
  readonly landing: Promise<Renewal<R>>;
  readonly failed: (error: unknown) => void;
}

const UNKNOWN = { kind: 'unknown' } as const;

/**
 * One refresh per refresh token, whoever asks: a token that rotates is good for one use. Those who come while it is under way wait for it, after
 * others have stopped waiting too; those who come a little later, with the cookie they had, get the same.
 */
export class RefreshFlights<R> {
  readonly #rules: RefreshRules<R>;
  readonly #underWay = new Map<string, Flight<R>>();
  readonly #renewed: Kept<R>;
  /** Apart: anybody can bring tokens that the provider refuses, and they must not push out what others still need. */
  readonly #refused: Kept<true>;

  constructor(rules: RefreshRules<R>) {
    this.#rules = rules;
    this.#renewed = new Kept(rules.reuseMs, rules.limit);
    this.#refused = new Kept(rules.reuseMs, rules.limit);
  }

  /** Never rejects. */
  async renew(refreshToken: string): Promise<Renewal<R>> {
    const key = createHash('sha256').update(refreshToken).digest('hex');
    const known = this.#known(key);
    if (known !== undefined) return known;
    const joined = this.#underWay.get(key);
    if (joined === undefined && this.#underWay.size >= this.#rules.limit) return UNKNOWN;
    const { landing, failed } = joined ?? this.#fly(refreshToken, key);
    try {
      return await callWithin(() => landing, { timeoutMs: this.#rules.timeoutMs });
    } catch (error) {
      failed(error);
      return this.#known(key) ?? UNKNOWN;
    }
  }

  #fly(refreshToken: string, key: string): Flight<R> {
    const { refresh, timeoutMs, reuseMs } = this.#rules;
    let isTold = false;
    const failed = (error: unknown): void => {
      if (!isTold) this.#rules.failed(error);
      isTold = true;
    };
    const tokens = callWithin<RefreshResult>((signal) => refresh(refreshToken, { signal }), {
      timeoutMs: timeoutMs + reuseMs,
      // The tokens of a later call are newer. A refusal is not: of the two calls this one may have used the token up.
      late: (value) => {
        if (value && this.#renewed.get(key) === undefined) this.#renewed.keep(key, this.#rules.accept(value));
      },
    });
    const landing = tokens
      .then((value) => this.#landed(key, value))
      .catch((error): Renewal<R> => {
        failed(error);
        return this.#known(key) ?? UNKNOWN;
      })
      .finally(() => this.#underWay.delete(key));
    const flight = { landing, failed };
    this.#underWay.set(key, flight);
    return flight;
  }

  #landed(key: string, tokens: RefreshResult): Renewal<R> {
    if (tokens) {
      const renewed = this.#rules.accept(tokens);
      this.#renewed.keep(key, renewed);
      return { kind: 'renewed', renewed };
    }
    // Refused because a late answer has used it up.
    const renewed = this.#renewed.get(key);
    if (renewed !== undefined) return { kind: 'renewed', renewed };
    this.#refused.keep(key, true);
    return { kind: 'refused' };
  }

  #known(key: string): Renewal<R> | undefined {
    const renewed = this.#renewed.get(key);
    if (renewed !== undefined) return { kind: 'renewed', renewed };
    return this.#refused.get(key) && { kind: 'refused' };
  }
}
