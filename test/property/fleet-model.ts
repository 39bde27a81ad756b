import fc from 'fast-check';
import type { StoredRecord } from '../../src/fleet/carrier.js';
import { HybridClock } from '../../src/fleet/hybrid-clock.js';
import { Names } from '../../src/fleet/names.js';
import { readKeys } from '../../src/fleet/seal.js';
import { readPin, readSlot } from '../../src/fleet/slot-text.js';
import { bearer, type Capture, type Latchkey, type Lease, type Snapshot } from '../../src/index.js';
import { statusError } from '../support/attempts.js';
import type { MemoryCarrier, MemoryStore } from '../support/memory-carrier.js';
import { SEAL } from '../support/memory-fleet.js';

const TENANTS = [undefined, 'T'] as const;
const SESSIONS = ['S1', 'S2', 'S3', undefined] as const;
const PROVIDERS = [undefined, 'P'] as const;
const TOKENS = ['a', 'b', 'c', 'd'];

export interface FleetScope {
  readonly tenant?: string;
  readonly session?: string;
  readonly provider?: string;
  readonly purpose?: string;
}

export type FleetStep =
  | {
      readonly do: 'capture';
      readonly at: number;
      readonly scope: FleetScope;
      readonly token: string;
      readonly expires: boolean;
      readonly provisional: boolean;
    }
  | { readonly do: 'settle capture'; readonly pick: number; readonly outcome: number }
  | { readonly do: 'commit'; readonly pick: number }
  | { readonly do: 'lease'; readonly at: number; readonly scope: FleetScope }
  | { readonly do: 'settle'; readonly pick: number; readonly outcome: unknown }
  | { readonly do: 'forgive' | 'wait for'; readonly at: number; readonly scope: FleetScope }
  | { readonly do: 'evict'; readonly at: number; readonly scope: { readonly tenant: string } | { readonly session: string } }
  | { readonly do: 'pin'; readonly at: number; readonly scope: FleetScope; readonly token: string }
  | { readonly do: 'unpin'; readonly pick: number }
  | { readonly do: 'load'; readonly at: number; readonly scope: FleetScope }
  | { readonly do: 'work'; readonly at: number; readonly scope: FleetScope; readonly outcome: number }
  | { readonly do: 'deliver' | 'drop' | 'duplicate'; readonly at: number; readonly pick: number }
  | { readonly do: 'store'; readonly down: boolean }
  | { readonly do: 'cut'; readonly at: number; readonly down: boolean }
  | { readonly do: 'lose answers'; readonly at: number; readonly loses: boolean }
  | { readonly do: 'restart empty' }
  | { readonly do: 'wait'; readonly ms: number };

const at = fc.nat({ max: 2 });
const pick = fc.nat({ max: 1_000 });
const token = fc.constantFrom(...TOKENS);
const tenant = fc.constantFrom(undefined, ...TENANTS);
const scope = fc
  .tuple(tenant, fc.constantFrom(...SESSIONS), fc.constantFrom(...PROVIDERS), fc.constantFrom(undefined, 'warm'))
  .map(([tenant, session, provider, purpose]) =>
    scopeOf({ tenant, session, provider, purpose: tenant === undefined ? purpose : undefined }),
  );
/** A session, or (seldom) all of a tenant. */
const evicted = fc
  .record({ tenant, session: fc.constantFrom('S1', 'S2', 'S3', undefined) })
  .map((parts) => scopeOf(parts) as { readonly tenant: string } | { readonly session: string })
  .filter((parts) => Object.keys(parts).length > 0);
const provisional = fc.constantFrom(false, false, false, true);
const outcome = fc.constantFrom<unknown>(200, 200, 401, 401, 401, 403, { holdMs: 5_000, reason: 'quota' });

export const fleetStep: fc.Arbitrary<FleetStep> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant('capture' as const), at, scope, token, expires: fc.boolean(), provisional }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('settle capture' as const), pick, outcome: fc.constantFrom(200, 401) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('commit' as const), pick }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('lease' as const), at, scope }) },
  { weight: 10, arbitrary: fc.record({ do: fc.constant('settle' as const), pick, outcome }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('forgive' as const, 'wait for' as const), at, scope }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('evict' as const), at, scope: evicted }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pin' as const), at, scope, token }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unpin' as const), pick }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('load' as const), at, scope }) },
  { weight: 10, arbitrary: fc.record({ do: fc.constant('deliver' as const), at, pick }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('drop' as const, 'duplicate' as const), at, pick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('store' as const), down: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cut' as const), at, down: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lose answers' as const), at, loses: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(0, 0, 1, 30, 600, 2_500) }) },
);

