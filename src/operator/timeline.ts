import type { Latchkey } from '../api.js';
import { type Clock, systemClock } from '../clock.js';
import type { ScopeParts } from '../errors.js';
import type { LatchkeyEvents } from '../events.js';
import type { StatusState } from '../policy/status.js';
import type { TimelineEntry, TimelineEvent } from './messages.js';

export interface TimelineOptions {
  /** Where the time of an entry is read. Default `Date`. */
  readonly clock?: Clock | undefined;
  /** Entries that are kept; the oldest goes first. Default 500. */
  readonly limit?: number | undefined;
}

/** What has happened lately. */
export interface Timeline {
  /** Oldest first. */
  entries(): readonly TimelineEntry[];
  /** Hears each entry as it is made; returns how to stop. */
  onEntry(listener: (entry: TimelineEntry) => void): () => void;
  /** Adds what no event tells. */
  add(event: 'operator', details: Pick<TimelineEntry, 'scope' | 'fingerprint' | 'note'>): void;
  /** Hears no more. The entries stay. */
  close(): void;
}

type Details = Omit<TimelineEntry, 'id' | 'at' | 'event'>;

type HeardEvent = Exclude<TimelineEvent, 'operator'>;

const STATES: Readonly<Record<StatusState, string>> = {
  ready: 'ready',
  refreshing: 'refreshing',
  auth_retrying: 'auth retrying',
  blocked: 'blocked',
  held: 'held',
  missing: 'missing',
};
const FAILURES: Readonly<Record<LatchkeyEvents['refreshFailed']['kind'], string>> = {
  permanent: 'for good',
  transient: 'for now',
  aborted: 'called off',
  unchanged: 'nothing better was brought',
};

/** Undefined for what other entries tell. */
const DETAILS: { readonly [Name in HeardEvent]: (event: LatchkeyEvents[Name]) => Details | undefined } = {
  captured: ({ scope, fingerprint, usable, pinned, remote, refreshed }) => ({
    scope,
    fingerprint,
    note: noteOf(
      usable ? 'usable' : 'not usable',
      pinned ? 'pinned' : undefined,
      remote ? 'elsewhere' : undefined,
      refreshed ? 'refreshed' : undefined,
    ),
  }),
  rejected: ({ scope, fingerprint, status, reach, late, strike }) => ({
    scope,
    fingerprint,
    status,
    ...(late ? { note: 'late: changed nothing' } : {}),
    ...(strike ? { note: 'a strike: does not count yet' } : {}),
    ...(reach === 'scope' && !late && !strike ? { note: 'for this scope only' } : {}),
  }),
  denied: ({ scope, fingerprint, status }) => ({ scope, fingerprint, status }),
  // Its reason may be the upstream's words.
  held: ({ scope, fingerprint, until }) => ({ scope, fingerprint, note: `until ${time(until)}` }),
  blocked: ({ scope, fingerprint, status, incident }) => ({ scope, fingerprint, status, incident }),
  resumed: ({ scope, incident, end }) => ({ scope, incident, end }),
  incident: ({ incident: { id, provider, fingerprint, status } }) => ({ ...of(provider), fingerprint, status, incident: id }),
  recovered: ({ incident: { id, provider, fingerprint, status, end, scopeCount, suppressed } }) => ({
    ...of(provider),
    fingerprint,
    status,
    incident: id,
    end,
    note: `scopes: ${scopeCount}, calls not sent: ${suppressed}`,
  }),
  refreshed: ({ scope, fingerprint, from }) => ({ scope, fingerprint, note: `in place of ${from}` }),
  refreshFailed: ({ scope, fingerprint, kind, status, code, next }) => ({
    scope,
    fingerprint,
    status,
    note: noteOf(FAILURES[kind], code, nextTry(next)),
  }),
  // Blocks and holds have entries of their own.
  status: ({ scope, from, state, next }) =>
    isRefresh(state) || isRefresh(from) ? { scope, note: noteOf(STATES[state], `was ${STATES[from]}`, nextTry(next)) } : undefined,
  evicted: ({ tenant, session, why }) => ({
    scope: { ...(tenant === undefined ? {} : { tenant }), ...(session === undefined ? {} : { session }) },
    note: why,
  }),
  store: ({ state }) => ({ note: state }),
  // Its message may hold anything.
  error: ({ origin }) => ({ note: origin }),
};

/** Keeps the latest of what a latchkey tells; never a value of a credential, nor anybody's message. */
export function createTimeline(latchkey: Latchkey, { clock = systemClock, limit = 500 }: TimelineOptions = {}): Timeline {
  const entries: TimelineEntry[] = [];
  const listeners = new Set<(entry: TimelineEntry) => void>();
  let id = 0;

  const add = (event: TimelineEvent, details: Details): void => {
    const entry: TimelineEntry = { id: ++id, at: clock.now(), event, ...details };
    entries.push(entry);
    if (entries.length > limit) entries.shift();
    for (const listener of listeners) listener(entry);
  };
  const hear = <Name extends HeardEvent>(name: Name): (() => void) =>
    latchkey.on(name, (event) => {
      const details = DETAILS[name](event);
      if (details !== undefined) add(name, details);
    });
  const offs = (Object.keys(DETAILS) as HeardEvent[]).map((name) => hear(name));

  return {
    entries: () => [...entries],
    add,
    onEntry(listener) {
      // Wrapped, so that the same function may listen twice and each stops its own.
      const own = (entry: TimelineEntry): void => listener(entry);
      listeners.add(own);
      return () => void listeners.delete(own);
    },
    close() {
      for (const off of offs) off();
    },
  };
}

function of(provider: string | undefined): { readonly scope?: ScopeParts } {
  return provider === undefined ? {} : { scope: { provider } };
}

function isRefresh(state: StatusState): boolean {
  return state === 'refreshing' || state === 'auth_retrying';
}

function noteOf(...parts: (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined).join(', ');
}

function nextTry(next: number | undefined): string | undefined {
  return next === undefined ? undefined : `next try at ${time(next)}`;
}

function time(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? `${ms} ms` : date.toISOString();
}
