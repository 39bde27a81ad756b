import type { Clock } from '../../../src/clock.js';
import type { Answer, Message, Name, RecordRef, Refusal, Standing, StoreChange, StoredRecord } from '../../../src/fleet/carrier.js';
import { Changes } from './changes.js';
import { Records } from './records.js';

const EPOCH_MS = Date.UTC(2020, 0, 1);
const MOST_AHEAD_MS = 60_000;

export interface Published {
  message(message: Message): void;
  released(lock: Name, note: string): void;
}

/** What the Lua scripts do, in plain TypeScript: one store's state from one emptying to the next. */
export class Server {
  readonly records: Records;
  readonly #clock: Clock;
  readonly #logLength: number;
  #epoch: string;
  readonly #published: Published;
  readonly #log = new Map<string, RecordRef & { readonly seq: number }>();
  readonly #locks = new Map<Name, { readonly owner: string; readonly until: number }>();
  readonly #groups = new Map<Name, { readonly tag: string; readonly members: Map<string, number> }>();
  #seq = 0;
  #latest = '0'.repeat(16);
  #floor = 0;

  constructor(clock: Clock, logLength: number, epoch: string, published: Published) {
    this.#clock = clock;
    this.#logLength = logLength;
    this.#epoch = epoch;
    this.#published = published;
    this.records = new Records(clock);
  }

  standing(known?: { readonly epoch: string; readonly seq: number }): Standing {
    // It was put back to an earlier state.
    if (known?.epoch === this.#epoch && known.seq > this.#seq) this.#epoch += '+';
    return { epoch: this.#epoch, seq: this.#seq, now: this.#clock.now(), latest: this.#latest };
  }

  push(epoch: string, changes: readonly StoreChange[], now: number, latest: string, idleMs: number, heard: number): Answer | Refusal {
    if (epoch !== this.#epoch || heard > this.#seq) return { refused: 'epoch' };
    const isAhead = (stamp: string): boolean => Math.floor(Number(stamp) / 4_096) + EPOCH_MS > this.#clock.now() + MOST_AHEAD_MS;
    if ([latest, ...changes.flatMap(stampsOf)].some(isAhead)) return { refused: 'skew' };
    if (latest > this.#latest) this.#latest = latest;
    const applied = new Changes(this.records, now, idleMs);
    for (const change of changes) applied.apply(change);
    const { changed } = applied;
    if (changed.length > 0) {
      this.#seq++;
      for (const { kind, name } of changed) {
        this.records.raise(kind, name, this.#seq);
        this.#log.set(`${kind}:${name}`, { kind, name, seq: this.#seq });
      }
      this.#trim();
      const records = this.records.withIdentities(changed);
      this.#published.message({ epoch, seq: this.#seq, latest: this.#latest, records });
    }
    return this.#answer(this.records.withIdentities(applied.touched));
  }

  /** Remembers how it is, locks and groups aside; the function puts it back to that. */
  save(): () => void {
    const [seq, latest, log] = [this.#seq, this.#latest, new Map(this.#log)];
    const restore = this.records.save();
    return () => {
      restore();
      this.#seq = seq;
      this.#latest = latest;
      this.#log.clear();
      for (const [key, entry] of log) this.#log.set(key, entry);
    };
  }

  load(wanted: readonly RecordRef[]): Answer {
    return this.#answer(this.records.withIdentities(wanted));
  }

  changedSince(seq: number): readonly RecordRef[] | undefined {
    if (seq < this.#floor || seq > this.#seq) return undefined;
    return [...this.#log.values()].filter((entry) => entry.seq > seq).map(({ kind, name }) => ({ kind, name }));
  }

  lock(lock: Name, owner: string, ms: number): number {
    const now = this.#clock.now();
    const held = this.#locks.get(lock);
    if (held !== undefined && held.until > now && held.owner !== owner) return held.until - now;
    this.#locks.set(lock, { owner, until: now + ms });
    return 0;
  }

  unlock(lock: Name, owner: string, note: string): void {
    const held = this.#locks.get(lock);
    if (held === undefined || held.until <= this.#clock.now() || held.owner !== owner) return;
    this.#locks.delete(lock);
    this.#published.released(lock, note);
  }

  enter(name: Name, member: string, tag: string, ms: number): { first: boolean; tag: string } {
    const now = this.#clock.now();
    let group = this.#group(name);
    const first = group === undefined;
    group ??= { tag, members: new Map<string, number>() };
    this.#groups.set(name, group);
    group.members.set(member, now + ms);
    return { first, tag: group.tag };
  }

  leave(name: Name, member: string): { last: boolean; tag: string | undefined } {
    const group = this.#group(name);
    if (group === undefined) return { last: true, tag: undefined };
    group.members.delete(member);
    const last = group.members.size === 0;
    if (last) this.#groups.delete(name);
    return { last, tag: group.tag };
  }

  /** Undefined once everybody in it has gone, or was not heard of for too long. */
  #group(name: Name): { readonly tag: string; readonly members: Map<string, number> } | undefined {
    const group = this.#groups.get(name);
    for (const [member, until] of group?.members ?? []) if (until <= this.#clock.now()) group?.members.delete(member);
    if (group?.members.size !== 0) return group;
    this.#groups.delete(name);
    return undefined;
  }

  #trim(): void {
    const entries = [...this.#log].sort(([keyA, a], [keyB, b]) => a.seq - b.seq || (keyA < keyB ? -1 : 1));
    for (const [key, { seq }] of entries.slice(0, Math.max(entries.length - this.#logLength, 0))) {
      this.#log.delete(key);
      this.#floor = Math.max(this.#floor, seq);
    }
  }

  #answer(records: readonly StoredRecord[]): Answer {
    return { ...this.standing(), records };
  }
}

function stampsOf(change: StoreChange): string[] {
  if (change.kind === 'learn') return Object.values(change.fields).map((text) => text.slice(0, 16));
  return [change.kind === 'pin' ? change.value.slice(0, 16) : change.at];
}
