import { bearer, type Credential, type Lease } from '../../src/index.js';

/** An issuer whose refresh tokens are good for one use; a second use ends the whole family. What is current is kept where all processes see it. */
export class TokenFamily {
  /** Of each try: the access token that it was to replace. */
  readonly tries: string[] = [];
  readonly #ms: number;
  readonly #lifetimeMs: number | undefined;
  readonly #used = new Set<number>();
  #generation = 0;
  isDead = false;

  /** How long a refresh takes, and how long what it brings lasts; for ever unless told. */
  constructor(ms = 1_000, lifetimeMs?: number) {
    this.#ms = ms;
    this.#lifetimeMs = lifetimeMs;
  }

  get current(): string {
    return `token-${this.#generation}`;
  }

  readonly refresh = async ({ credential }: Lease, { signal }: { readonly signal: AbortSignal }): Promise<Credential> => {
    this.tries.push(credential.reveal());
    const refreshToken = this.#generation;
    if (this.#used.has(refreshToken)) this.isDead = true;
    this.#used.add(refreshToken);
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(resolve, this.#ms);
      signal.addEventListener('abort', () => {
        clearTimeout(timer);
        reject(signal.reason);
      });
    });
    if (this.isDead) throw Object.assign(new Error('refused'), { status: 400, error: 'invalid_grant' });
    this.#generation++;
    return this.token(this.#generation);
  };

  token(generation: number): Credential {
    const expiresAt = this.#lifetimeMs === undefined ? undefined : Date.now() + this.#lifetimeMs;
    return bearer(`token-${generation}`, { expiresAt });
  }
}
