/** A keyed fingerprint (HMAC-SHA-256, first 32 hex digits): the only form in which a store knows scopes and credentials. */
export type Name = string;

/** A number of the hybrid logical clock as 16 decimal digits, so that comparing strings compares numbers. */
export type Stamp = string;

/** What a store keeps: a credential's verdicts, a session's slots, a tenant's global slots and pins. */
export type RecordKind = 'identity' | 'session' | 'tenant';

export interface RecordRef {
  readonly kind: RecordKind;
  readonly name: Name;
}

/**
 * A record as it stands in the store. `version` grows with every change, also over a time in which the record was not there. The fields:
 *
 * - identity: `r` ruling, `s.NAME` ruling for one scope, `f` forgiven at, `h` expiry hint (with `u` at its end if it is by the upstream's clock),
 *   `x` hint shown to be wrong; for a tenant `u.NAME` refused to be refreshed, `w.NAME` not refreshed for a while, `n.NAME` what a refresh put in its place. Each is a register: a string
 *   that begins with a stamp, of which the greater one stays, whatever the order in which they come.
 * - session: `p.NAME` the slot for a provider, `e` the stamp of its eviction.
 * - tenant: `g.NAME` the global slot for a provider, `x.NAME` a pin (a register), `e` the stamp of its eviction.
 *
 * A slot is `STAMP|D|IDENTITY|SESSION|MS|VALUE`: the presentation's number, `1` if it was dead on arrival, the identity, who presented it last,
 * when (milliseconds since the epoch, 13 digits), and a value that only processes understand. What has come of an identity is
 * `STAMP|IDENTITY|VALUE`: the number of the refresh, what it brought, and such a value.
 */
export interface StoredRecord extends RecordRef {
  readonly version: number;
  readonly fields: Readonly<Record<string, string>>;
}

/** Greater registers replace smaller ones; the rest stay. */
export interface Learn {
  readonly kind: 'learn';
  readonly identity: Name;
  readonly fields: Readonly<Record<string, string>>;
}

/**
 * A client presented a credential, or a refresh brought one in place of what it had presented: the store decides which slots it takes, as the ledger
 * would (`displaces` in the policy). What has come of what a slot holds (`n.NAME`) takes its place whatever the numbers; the other way round it does not.
 */
export interface Present {
  readonly kind: 'present';
  readonly tenant: Name;
  readonly session: Name;
  readonly provider: Name;
  readonly identity: Name;
  readonly at: Stamp;
  /** When, in milliseconds since the epoch by the store's clock. */
  readonly captured: number;
  /** For the session's slot, and for the tenant's global one. */
  readonly own: string;
  readonly lent: string;
  /** Nobody presented it, a refresh brought it in place of this: it takes only the slots that hold that, whatever the numbers, and changes nothing else of them. `at` is the refresh's. */
  readonly instead?: Name;
}

/** A register of the tenant's record: a pin, or its removal. */
export interface Pin {
  readonly kind: 'pin';
  readonly tenant: Name;
  /** `x.NAME` */
  readonly field: string;
  readonly value: string;
}

/** A session's slots are dropped, and the global ones that nobody else presented; presentations numbered before `at` count no more. */
export interface Evict {
  readonly kind: 'evict';
  readonly tenant: Name;
  readonly session: Name;
  readonly at: Stamp;
}

/** The same for a whole tenant; its pins stay. */
export interface EvictTenant {
  readonly kind: 'evict-tenant';
  readonly tenant: Name;
  readonly at: Stamp;
}

export type StoreChange = Learn | Present | Pin | Evict | EvictTenant;

/** Where the store stands. */
export interface Standing {
  /** Drawn at random when the store was empty: another one means that everything was lost. */
  readonly epoch: string;
  /** How many messages were published. */
  readonly seq: number;
  /** Milliseconds since the epoch by the store's clock. */
  readonly now: number;
  /** The greatest number that any process has sent. */
  readonly latest: Stamp;
}

export interface Answer extends Standing {
  /** As they stand after the change, or now. Identities that the slots of the other records point at, and what has come of them, come first. */
  readonly records: readonly StoredRecord[];
}

/** What is published after a change: the state of the records that it touched. */
export interface Message {
  readonly epoch: string;
  readonly seq: number;
  readonly latest: Stamp;
  readonly records: readonly StoredRecord[];
}

/** What a process hears of the store without asking. */
export interface CarrierListener {
  /** At least once, or not at all; in any order. */
  message(message: Message): void;
  /** A lock was given back; `note` is its owner's. */
  released(lock: Name, note: string): void;
  /** Messages may have been missed: the subscription is new, or was broken. */
  gap(): void;
}

export interface CarrierSettings {
  /** How long a session's slots are kept after its last presentation, in milliseconds; everything else is kept twice as long. */
  readonly idleMs: number;
}

/** Another epoch than the one given, or an earlier state of it; or a number too far ahead of the store's clock: nothing was changed. */
export type Refusal = { readonly refused: 'epoch' | 'skew' };

/**
 * The way to a store that several processes share. Every promise settles within the carrier's own deadline, and rejects with a `StoreError` if the
 * store cannot be reached or will not do.
 */
export interface Carrier {
  open(settings: CarrierSettings, listener: CarrierListener): void;
  /**
   * Makes an empty store ready, and says where it stands. One that has not got as far as is known of it was put back to an earlier state: it gets
   * a new epoch.
   */
  hello(known?: { readonly epoch: string; readonly seq: number }): Promise<Standing>;
  /**
   * All or nothing, in this order, at once. `now` (the store's clock) decides what has expired; `latest` is the greatest number in
   * `changes`. `heard`: how many messages of this epoch are known to have been published, 0 unless given.
   */
  push(epoch: string, changes: readonly StoreChange[], now: number, latest: Stamp, heard?: number): Promise<Answer | Refusal>;
  /** These, with the identities that their slots point at, and what has come of them; what is not there is left out. */
  load(wanted: readonly RecordRef[]): Promise<Answer>;
  /** The records that changed after the message numbered `seq`, or undefined if that is too long ago to know. */
  changedSince(seq: number): Promise<readonly RecordRef[] | undefined>;
  /** Takes a lock for `ms` milliseconds. Returns for how many somebody else holds it; 0: nobody does. Asking again as its owner prolongs it. */
  lock(lock: Name, owner: string, ms: number): Promise<number>;
  /** Gives a lock back, if `owner` holds it, and tells everybody. */
  unlock(lock: Name, owner: string, note: string): Promise<void>;
  /**
   * Enters a group for `ms` milliseconds, again to stay in it. Says whether it was empty before, and the `tag` of whoever found it empty.
   */
  enter(group: Name, member: string, tag: string, ms: number): Promise<{ readonly first: boolean; readonly tag: string }>;
  /** Leaves it; says whether nobody is left, and its tag. */
  leave(group: Name, member: string): Promise<{ readonly last: boolean; readonly tag: string | undefined }>;
  /** Gives up what it opened itself; the user's own client stays open. Never rejects. */
  close(): Promise<void>;
}
