import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import type { Name } from './carrier.js';

const NAME_BYTES = 16;

/** What only one process of a fleet does at a time. */
export type LockKind = 'canary' | 'refresh' | 'incident';

/**
 * What a store calls scopes and credentials: HMAC-SHA-256, so that whoever reads the store can neither turn a name back nor try guesses,
 * and names of one namespace say nothing about those of another.
 */
export class Names {
  readonly #key: KeyObject;
  readonly #namespace: string;

  constructor(key: Uint8Array, namespace: string) {
    this.#key = createSecretKey(key);
    this.#namespace = namespace;
  }

  identity(provider: string | undefined, fingerprint: string): Name {
    return this.#name('identity', provider, fingerprint);
  }

  /** Without a name: the tenant's requests of no session. */
  session(tenant: string | undefined, session: string | undefined): Name {
    return this.#name('session', tenant, session);
  }

  tenant(tenant: string | undefined): Name {
    return this.#name('tenant', tenant);
  }

  provider(provider: string | undefined): Name {
    return this.#name('provider', provider);
  }

  pin(provider: string | undefined, purpose: string | undefined): Name {
    return this.#name('pin', provider, purpose);
  }

  /** Of what a refresh spends. */
  spent(what: string): Name {
    return this.#name('spent', what);
  }

  /** Of tenant, session and purpose, as `scopeKey` writes them. */
  scope(scopeKey: string): Name {
    return this.#name('scope', scopeKey);
  }

  lock(kind: LockKind, ...of: readonly Name[]): Name {
    return this.#name('lock', kind, ...of);
  }

  #name(kind: string, ...parts: readonly (string | undefined)[]): Name {
    const text = `${spellOut(kind)}${spellOut(this.#namespace)}${parts.map(spellOut).join('')}`;
    // UTF-8 has one and the same replacement for every lone surrogate: names that a client chose could be made to meet.
    const digest = createHmac('sha256', this.#key).update(Buffer.from(text, 'utf16le')).digest();
    return digest.toString('hex', 0, NAME_BYTES);
  }
}

/** Length first, so that no part can pretend to be the end of itself and the beginning of the next. */
function spellOut(part: string | undefined): string {
  return part === undefined ? '-' : `${part.length}:${part}`;
}
