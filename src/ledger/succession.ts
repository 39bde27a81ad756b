import type { Credential } from '../credential/credential.js';
import { ANY, type Change } from './change.js';
import { endOf, type Hints } from './hints.js';
import type { Identities } from './identities.js';
import type { Journal } from './journal.js';
import type { Pins } from './pins.js';
import { WorkScope } from './scope-key.js';
import type { MayTake, Slots } from './slots.js';
import type { Identity } from './verdicts.js';

/** What a refresh brought is refreshed again once it has worked, or after so long: longer each time that what came was turned away. In milliseconds. */
const REST = { firstMs: 10 * 60_000, longestMs: 6 * 3_600_000 } as const;

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
  /** Another process refreshed it: nobody is told here, and only what this may take is taken. */
  readonly remote?: { readonly mayTake: MayTake } | undefined;
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
  succeed(from: Identity, { tenant, credential, at, now, remote }: Succeeding, onSucceeded: OnSucceeded): Identity | undefined {
    const { identities, slots, pins, hints, journal, onChange } = this.#options;
    const to = identities.of(from.provider, credential.fingerprint);
    if (to === from) return undefined;
    // The very one that a slot holds already brings no news of its end.
    const given = to.credential === credential ? undefined : hints.of(credential, at, to.hinted !== undefined);
    if (given !== undefined) {
      const hint = hints.make(to, { ...given, isFresh: true }, now);
      to.hint(hint);
      // An issuer gives nothing that has expired already: by a clock here that is wrong, what it says of its end does not count.
      if (remote === undefined && now >= endOf(hint) - hint.mandatoryMs) to.void(hint.expiresAt, at);
    }
    // One that is turned away although it is new is not refreshed again and again.
    if (to.ruling.state === 'unproven') {
      const restMs = restAfter(from, tenant);
      to.endRefresh(tenant, { at, until: now + restMs, status: undefined, code: undefined, restMs });
    }
    // Held while it goes round, so that it is not forgotten in between.
    identities.retain(to, credential);
    const sessions = slots.succeed(tenant, from, to, credential, at, remote?.mayTake);
    // One that was pinned again after the refresh is meant to stay.
    const pinned = pins.succeed(tenant, from, to, credential, at, remote === undefined ? Number.POSITIVE_INFINITY : at);
    const isHeld = sessions.length + pinned.length > 0;
    if (isHeld) from.succeeded(tenant, to, at);
    // Known elsewhere, it is not forgotten because nothing points at it here.
    identities.release(to, remote === undefined);
    if (!isHeld) return undefined;
    if (remote === undefined) {
      journal?.learnt(to);
      journal?.learnt(from);
    }
    for (const session of sessions) {
      const scope = new WorkScope(tenant, session, from.provider, undefined, false);
      if (remote === undefined) journal?.succeeded(scope, to, from);
      onSucceeded(scope, credential, false);
    }
    for (const place of pinned) {
      if (remote === undefined) journal?.pinned(place, pins.get(tenant, place.provider, place.purpose)?.at ?? at);
      onSucceeded(place, credential, true);
    }
    if (remote === undefined) onChange({ cause: pinned.length > 0 ? 'pinned' : 'captured', tenant, provider: from.provider, session: ANY });
    return to;
  }
}

function restAfter(from: Identity, tenant: string | undefined): number {
  const before = from.ruling.state === 'rejected' ? from.unrefreshable(tenant)?.restMs : undefined;
  return before === undefined ? REST.firstMs : Math.min(2 * before, REST.longestMs);
}
