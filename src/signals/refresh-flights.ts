import { createHash } from 'node:crypto';
import { startTimer } from '../clock.js';
import { callWithin } from './call-within.js';

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
  readonly timeoutMs: number;
  readonly reuseMs: number;
  /** Tokens known at once. */
  readonly limit: number;
  /** Hears, once for all who wait, why nothing came of it. */
  readonly failed: (error: unknown) => void;
}

type RefreshResult = RefreshedTokens | null | undefined;

/**
 * One refresh per refresh token, whoever asks: a token that rotates is good for one use. Those who come while it is under way wait for it, those
 * who come a little later, with the cookie they had, get the same.
 */
export class RefreshFlights<R> {
  readonly #rules: RefreshRules<R>;
  readonly #underWay = new Map<string, Promise<Renewal<R>>>();
  readonly #done = new Map<string, { readonly renewal: Renewal<R>; readonly expiry: { cancel(): void } }>();

  constructor(rules: RefreshRules<R>) {
    this.#rules = rules;
  }

  /** Never rejects. */
  async renew(refreshToken: string): Promise<Renewal<R>> {
    const key = createHash('sha256').update(refreshToken).digest('hex');
    const known = this.#done.get(key)?.renewal ?? this.#underWay.get(key);
    if (known !== undefined) return known;
    if (this.#underWay.size >= this.#rules.limit) return { kind: 'unknown' };
    const flight = this.#fly(refreshToken, key);
    this.#underWay.set(key, flight);
    try {
      return await flight;
    } finally {
      this.#underWay.delete(key);
    }
  }

  async #fly(refreshToken: string, key: string): Promise<Renewal<R>> {
    const { refresh, timeoutMs, failed } = this.#rules;
    try {
      const tokens = await callWithin<RefreshResult>((signal) => refresh(refreshToken, { signal }), {
        timeoutMs,
        // The old token may be used up: who tries again finds the new one here.
        late: (value) => void this.#remembered(key, value),
      });
      return this.#remembered(key, tokens);
    } catch (error) {
      failed(error);
      return { kind: 'unknown' };
    }
  }

  #remembered(key: string, tokens: RefreshResult): Renewal<R> {
    const known = this.#done.get(key)?.renewal;
    // Refused because a late answer has used it up.
    if (!tokens && known !== undefined) return known;
    const renewal: Renewal<R> = tokens ? { kind: 'renewed', renewed: this.#rules.accept(tokens) } : { kind: 'refused' };
    const { reuseMs, limit } = this.#rules;
    if (reuseMs === 0) return renewal;
    this.#forget(key);
    const oldest = this.#done.size >= limit ? this.#done.keys().next().value : undefined;
    if (oldest !== undefined) this.#forget(oldest);
    this.#done.set(key, { renewal, expiry: startTimer(reuseMs, () => this.#forget(key)) });
    return renewal;
  }

  #forget(key: string): void {
    this.#done.get(key)?.expiry.cancel();
    this.#done.delete(key);
  }
}
