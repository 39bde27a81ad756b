import { bearer, type Credential } from '../../src/credential/credential.js';
import type { Change } from '../../src/ledger/change.js';
import type { Journal } from '../../src/ledger/journal.js';
import { Ledger, type LedgerOptions } from '../../src/ledger/ledger.js';
import { WorkScope } from '../../src/ledger/scope-key.js';
import type { Identity } from '../../src/ledger/verdicts.js';
import { type ManualClock, manualClock } from './clock.js';

export interface BareLedger {
  readonly ledger: Ledger;
  readonly clock: ManualClock;
  readonly changes: Change[];
  /** What the journal was told, the function's name first. */
  readonly told: unknown[][];
  /** Sessions that left memory. */
  readonly evicted: unknown[][];
  /** A session of tenant `t` presents this at provider `p`. */
  present(session: string | undefined, credential: Credential, at?: number): Identity;
  /** The value that the session's work would be done with. */
  valueFor(session: string | undefined): string | undefined;
}

/** A ledger without a Latchkey around it; `shared`: there is a journal. */
export function bareLedger({ shared = false, ...options }: Partial<LedgerOptions> & { readonly shared?: boolean } = {}): BareLedger {
  const clock = manualClock();
  const changes: Change[] = [];
  const told: unknown[][] = [];
  const evicted: unknown[][] = [];
  const journal: Journal = {
    presented: (scope, { fingerprint }, at, placed) => void told.push(['presented', scope.parts, fingerprint, at, placed]),
    succeeded: (scope, to, from) => void told.push(['succeeded', scope.parts, to.fingerprint, from.fingerprint]),
    proven: ({ fingerprint }) => void told.push(['proven', fingerprint]),
    learnt: ({ fingerprint }) => void told.push(['learnt', fingerprint]),
    pinned: ({ tenant, provider, purpose }, at) => void told.push(['pinned', tenant, provider, purpose, at]),
    evicted: (tenant, session, at) => void told.push(['evicted', tenant, session, at]),
    dropped: (tenant, session) => void told.push(['dropped', tenant, session]),
    forgotten: ({ fingerprint }) => void told.push(['forgotten', fingerprint]),
  };
  const ledger = new Ledger({
    clock,
    sessions: 100,
    identities: 100,
    mayBorrow: () => true,
    onChange: (change) => void changes.push(change),
    onEvicted: (...session) => void evicted.push(session),
    ...(shared ? { journal } : {}),
    ...options,
  });
  return {
    ledger,
    clock,
    changes,
    told,
    evicted,
    present: (session, credential, at = ledger.sequence.next()) => ledger.present(scopeOf(session), credential, at, () => {}).identity,
    valueFor: (session) => ledger.choose(scopeOf(session))?.credential.reveal(),
  };
}

/** Work of a session of tenant `t` at provider `p`. */
export function scopeOf(session: string | undefined, purpose?: string): WorkScope {
  return new WorkScope('t', session, 'p', purpose, false);
}

/** A call of the session's with a credential, or one that borrows it. */
export function callOf(
  identity: Identity,
  session: string | undefined,
  sent: number,
  { borrowed = false, probe = false }: { readonly borrowed?: boolean; readonly probe?: boolean } = {},
): Parameters<Ledger['judge']>[0] {
  const { credential = bearer('token-forgotten') } = identity;
  return { identity, credential, scope: scopeOf(session), sent, sentAt: Date.now(), presented: false, borrowed, probe };
}
