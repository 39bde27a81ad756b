import type { Ledger } from '../ledger/ledger.js';
import type { WorkScope } from '../ledger/scope-key.js';
import type { Session, Slot, Tenant } from '../ledger/session.js';
import type { Identity } from '../ledger/verdicts.js';
import type { Name } from './carrier.js';
import type { Presented } from './change-writer.js';
import { type FollowedSession, Following } from './following.js';
import type { Names } from './names.js';
import type { Pending } from './pending.js';
import type { Wall } from './wall.js';

/** As many as a session has slots for. */
const MOST_PROVIDERS = 64;

export interface PresentationsOptions {
  readonly names: Names;
  readonly following: Following;
  readonly wall: Wall;
  readonly pending: Pending;
  /** One that goes on is told so often, in milliseconds. */
  readonly renewMs: number;
  readonly ledger: () => Ledger | undefined;
  /** There is something to be told. */
  readonly onPending: () => void;
}

/** Which slots the store is to be told of: what clients presented to this process, and what has taken the place of that. */
export class Presentations {
  readonly #options: PresentationsOptions;
  /** Sessions of others that lent what a global slot holds, and when they presented it by the store's clock. */
  readonly #strangers = new WeakMap<Session, { readonly name: Name; readonly captured: number }>();

  constructor(options: PresentationsOptions) {
    this.#options = options;
  }

  presented({ tenant, session, provider }: WorkScope, identity: Identity, at: number, placed: boolean): void {
    const { following, wall, renewMs, ledger } = this.#options;
    const followed = following.follow({ tenant, session, purpose: undefined });
    const now = wall.now();
    if (!placed) {
      const slot = ledger()?.adoption.find(tenant, session)?.slot(provider);
      // Presented again: what the store has is right, but it must not grow too old.
      if (slot?.identity !== identity || now - (followed.sent.get(provider)?.captured ?? 0) < renewMs) return;
    }
    this.#present({ session: followed, provider, identity, at, captured: now, instead: undefined });
  }

  /**
   * A refresh has put this into the session's slot, or into the global one where no session is named: whoever presented last what was there goes on
   * presenting this, and nobody has since.
   */
  succeeded({ tenant, session: name, provider }: WorkScope, identity: Identity, from: Identity): void {
    const adoption = this.#options.ledger()?.adoption;
    const session = adoption?.find(tenant, name);
    if (session?.slot(provider)?.identity === identity) this.#slot(session, provider, from);
    const global = name === undefined ? adoption?.tenant(tenant)?.globals.get(provider) : undefined;
    if (global?.identity === identity && global.by !== session) this.#lent(global.by, provider, global, from);
  }

  /** The slot holds something newer than what the store says. */
  again(session: FollowedSession, provider: string | undefined, identity: Identity, at: number): void {
    this.#present({ session, provider, identity, at, captured: this.#options.wall.now(), instead: undefined });
  }

  /** Whether this presentation, or a later one for the same slot, was sent from here. */
  wasTold(session: FollowedSession, provider: string | undefined, at: number): boolean {
    return (session.sent.get(provider)?.at ?? 0) >= at;
  }

  /** A global slot holds what a session presented that is not known here. */
  noteStranger(session: Session, name: Name, captured: number): void {
    this.#strangers.set(session, { name, captured });
  }

  /** What a session holds, for a store that has lost its record. */
  noteSession({ owner, session: name }: FollowedSession): void {
    const session = this.#options.ledger()?.adoption.find(owner.tenant, name);
    for (const { provider } of session?.allSlots() ?? []) if (session !== undefined) this.#slot(session, provider);
  }

  /** The same of all that a tenant's sessions hold, and of what others have lent it. */
  noteTenant({ sessions, globals }: Tenant): void {
    for (const session of sessions.values()) for (const { provider } of session.allSlots()) this.#slot(session, provider);
    for (const slot of globals.values()) if (this.#strangers.has(slot.by)) this.#lent(slot.by, slot.provider, slot);
  }

  #slot(session: Session, provider: string | undefined, instead?: Identity): void {
    const { following, wall, ledger } = this.#options;
    const slot = session.slot(provider);
    const adoption = ledger()?.adoption;
    if (slot === undefined || adoption === undefined) return;
    const followed = following.follow({ tenant: session.tenant.name, session: session.name, purpose: undefined });
    const captured = wall.toStore(adoption.capturedAt(session));
    this.#present({ session: followed, provider, identity: slot.identity, at: slot.at, captured, instead });
  }

  #lent(by: Session, provider: string | undefined, { identity, at }: Slot, instead?: Identity): void {
    const { following, names, wall, ledger } = this.#options;
    const adoption = ledger()?.adoption;
    if (adoption === undefined) return;
    const { tenant, name: session } = by;
    const { name, captured } = this.#strangers.get(by) ?? {
      name: names.session(tenant.name, session),
      captured: wall.toStore(adoption.capturedAt(by)),
    };
    const followed = following.session(name) ?? Following.stranger(following.tenantOf(tenant.name), name);
    this.#present({ session: followed, provider, identity, at, captured, instead });
  }

  #present(presented: Presented): void {
    const { pending, onPending } = this.#options;
    pending.presented(presented);
    const { session, provider, at, captured } = presented;
    session.sent.delete(provider);
    session.sent.set(provider, { at, captured });
    for (const oldest of session.sent.keys()) {
      if (session.sent.size <= MOST_PROVIDERS) break;
      session.sent.delete(oldest);
      pending.dropSlot(session, oldest);
    }
    onPending();
  }
}
