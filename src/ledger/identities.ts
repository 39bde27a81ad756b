import { LRUCache } from 'lru-cache';
import type { Credential } from '../credential/credential.js';
import { Identity } from './verdicts.js';

/** Every identity that is known: those that slots point at for as long as they do, the rest (tombstones) up to a limit. */
export class Identities {
  readonly #providers = new Map<string | undefined, Map<string, Identity>>();
  readonly #unreferenced: LRUCache<Identity, true>;
  readonly #onForgotten: ((identity: Identity) => void) | undefined;

  constructor(limit: number, onForgotten?: (identity: Identity) => void) {
    this.#onForgotten = onForgotten;
    this.#unreferenced = new LRUCache({
      // By size, one each: `max` would lay out all its room at once, about a megabyte, before there is anything to know.
      maxSize: limit,
      sizeCalculation: () => 1,
      dispose: (_, identity, reason) => {
        if (reason === 'evict') this.#forget(identity);
      },
    });
  }

  get unreferenced(): number {
    return this.#unreferenced.size;
  }

  get size(): number {
    let size = 0;
    for (const identities of this.#providers.values()) size += identities.size;
    return size;
  }

  find(provider: string | undefined, fingerprint: string): Identity | undefined {
    return this.#providers.get(provider)?.get(fingerprint);
  }

  /** The identity of these bytes at this provider, from now on known; `retain` or `shelve` it. */
  of(provider: string | undefined, fingerprint: string): Identity {
    let identities = this.#providers.get(provider);
    if (identities === undefined) {
      identities = new Map();
      this.#providers.set(provider, identities);
    }
    let identity = identities.get(fingerprint);
    if (identity === undefined) {
      identity = new Identity(provider, fingerprint);
      identities.set(fingerprint, identity);
    }
    return identity;
  }

  *withFingerprint(fingerprint: string): Iterable<Identity> {
    for (const identities of this.#providers.values()) {
      const identity = identities.get(fingerprint);
      if (identity !== undefined) yield identity;
    }
  }

  *all(): Iterable<Identity> {
    for (const identities of this.#providers.values()) yield* identities.values();
  }

  /** No slot points at it, but it is to be remembered as long as there is room. */
  shelve(identity: Identity): void {
    if (identity.references === 0 && identity.known) this.#unreferenced.set(identity, true);
  }

  /** A slot points at it from now on. */
  retain(identity: Identity, credential: Credential): void {
    identity.credential = credential;
    if (identity.references++ === 0) this.#unreferenced.delete(identity);
  }

  /**
   * A slot points elsewhere from now on. What was displaced stays known for a while, since calls may still be out with it; what was
   * evicted stays only for the verdict it has.
   */
  release(identity: Identity, evicted: boolean): void {
    if (--identity.references > 0) return;
    identity.credential = undefined;
    if (evicted && !identity.isMemorable) this.#forget(identity);
    else this.#unreferenced.set(identity, true);
  }

  #forget(identity: Identity): void {
    identity.known = false;
    identity.forgetSuccessors();
    const identities = this.#providers.get(identity.provider);
    identities?.delete(identity.fingerprint);
    if (identities?.size === 0) this.#providers.delete(identity.provider);
    this.#onForgotten?.(identity);
  }
}
