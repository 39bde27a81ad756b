import type { Credential } from '../credential/credential.js';
import { ANY, type Change } from './change.js';
import type { Hints } from './hints.js';
import type { Identities } from './identities.js';
import type { Journal } from './journal.js';
import type { Pins } from './pins.js';
import { WorkScope } from './scope-key.js';
import type { Slots } from './slots.js';
import type { Identity } from './verdicts.js';

/** What a refresh brought is refreshed again once it has worked, or after so many milliseconds. */
const REST_MS = 10 * 60_000;

export interface SuccessionOptions {
  readonly identities: Identities;
  readonly slots: Slots;
  readonly pins: Pins;
  readonly hints: Hints;
  readonly journal: Journal | undefined;
  readonly onChange: (change: Change) => void;
}

/** A credential that takes another's place, and where it was learnt. */
export interface Succeeding {
  readonly tenant: string | undefined;
  readonly credential: Credential;
  /** The number of the refresh that brought it: what was presented after that is newer. */
  readonly at: number;
  readonly now: number;
  /** Another process refreshed it: nobody has to be told. */
  readonly remote?: boolean | undefined;
}

/** A slot, or a pin, points at what a refresh brought. */
export type OnSucceeded = (scope: WorkScope, credential: Credential, pinned: boolean) => void;

/** What a refresh brought goes wherever its tenant holds what was refreshed, and stays there when that is presented again. */
export class Succession {
  readonly #options: SuccessionOptions;

  constructor(options: SuccessionOptions) {
    this.#options = options;
  }

  /** Returns the identity that the tenant works with now, or undefined if nothing of the tenant's held the other any more. */
  succeed(from: Identity, { tenant, credential, at, now, remote = false }: Succeeding, onSucceeded: OnSucceeded): Identity | undefined {
    const { identities, slots, pins, hints, journal, onChange } = this.#options;
    const to = identities.of(from.provider, credential.fingerprint);
    if (to === from) return undefined;
    const given = hints.of(credential, at, to.hinted !== undefined);
    if (given !== undefined) to.hint(hints.make(to.provider, to.fingerprint, { ...given, isFresh: true }, now));
    // One that is turned away although it is new is not refreshed again and again.
    if (to.ruling.state === 'unproven')
      to.endRefresh({ at, until: now + Math.min(REST_MS, to.hinted?.freshMs ?? REST_MS), status: undefined, code: undefined });
    // Held while it goes round, so that it is not forgotten in between.
    identities.retain(to, credential);
    const sessions = slots.succeed(tenant, from, to, credential, at);
    const pinned = pins.succeed(tenant, from, to, credential, at);
    const isHeld = sessions.length + pinned.length > 0;
    if (isHeld) from.succeeded(tenant, to, at);
    identities.release(to, true);
    if (!isHeld) return undefined;
    if (!remote) {
      journal?.learnt(to);
      journal?.learnt(from);
    }
    for (const session of sessions) {
      const scope = new WorkScope(tenant, session, from.provider, undefined, false);
      if (!remote) journal?.presented(scope, to, at, true);
      onSucceeded(scope, credential, false);
    }
    for (const place of pinned) {
      if (!remote) journal?.pinned(place, at);
      onSucceeded(place, credential, true);
    }
    onChange({ cause: pinned.length > 0 ? 'pinned' : 'captured', tenant, provider: from.provider, session: ANY });
    return to;
  }
}
