import type { Evict, EvictTenant, Learn, Name, Pin, Present, RecordKind, RecordRef, StoreChange } from '../../../src/fleet/carrier.js';
import { displaces } from '../../../src/policy/choose.js';
import type { Records } from './records.js';
import { isDeadRecord, readRegister, readSlot, readSuccessor, type StoredSlot, writeSlot } from './slot.js';

const MOST_PROVIDERS = 64;
const MOST_SCOPES = 1_100;
const MOST_TENANTS = 64;
const MOST_GENERATIONS = 16;

/** One push on its way through the records. */
export class Changes {
  readonly #records: Records;
  readonly #now: number;
  readonly #idleMs: number;
  readonly #touched = new Map<string, RecordRef>();
  readonly #changed = new Map<string, RecordRef>();

  constructor(records: Records, now: number, idleMs: number) {
    this.#records = records;
    this.#now = now;
    this.#idleMs = idleMs;
  }

  get touched(): RecordRef[] {
    return [...this.#touched.values()];
  }

  get changed(): RecordRef[] {
    return [...this.#changed.values()];
  }

  apply(change: StoreChange): void {
    if (change.kind === 'learn') this.#learn(change);
    else if (change.kind === 'present') this.#present(change);
    else if (change.kind === 'pin') this.#pin(change);
    else if (change.kind === 'evict') this.#evict(change);
    else this.#evictTenant(change);
  }

  #learn({ identity, fields }: Learn): void {
    for (const [field, value] of Object.entries(fields)) this.#raise('identity', identity, field, value);
    this.#limitFields(identity, 's.', MOST_SCOPES);
    this.#limitFields(identity, 'n.', MOST_TENANTS);
    this.#limitFields(identity, 'u.', MOST_TENANTS);
    this.#limitFields(identity, 'w.', MOST_TENANTS);
    this.#touch('identity', identity, 2 * this.#idleMs);
  }

  #limitFields(identity: Name, start: string, most: number): void {
    const fields = [...(this.#records.fields('identity', identity) ?? [])]
      .filter(([field]) => field.startsWith(start))
      .map(([field, text]) => [field, readRegister(text) ?? ''] as const);
    fields.sort(([fieldA, a], [fieldB, b]) => (a !== b ? (a < b ? -1 : 1) : fieldA < fieldB ? -1 : 1));
    for (const [field] of fields.slice(0, Math.max(fields.length - most, 0))) this.#remove('identity', identity, field);
  }

  #pin({ tenant, field, value }: Pin): void {
    this.#raise('tenant', tenant, field, value);
    this.#touch('tenant', tenant, 2 * this.#idleMs);
  }

  #present(change: Present): void {
    const { tenant, session, provider, at, own, lent } = change;
    const records = this.#records;
    const tenantEvicted = records.register('tenant', tenant, 'e');
    const isCurrent = at >= records.register('session', session, 'e') && at >= tenantEvicted;
    if (change.instead !== undefined || isCurrent) {
      for (const [field, slot] of this.#slots('session', session, 'p.')) {
        if (slot.at >= tenantEvicted) continue;
        this.#remove('session', session, field);
        records.unhold(tenant, slot.identity, session);
      }
      const before = records.slot('session', session, `p.${provider}`);
      if (this.#place('session', session, `p.${provider}`, change, own)) {
        if (before === undefined) this.#limit(tenant, session, `p.${provider}`);
        else records.unhold(tenant, before.identity, session);
      }
      const empty = records.slot('tenant', tenant, `g.${provider}`) === undefined;
      const lending = this.#place('tenant', tenant, `g.${provider}`, change, lent);
      for (const [field, slot] of lending && empty ? this.#slots('tenant', tenant, 'g.') : []) {
        if (field !== `g.${provider}` && Number(slot.captured) + this.#idleMs <= this.#now) this.#remove('tenant', tenant, field);
      }
      const held = this.#slots('session', session, 'p.');
      for (const [, { identity }] of held) records.hold(tenant, identity, session, this.#now + this.#idleMs);
      for (const [, { identity }] of [...held, ...this.#slots('tenant', tenant, 'g.')])
        records.keep('identity', identity, 2 * this.#idleMs);
    }
    this.#touch('identity', change.identity, 2 * this.#idleMs);
    this.#touch('session', session, this.#idleMs);
    this.#touch('tenant', tenant, 2 * this.#idleMs);
  }

  /** Says whether the slot points at another identity now. */
  #place(kind: RecordKind, name: Name, field: string, change: Present, value: string): boolean {
    const { identity, session: by, at } = change;
    const captured = String(change.captured).padStart(13, '0');
    const dead = this.#isDead(identity);
    const slot = this.#records.slot(kind, name, field);
    if (change.instead !== undefined && (slot?.identity !== change.instead || slot.identity === identity)) return false;
    const isSuccessor = change.instead !== undefined || (slot !== undefined && this.#isSucceededBy(slot.identity, identity, change.tenant));
    const fresh: StoredSlot = { at, dead: dead ? '1' : '0', identity, by, captured, value };
    if (slot === undefined) {
      this.#set(kind, name, field, writeSlot(fresh));
      return true;
    }
    if (slot.identity === identity) {
      const newer = at > slot.at && !dead;
      const renewed = {
        ...fresh,
        at: newer ? at : slot.at,
        dead: newer ? '0' : slot.dead,
        captured: captured > slot.captured ? captured : slot.captured,
      };
      this.#records.set(kind, name, field, writeSlot(renewed));
      if (newer || by !== slot.by) this.#note(kind, name);
      return false;
    }
    const present = { at: Number(slot.at), deadOnArrival: slot.dead === '1', dead: this.#isDead(slot.identity) };
    if (!present.dead && (isSuccessor ? dead : this.#isSucceededBy(identity, slot.identity, change.tenant))) return false;
    if (!isSuccessor && !displaces({ at: Number(at), dead }, present)) return false;
    const latest = {
      at: at > slot.at ? at : slot.at,
      captured: captured > slot.captured ? captured : slot.captured,
      by: change.instead === undefined ? by : slot.by,
    };
    this.#set(kind, name, field, writeSlot(isSuccessor ? { ...fresh, ...latest } : fresh));
    return true;
  }

  #isSucceededBy(identity: Name, later: Name, tenant: Name): boolean {
    let [isLater, at, current] = [false, '', identity];
    for (let generation = 0; generation < MOST_GENERATIONS; generation++) {
      const next = readSuccessor(this.#records.get('identity', current, `n.${tenant}`));
      if (next === undefined || next.at < at) break;
      [at, current] = [next.at, next.identity];
      if (current === identity) isLater = false;
      else if (current === later) isLater = true;
    }
    return isLater;
  }

  #limit(tenant: Name, session: Name, added: string): void {
    const slots = this.#slots('session', session, 'p.').filter(([field]) => field !== added);
    if (slots.length < MOST_PROVIDERS) return;
    slots.sort(([fieldA, a], [fieldB, b]) => (a.at !== b.at ? (a.at < b.at ? -1 : 1) : fieldA < fieldB ? -1 : 1));
    const [oldest] = slots;
    if (oldest !== undefined) this.#drop(tenant, session, ...oldest);
  }

  #evict({ tenant, session, at }: Evict): void {
    for (const [field, slot] of this.#slots('session', session, 'p.')) if (slot.at < at) this.#drop(tenant, session, field, slot);
    this.#raise('session', session, 'e', at);
    this.#touch('session', session, this.#idleMs);
    this.#touch('tenant', tenant, 2 * this.#idleMs);
  }

  #evictTenant({ tenant, at }: EvictTenant): void {
    for (const [field, slot] of this.#slots('tenant', tenant, 'g.')) if (slot.at < at) this.#remove('tenant', tenant, field);
    this.#raise('tenant', tenant, 'e', at);
    this.#touch('tenant', tenant, 2 * this.#idleMs);
  }

  /** A session's slot goes, and the global one too if nobody else who is still there presented what it holds. */
  #drop(tenant: Name, session: Name, field: string, slot: StoredSlot): void {
    this.#remove('session', session, field);
    this.#records.unhold(tenant, slot.identity, session);
    const provider = field.slice(2);
    const global = this.#records.slot('tenant', tenant, `g.${provider}`);
    if (global === undefined) return;
    const concerned = global.by === session || this.#isGone(tenant, global);
    if (concerned && !this.#records.isHeld(tenant, provider, global.identity, this.#now)) this.#remove('tenant', tenant, `g.${provider}`);
  }

  /** Whether who presented it last was evicted since, perhaps to come back with something else. */
  #isGone(tenant: Name, { by, at }: StoredSlot): boolean {
    return this.#records.register('session', by, 'e') > at || this.#records.slotsOf(tenant, by).size === 0;
  }

  #isDead(identity: Name): boolean {
    return isDeadRecord(this.#records.fields('identity', identity), this.#now);
  }

  #slots(kind: RecordKind, name: Name, prefix: string): [string, StoredSlot][] {
    return [...(this.#records.fields(kind, name) ?? [])].flatMap(([field, text]): [string, StoredSlot][] => {
      const slot = field.startsWith(prefix) ? readSlot(text) : undefined;
      return slot === undefined ? [] : [[field, slot]];
    });
  }

  /** A register: the greater one stays. */
  #raise(kind: RecordKind, name: Name, field: string, value: string): void {
    const present = readRegister(this.#records.get(kind, name, field));
    if (present === undefined || value > present) this.#set(kind, name, field, value);
  }

  #set(kind: RecordKind, name: Name, field: string, value: string): void {
    this.#records.set(kind, name, field, value);
    this.#note(kind, name);
  }

  #remove(kind: RecordKind, name: Name, field: string): void {
    this.#records.remove(kind, name, field);
    this.#note(kind, name);
  }

  #note(kind: RecordKind, name: Name): void {
    this.#changed.set(`${kind}:${name}`, { kind, name });
  }

  #touch(kind: RecordKind, name: Name, ms: number): void {
    this.#touched.set(`${kind}:${name}`, { kind, name });
    this.#records.keep(kind, name, ms);
  }
}
