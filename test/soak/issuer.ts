import { apiKey, bearer, type Credential } from '../../src/index.js';
import type { Random } from './random.js';

/** Where the work is done: names are few, so that they meet. */
export interface Place {
  readonly tenant?: string;
  readonly session?: string;
  readonly provider: string;
  readonly purpose?: string;
}

export interface Token {
  readonly serial: number;
  readonly credential: Credential;
  readonly tenant: string | undefined;
  readonly provider: string;
  /** Who presented it, and where. */
  readonly homes: Set<string>;
  /** The processes that had it from a client, a refresh or an operator: others may not know when it ends, if the store has lost that. */
  readonly firstHand: Set<number>;
  /** When a call was last answered well, in milliseconds since the epoch. */
  acceptedAt: number;
  /** How long it says that it lasts, from the moment on at which it was issued, in milliseconds. */
  readonly saysMs: number;
  /** A refresh brought it: what is over when it comes is taken for the mistake of a clock. */
  isRefreshed: boolean;
  /** Refused from here on, in milliseconds since the epoch. */
  diesAt: number;
  /** In between it is refused by mistake. */
  readonly outage: { readonly from: number; readonly to: number } | undefined;
  /** What it is answered now and then although it is alive. */
  readonly mood: 'well' | 'forbidden' | 'held' | 'flaky';
}

/** How an upstream answers a call. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** So many tokens are remembered: what nobody can present any more is dead to the upstream. */
const REMEMBERED = 600;

/** Makes tokens, and says what their calls are answered; the truth that Latchkey has to find out. */
export class Issuer {
  readonly #random: Random;
  /** Stands in each value, and in nothing else that there is. */
  readonly #secret: string;
  readonly #tokens = new Map<number, Token>();
  readonly #bySecret = new Map<string, Token>();
  #serial = 0;

  constructor(random: Random, secret: string) {
    this.#random = random;
    this.#secret = secret;
  }

  issue(tenant: string | undefined, provider: string, lives: { readonly fromMs: number; readonly toMs: number }): Token {
    const random = this.#random;
    const now = Date.now();
    const serial = ++this.#serial;
    const isKey = random.chance(0.25);
    const lifeMs = random.chance(0.12) ? 0 : isKey && random.chance(0.7) ? 3_600_000 : random.between(lives.fromMs, lives.toMs);
    const text = `${this.#secret}.${tenant ?? '-'}.${provider}.${serial}`;
    // Some tell when they end; of those some are wrong.
    const expiresAt = !isKey && lifeMs > 0 && random.chance(0.4) ? now + Math.ceil(lifeMs * random.between(0.5, 1.2)) : undefined;
    const isJwt = expiresAt !== undefined && random.chance(0.3);
    const token: Token = {
      serial,
      credential: isKey ? apiKey(text) : isJwt ? bearer(jwt(expiresAt, text)) : bearer(text, { expiresAt }),
      tenant,
      provider,
      homes: new Set(),
      firstHand: new Set(),
      acceptedAt: 0,
      saysMs: (expiresAt ?? Number.POSITIVE_INFINITY) - now,
      isRefreshed: false,
      diesAt: now + lifeMs,
      outage: random.chance(0.1) ? { from: now + 200, to: now + 200 + random.between(100, 1_500) } : undefined,
      mood: random.chance(0.2) ? random.of(['forbidden', 'held', 'flaky'] as const) : 'well',
    };
    this.#remember(token);
    return token;
  }

  /** One that was issued lately for that place, dead or alive. */
  earlier(tenant: string | undefined, provider: string): Token | undefined {
    const known = [...this.#tokens.values()].filter((token) => token.tenant === tenant && token.provider === provider).slice(-30);
    return known.length === 0 ? undefined : this.#random.of(known);
  }

  find(credential: Credential): Token | undefined {
    return this.#bySecret.get(credential.reveal());
  }

  /** One with this fingerprint says that it is over, or nearly so. */
  isEnding(fingerprint: string): boolean {
    const token = [...this.#tokens.values()].find(({ credential }) => credential.fingerprint === fingerprint);
    const expiresAt = token?.credential.expiresAt;
    return token === undefined || isJwt(token.credential) || (expiresAt !== undefined && expiresAt < Date.now() + 1_000);
  }

  isAlive(token: Token | undefined): boolean {
    if (token === undefined) return false;
    const now = Date.now();
    return now < token.diesAt && (token.outage === undefined || now < token.outage.from || now >= token.outage.to);
  }

  answer(credential: Credential, purpose: string | undefined): Reply {
    const random = this.#random;
    const token = this.find(credential);
    if (token === undefined || !this.isAlive(token))
      return { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } };
    if (random.chance(0.03)) return { status: random.of([500, 503, 429, 408]), headers: random.chance(0.5) ? { 'retry-after': '0' } : {} };
    if (token.mood === 'forbidden' && purpose === 'curate') return { status: 403, headers: {} };
    if (token.mood === 'held' && random.chance(0.3)) return { status: 402, headers: { 'retry-after-ms': String(random.below(400)) } };
    if (token.mood === 'flaky' && random.chance(0.4)) return { status: 503, headers: {} };
    if (random.chance(0.02)) return { status: 403, headers: { 'www-authenticate': 'Bearer error="insufficient_scope"' } };
    return { status: random.chance(0.02) ? 404 : 200, headers: {} };
  }

  #remember(token: Token): void {
    this.#tokens.set(token.serial, token);
    this.#bySecret.set(token.credential.reveal(), token);
    for (const [serial, oldest] of this.#tokens) {
      if (this.#tokens.size <= REMEMBERED) return;
      this.#tokens.delete(serial);
      this.#bySecret.delete(oldest.credential.reveal());
    }
  }
}

function isJwt(credential: Credential): boolean {
  return credential.reveal().startsWith('ey');
}

function jwt(expiresAt: number, secret: string): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part({ exp: Math.ceil(expiresAt / 1_000) })}.${secret.replaceAll('.', '_')}`;
}
