import type { Credential } from '../credential/credential.js';
import type { Name } from './carrier.js';
import { type OpenedCredential, openCredential, type Sealer, sealCredential } from './seal.js';

export interface PinPlaceSealed {
  readonly provider: string | undefined;
  readonly purpose: string | undefined;
}

/** Seals what goes into a field of a record, so that it opens nowhere else. Without a key nothing is sealed, and nothing opens. */
export class Seals {
  readonly #sealer: Sealer | undefined;

  constructor(sealer: Sealer | undefined) {
    this.#sealer = sealer;
  }

  /** Empty without a key. */
  credential(credential: Credential, provider: string | undefined, record: Name, field: Name): string {
    return this.#sealer === undefined ? '' : sealCredential(this.#sealer, credential, provider, `credential ${record} ${field}`);
  }

  openCredential(sealed: string, record: Name, field: Name): OpenedCredential | undefined {
    return this.#sealer === undefined ? undefined : openCredential(this.#sealer, sealed, `credential ${record} ${field}`);
  }

  /** Empty without a key. */
  pinPlace({ provider, purpose }: PinPlaceSealed, record: Name, field: Name): string {
    return this.#sealer === undefined ? '' : this.#sealer.seal(JSON.stringify({ provider, purpose }), `pin ${record} ${field}`);
  }

  openPinPlace(sealed: string, record: Name, field: Name): PinPlaceSealed | undefined {
    const plain = this.#sealer?.open(sealed, `pin ${record} ${field}`);
    if (plain === undefined) return undefined;
    try {
      const { provider, purpose } = JSON.parse(plain) as PinPlaceSealed;
      return { provider, purpose };
    } catch {
      return undefined;
    }
  }
}