/** The same, where work is done whose credentials die: half of what it meets is known to it before it asks. */
export const busyStep: fc.Arbitrary<FleetStep> = fc.oneof(
  { weight: 2, arbitrary: fleetStep },
  {
    weight: 1,
    arbitrary: fc.oneof(
      fc.record({
        do: fc.constant('capture' as const),
        at,
        scope: fc.constant({ session: 'S1' }),
        token,
        expires: fc.boolean(),
        provisional,
      }),
      fc.record({
        do: fc.constant('work' as const),
        at,
        scope: fc.oneof(scope, fc.constant({ session: 'S1' })),
        outcome: fc.constantFrom(200, 401, 401),
      }),
    ),
  },
);

/** A fleet in memory, or one on a real server, whose network is not in the test's hands. */
export interface PlayedFleet {
  readonly processes: readonly { readonly latchkey: Latchkey; readonly carrier?: MemoryCarrier }[];
  readonly store?: MemoryStore;
}

/** What the test holds in its hands while it plays. */
export class FleetPlay {
  readonly fleet: PlayedFleet;
  readonly #captures: Capture[] = [];
  readonly #leases: Lease[] = [];
  readonly #unpins: (() => void)[] = [];
  readonly #waits: { readonly at: number; readonly scope: FleetScope; isOver: boolean }[] = [];

  constructor(fleet: PlayedFleet) {
    this.fleet = fleet;
  }

  /** Everything but `wait`, which is the test's. */
  async play(step: FleetStep): Promise<void> {
    const process = 'at' in step ? this.#process(step.at) : undefined;
    switch (step.do) {
      case 'capture': {
        const expiresAt = step.expires ? Date.now() + 3_000 : undefined;
        const { scope, token, provisional } = step;
        this.#captures.push(this.#at(process).latchkey.capture(scope, bearer(`token-${token}`, { expiresAt }), { provisional }));
        return;
      }
      case 'commit':
        picked(this.#captures, step.pick)?.commit();
        return;
      case 'settle capture':
        picked(this.#captures, step.pick)?.settle(step.outcome);
        return;
      case 'lease': {
        const found = this.#at(process).latchkey.resolve(step.scope);
        if (found.ok) this.#leases.push(found.lease);
        return;
      }
      case 'settle':
        picked(this.#leases, step.pick)?.settle(step.outcome);
        return;
      case 'forgive':
        this.#at(process).latchkey.forgive(step.scope);
        return;
      case 'evict':
        this.#at(process).latchkey.evict(step.scope);
        return;
      case 'wait for':
        this.#wait(step.at, step.scope);
        return;
      case 'pin': {
        const { tenant, provider, purpose } = step.scope;
        this.#unpins.push(this.#at(process).latchkey.pin(scopeOf({ tenant, provider, purpose }), bearer(`token-${step.token}`)));
        return;
      }
      case 'unpin':
        picked(this.#unpins, step.pick)?.();
        return;
      case 'load':
        await this.#at(process).latchkey.load([step.scope]);
        return;
      case 'work': {
        const work = this.#at(process).latchkey.run(step.scope, async () => {
          if (step.outcome !== 200) throw statusError(step.outcome);
        });
        work.catch(() => {});
        return;
      }
      case 'deliver':
      case 'drop':
      case 'duplicate': {
        const { carrier } = this.#at(process);
        if (carrier !== undefined && carrier.pending.length > 0) carrier[step.do](step.pick % carrier.pending.length);
        return;
      }
      case 'store':
        if (this.fleet.store !== undefined) this.fleet.store.down = step.down;
        return;
      case 'cut':
        this.#way(process).down = step.down;
        return;
      case 'lose answers':
        this.#way(process).losesAnswers = step.loses;
        return;
      case 'restart empty':
        this.fleet.store?.reset();
    }
  }

  /** Nothing is lost or late any more. */
  heal(): void {
    if (this.fleet.store !== undefined) this.fleet.store.down = false;
    for (const { carrier } of this.fleet.processes) {
      if (carrier === undefined) continue;
      carrier.down = false;
      carrier.losesAnswers = false;
      carrier.auto = true;
      carrier.deliverAll();
    }
  }

  /** Work that waits though it could be done. */
  stuck(): string[] {
    const stuck = this.#waits.filter(({ at, scope, isOver }) => !isOver && this.#at(this.#process(at)).latchkey.canRun(scope));
    return stuck.map(({ at, scope }) => `${at} ${JSON.stringify(scope)}`);
  }

  #wait(at: number, scope: FleetScope): void {
    const waits = { at, scope, isOver: false };
    this.#waits.push(waits);
    const end = (): void => {
      waits.isOver = true;
    };
    this.#at(this.#process(at)).latchkey.whenRunnable(scope).then(end, end);
  }

  #process(index: number): PlayedFleet['processes'][number] | undefined {
    return this.fleet.processes[index];
  }

