import type { Ledger } from '../ledger/ledger.js';
import type { WorkScope } from '../ledger/scope-key.js';
import type { FollowedSession, Following } from './following.js';
import type { Link } from './link.js';

export interface LoadingOptions {
  readonly ledger: Ledger;
  readonly following: Following;
  readonly link: Link;
}

/** Brings scopes in that this process has not asked about before; those asked for together come together. */
export class Loading {
  readonly #options: LoadingOptions;
  readonly #wanted = new Set<FollowedSession>();
  #next: Promise<void> | undefined;

  constructor(options: LoadingOptions) {
    this.#options = options;
  }

  /** Never rejects: what cannot be brought in now comes when the store is back. */
  async load(scopes: readonly WorkScope[]): Promise<void> {
    const { following, ledger, link } = this.#options;
    for (const scope of scopes) {
      if (following.isLoaded(scope)) continue;
      // Followed from now on, whether or not the store answers.
      this.#wanted.add(following.follow(scope));
      ledger.adoption.open(scope.tenant, scope.session);
    }
    if (this.#wanted.size === 0) return;
    await link.ready();
    if (link.epoch === undefined) {
      this.#wanted.clear();
      return;
    }
    this.#next ??= Promise.resolve().then(() => this.#fetch());
    await this.#next;
  }

  async #fetch(): Promise<void> {
    const { link } = this.#options;
    const wanted = [...this.#wanted];
    this.#wanted.clear();
    this.#next = undefined;
    try {
      await link.fetch([...new Set(wanted.flatMap(({ owner, ref }) => [ref, owner.ref]))]);
    } catch (error) {
      link.failed(error);
    }
  }
}
