import type { Ledger } from '../ledger/ledger.js';
import type { Identity } from '../ledger/verdicts.js';
import type { Learn, Name, Pin, Present, StoreChange } from './carrier.js';
import type { FollowedSession, FollowedTenant } from './following.js';
import { HybridClock } from './hybrid-clock.js';
import type { Names } from './names.js';
import { isAcceptance, isHintNews, registersOf, type ScopeNames, SUCCESSOR_PREFIX, scopeOf } from './registers.js';
import type { Seals } from './seals.js';
import { pinText, successorHead } from './slot-text.js';
import type { Tracked, Tracking } from './tracking.js';
import type { Wall } from './wall.js';

/** A credential that a client presented. */
export interface Presented {
  readonly session: FollowedSession;
  readonly provider: string | undefined;
  readonly identity: Identity;
  readonly at: number;
  /** By the store's clock. */
  readonly captured: number;
  /** A refresh brought it in place of this, which the store has. */
  readonly instead: Identity | undefined;
}

/** A pin that was set, or taken away: the ledger says which. */
export interface Pinned {
  readonly owner: FollowedTenant;
  readonly provider: string | undefined;
  readonly purpose: string | undefined;
  readonly at: number;
}

/** A session, or without one a whole tenant. */
export interface Evicted {
  readonly tenant: Name;
  readonly session: Name | undefined;
  readonly at: number;
}

export interface ChangeWriterOptions {
  readonly names: Names;
  readonly seals: Seals;
  readonly scopes: ScopeNames;
  readonly tracking: Tracking;
  readonly wall: Wall;
  readonly ledger: () => Ledger | undefined;
}

/** Writes what has changed as the store is to be told it: names for scopes, registers for verdicts, credentials sealed. */
export class ChangeWriter {
  readonly #options: ChangeWriterOptions;

  constructor(options: ChangeWriterOptions) {
    this.#options = options;
  }

  /** What is known of an identity beyond what the store says. `urgent`: others would act otherwise if they knew. */
  learn(tracked: Tracked): { readonly changes: readonly Learn[]; readonly urgent: boolean } {
    const { scopes, wall } = this.#options;
    const { identity, name, stored } = tracked;
    const fields: Record<string, string> = {};
    let urgent = false;
    let any = false;
    for (const [field, text] of registersOf(identity, scopes, wall)) {
      const known = stored.get(field);
      if (known !== undefined && text <= known) continue;
      if (field === 'h' && !isHintNews(tracked)) continue;
      // That work of one scope succeeded is of interest only to those who heard that it was turned away.
      if (scopeOf(field) !== undefined && isAcceptance(text) && (known === undefined || isAcceptance(known))) continue;
      fields[field] = text;
      any = true;
      if (!(field === 'r' && isAcceptance(text) && isAcceptance(known))) urgent = true;
    }
    for (const [field, text] of this.#successors(tracked)) {
      fields[field] = text;
      any = urgent = true;
    }
    return { changes: any ? [{ kind: 'learn', identity: name, fields }] : [], urgent };
  }

  /** What has come of an identity, as far as the store does not know it, and this process can say it: sealed anew each time, which takes a while. */
  *#successors({ identity, name, stored }: Tracked): Iterable<[string, string]> {
    const { names, seals, tracking } = this.#options;
    for (const [tenant, { identity: to, at }] of identity.successors?.entries() ?? []) {
      if (to.credential === undefined) continue;
      const field = `${SUCCESSOR_PREFIX}${names.tenant(tenant)}`;
      const head = successorHead(at, tracking.of(to).name);
      if (head <= (stored.get(field) ?? '')) continue;
      const sealed = seals.credential(to.credential, to.provider, name, field);
      if (sealed !== '') yield [field, `${head}${sealed}`];
    }
  }

  present({ session, provider, identity, at, captured, instead }: Presented): Present | undefined {
    const { names, seals, tracking } = this.#options;
    const { credential } = identity;
    // Displaced meanwhile: what took its place is told itself.
    if (credential === undefined) return undefined;
    const field = names.provider(provider);
    const [own, owner] = [session.ref.name, session.owner.ref.name];
    return {
      kind: 'present',
      tenant: owner,
      session: own,
      provider: field,
      identity: tracking.of(identity).name,
      // Each slot that it takes has the greater of its own number and the refresh's.
      at: HybridClock.stamp(instead?.successors?.get(session.owner.tenant)?.at ?? at),
      captured: Math.max(0, Math.round(captured)),
      own: seals.credential(credential, provider, own, field),
      lent: seals.credential(credential, provider, owner, field),
      ...(instead === undefined ? {} : { instead: tracking.of(instead).name }),
    };
  }

  pin({ owner, provider, purpose, at }: Pinned): Pin | undefined {
    const { names, seals, tracking } = this.#options;
    const pin = this.#options.ledger()?.adoption.pin(owner.tenant, provider, purpose);
    if (pin !== undefined && pin.at !== at) return undefined;
    const [tenant, name] = [owner.ref.name, names.pin(provider, purpose)];
    const value =
      pin?.identity.credential === undefined
        ? pinText(at, undefined)
        : pinText(at, {
            identity: tracking.of(pin.identity).name,
            credential: seals.credential(pin.identity.credential, provider, tenant, name),
            place: seals.pinPlace({ provider, purpose }, tenant, name),
          });
    return { kind: 'pin', tenant, field: `x.${name}`, value };
  }

  evict({ tenant, session, at }: Evicted): StoreChange {
    const stamp = HybridClock.stamp(at);
    return session === undefined ? { kind: 'evict-tenant', tenant, at: stamp } : { kind: 'evict', tenant, session, at: stamp };
  }
}