  #at<T>(process: T | undefined): T {
    if (process === undefined) throw new Error('no such process');
    return process;
  }

  #way(process: PlayedFleet['processes'][number] | undefined): MemoryCarrier {
    return this.#at(process?.carrier);
  }
}

function picked<T>(list: readonly T[], pick: number): T | undefined {
  return list.length === 0 ? undefined : list[pick % list.length];
}

const SCOPES = TENANTS.flatMap((tenant) =>
  SESSIONS.flatMap((session) => PROVIDERS.map((provider) => scopeOf({ tenant, session, provider }))),
);

export const ALL_SCOPES: readonly FleetScope[] = [
  ...SCOPES,
  // The other tenant has one kind of work.
  ...SCOPES.filter(({ tenant }) => tenant === undefined).map((one) => ({ ...one, purpose: 'warm' })),
];

type Parts = { readonly [Part in keyof FleetScope]?: string | undefined };

function scopeOf(parts: Parts): FleetScope {
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined));
}

/** Slots, and the verdicts on what they point at, in an order of their own. */
export function canonicalLedger({ slots, verdicts }: Snapshot): unknown {
  const held = new Set(slots.map(({ scope: { provider }, fingerprint }) => `${provider} ${fingerprint}`));
  const known = verdicts
    .filter(({ provider, fingerprint }) => held.has(`${provider} ${fingerprint}`))
    .map(({ scopes, ...rest }) => ({ ...rest, scopes: sorted(scopes) }))
    // Nothing is known of it that would make a difference.
    .filter(({ verdict, scopes }) => verdict.state !== 'unproven' || scopes.length > 0);
  // When something was accepted last, and is tried next, is everybody's own.
  return { slots: sorted(slots.map(({ status: _, ...slot }) => slot)), verdicts: sorted(known) };
}

const { fingerprintKey } = readKeys({ seal: SEAL });
const TEST_NAMES = new Names(fingerprintKey, 'test');

function namesOf(namespace: string): Names {
  return namespace === 'test' ? TEST_NAMES : new Names(fingerprintKey, namespace);
}

/** The slots as the store has them, by the names that the store gives them. */
export function storedSlots(records: readonly Omit<StoredRecord, 'version'>[], namespace = 'test'): string[] {
  const names = namesOf(namespace);
  const evictions = new Map(records.map(({ name, fields }) => [name, HybridClock.parse(fields['e'] ?? '')]));
  // A snapshot names the requests of no session only by the global slot that they fill.
  const ofNone = new Set(TENANTS.map((tenant) => names.session(tenant, undefined)));
  const owners = new Map(TENANTS.flatMap((tenant) => SESSIONS.map((session) => [names.session(tenant, session), names.tenant(tenant)])));
  const found: string[] = [];
  for (const { kind, name, fields } of records) {
    if (ofNone.has(name)) continue;
    const evictedAt = Math.max(evictions.get(name) ?? 0, evictions.get(owners.get(name) ?? '') ?? 0);
    for (const [field, text] of Object.entries(fields)) {
      const slot = /^[pg]\./.test(field) ? readSlot(text) : undefined;
      const pin = field.startsWith('x.') && kind === 'tenant' ? readPin(text)?.pin : undefined;
      const identity = (slot !== undefined && slot.at >= evictedAt ? slot : pin)?.identity;
      if (identity !== undefined) found.push(`${name} ${field} ${identity}`);
    }
  }
  return found.sort();
}

/** The same of a process's ledger. */
export function namedSlots({ slots }: Snapshot, namespace = 'test'): string[] {
  const names = namesOf(namespace);
  return slots
    .map(({ slot, scope: { tenant, session, provider, purpose }, fingerprint }) => {
      const identity = names.identity(provider, fingerprint);
      if (slot === 'session') return `${names.session(tenant, session)} p.${names.provider(provider)} ${identity}`;
      if (slot === 'global') return `${names.tenant(tenant)} g.${names.provider(provider)} ${identity}`;
      return `${names.tenant(tenant)} x.${names.pin(provider, purpose)} ${identity}`;
    })
    .sort();
}

/** Those of them that are the session's own. */
export function slotsOfSession(slots: readonly string[], { tenant, session }: FleetScope): string[] {
  const name = TEST_NAMES.session(tenant, session);
  return slots.filter((slot) => slot.startsWith(`${name} `));
}

function sorted<T>(list: readonly T[]): T[] {
  return [...list].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}
