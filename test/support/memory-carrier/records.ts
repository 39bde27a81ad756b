import type { Clock } from '../../../src/clock.js';
import type { Name, RecordKind, RecordRef, StoredRecord } from '../../../src/fleet/carrier.js';
import { readRegister, readSlot, type StoredSlot } from './slot.js';

const MOST_GENERATIONS = 16;

interface Entry {
  readonly kind: RecordKind;
  readonly name: Name;
  version: number;
  readonly fields: Map<string, string>;
  expiresAt: number;
}

/** The records of a store, and who holds what: gone when their time has come. */
export class Records {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  /** By tenant and identity: the sessions whose slot points at it, and until when. */
  readonly #holders = new Map<string, Map<Name, number>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Remembers how it is; the function puts it back to that. */
  save(): () => void {
    const entries = structuredClone(this.#entries);
    const holders = structuredClone(this.#holders);
    return () => {
      this.#entries.clear();
      for (const [key, entry] of entries) this.#entries.set(key, entry);
      this.#holders.clear();
      for (const [key, held] of holders) this.#holders.set(key, held);
    };
  }

  fields(kind: RecordKind, name: Name): ReadonlyMap<string, string> | undefined {
    return this.#find(kind, name)?.fields;
  }

  get(kind: RecordKind, name: Name, field: string): string | undefined {
    return this.fields(kind, name)?.get(field);
  }

  /** Undefined too for what is none. */
  slot(kind: RecordKind, name: Name, field: string): StoredSlot | undefined {
    return readSlot(this.get(kind, name, field));
  }

  /** Empty too for what is none. */
  register(kind: RecordKind, name: Name, field: string): string {
    return readRegister(this.get(kind, name, field)) ?? '';
  }

  set(kind: RecordKind, name: Name, field: string, value: string): void {
    let entry = this.#find(kind, name);
    if (entry === undefined) {
      entry = { kind, name, version: 0, fields: new Map(), expiresAt: Number.NEGATIVE_INFINITY };
      this.#entries.set(`${kind}:${name}`, entry);
      // Until `keep` says how long.
      entry.expiresAt = Number.POSITIVE_INFINITY;
    }
    entry.fields.set(field, value);
  }

  remove(kind: RecordKind, name: Name, field: string): void {
    this.#find(kind, name)?.fields.delete(field);
  }

  lose(kind: RecordKind, name: Name): void {
    this.#entries.delete(`${kind}:${name}`);
  }

  /** Prolongs a record's life; never shortens it. */
  keep(kind: RecordKind, name: Name, ms: number): void {
    const entry = this.#find(kind, name);
    if (entry === undefined) return;
    const until = this.#clock.now() + ms;
    if (entry.expiresAt === Number.POSITIVE_INFINITY || entry.expiresAt < until) entry.expiresAt = until;
  }

  raise(kind: RecordKind, name: Name, seq: number): void {
    const entry = this.#find(kind, name);
    if (entry !== undefined) entry.version = Math.max(seq, entry.version + 1);
  }

  hold(tenant: Name, identity: Name, session: Name, until: number): void {
    const key = `${tenant}:${identity}`;
    const holders = this.#holders.get(key) ?? new Map<Name, number>();
    this.#holders.set(key, holders.set(session, until));
  }

  unhold(tenant: Name, identity: Name, session: Name): void {
    this.#holders.get(`${tenant}:${identity}`)?.delete(session);
  }

  isHeld(tenant: Name, provider: Name, identity: Name, now: number): boolean {
    for (const [session, until] of this.#holders.get(`${tenant}:${identity}`) ?? []) {
      if (until > now && this.slotsOf(tenant, session).get(`p.${provider}`) === identity) return true;
    }
    return false;
  }

  /** The identities of a session's slots that its tenant's eviction left. */
  slotsOf(tenant: Name, session: Name): Map<string, Name> {
    const evicted = this.register('tenant', tenant, 'e');
    const slots = new Map<string, Name>();
    for (const [field, text] of this.fields('session', session) ?? []) {
      const slot = readSlot(text);
      if (field.startsWith('p.') && slot !== undefined && slot.at >= evicted) slots.set(field, slot.identity);
    }
    return slots;
  }

  /** As it is answered and published; the fields in the order of their names. */
  stored(kind: RecordKind, name: Name): StoredRecord | undefined {
    const entry = this.#find(kind, name);
    if (entry === undefined) return undefined;
    const readable = [...entry.fields].filter(([, text]) => readRegister(text) !== undefined);
    const fields = Object.fromEntries(readable.sort(([a], [b]) => (a < b ? -1 : 1)));
    return { kind, name, version: entry.version, fields };
  }

  /** What these refer to, once each, the identities that their slots and pins point at first. */
  withIdentities(refs: readonly RecordRef[]): StoredRecord[] {
    const identities = new Set(refs.filter(({ kind }) => kind === 'identity').map(({ name }) => name));
    const others = refs.filter(({ kind }) => kind !== 'identity');
    for (const { kind, name } of others) {
      for (const [field, text] of this.fields(kind, name) ?? []) {
        const slot = /^[pg]\./.test(field) ? readSlot(text) : undefined;
        if (slot !== undefined) identities.add(slot.identity);
        const pinned = field.startsWith('x.') ? /^\d+0\|([0-9a-f]+)\|/.exec(text)?.[1] : undefined;
        if (pinned !== undefined) identities.add(pinned);
      }
    }
    for (const name of [...identities]) this.#addSuccessors(name, identities, 0);
    const all = [...[...identities].map((name) => ({ kind: 'identity', name }) as const), ...others];
    return all.flatMap(({ kind, name }) => this.stored(kind, name) ?? []);
  }

  #addSuccessors(name: Name, identities: Set<Name>, generation: number): void {
    if (generation === MOST_GENERATIONS) return;
    for (const [field, text] of this.fields('identity', name) ?? []) {
      const successor = field.startsWith('n.') ? /^\d+\|([\da-fA-F]+)\|/.exec(text)?.[1] : undefined;
      if (successor === undefined || identities.has(successor)) continue;
      identities.add(successor);
      this.#addSuccessors(successor, identities, generation + 1);
    }
  }

  all(): StoredRecord[] {
    return [...this.#entries.values()].flatMap(({ kind, name }) => this.stored(kind, name) ?? []);
  }

  #find(kind: RecordKind, name: Name): Entry | undefined {
    const key = `${kind}:${name}`;
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.expiresAt > this.#clock.now()) return entry;
    this.#entries.delete(key);
    return undefined;
  }
}
