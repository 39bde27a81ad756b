import type { Explanation, Latchkey, Scope, Snapshot } from '../../src/index.js';

/** What a scope's work would be done with: the value of the credential, or the reason why there is none. */
export function outlook(latchkey: Latchkey, scope: Scope): string {
  const resolution = latchkey.resolve(scope);
  return resolution.ok ? resolution.lease.credential.reveal() : resolution.reason;
}

export interface Known {
  readonly slots: readonly string[];
  readonly verdicts: readonly string[];
  readonly explanations: readonly Explanation[];
}

/** All that a Latchkey knows, so that two of them can be compared. `isMeant` leaves out tenants that a test does not care about. */
export function known(latchkey: Latchkey, scopes: readonly Scope[], isMeant: (tenant: string | undefined) => boolean = () => true): Known {
  const snapshot = latchkey.snapshot();
  const slots = snapshot.slots.filter(({ scope }) => isMeant(scope.tenant));
  const held = new Set(slots.map(({ scope, fingerprint }) => identity(scope.provider, fingerprint)));
  return {
    slots: slots.map(printSlot).sort(),
    // Of an identity that no slot holds a process may know more than another that never had to do with it.
    verdicts: snapshot.verdicts
      .filter(({ provider, fingerprint }) => held.has(identity(provider, fingerprint)))
      .map(printVerdict)
      .sort(),
    explanations: scopes.map((scope) => explanation(latchkey, scope)),
  };
}

function explanation(latchkey: Latchkey, scope: Scope): Explanation {
  const explained = latchkey.explain(scope);
  // In no particular order.
  return { ...explained, otherProviders: explained.otherProviders.toSorted() };
}

function identity(provider: string | undefined, fingerprint: string): string {
  return JSON.stringify([provider, fingerprint]);
}

function printSlot({ status, ...slot }: Snapshot['slots'][number]): string {
  // When it was accepted last is everybody's own: others need not hear of each success.
  return JSON.stringify({ ...slot, status: status.state === 'ready' ? status.state : status });
}

function printVerdict({ provider, fingerprint, verdict, scopes }: Snapshot['verdicts'][number]): string {
  const own = verdict.state === 'accepted' ? verdict.state : verdict;
  return JSON.stringify([provider, fingerprint, own, scopes.map((scope) => JSON.stringify(scope)).sort()]);
}
