import { type Session, Stranger, type Tenant } from './session.js';
import type { Identity } from './verdicts.js';

/** What it lent stays lent, by somebody who is not known here any more. */
export function lendOn(session: Session): void {
  const { tenant, name, capturedAt } = session;
  for (const slot of tenant.globals.values()) {
    if (slot.by !== session) continue;
    slot.by = new Stranger(tenant, name);
    slot.by.capturedAt = capturedAt;
  }
}

export function isGone(session: Session): boolean {
  return !(session instanceof Stranger) && session.tenant.sessions.get(session.name) !== session;
}

/** Whether a session of the tenant's points at it. */
export function isPresented(tenant: Tenant, identity: Identity): boolean {
  for (const session of tenant.sessions.values()) {
    if (session.slot(identity.provider)?.identity === identity) return true;
  }
  return false;
}
