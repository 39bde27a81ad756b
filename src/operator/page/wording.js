/** Worst first: the order in which scopes are counted and listed. */
export const STATES = ['blocked', 'auth_retrying', 'held', 'expired', 'refreshing', 'borrowing', 'ready'];

/** A state as it is read. */
export function stateWords(state) {
  return state.replace('_', ' ');
}

/** How a row stands, as it is read. */
export function standingWords({ state, probe }) {
  return probe ? `${stateWords(state)}, as a test` : stateWords(state);
}

export const EVENT_WORDS = {
  captured: 'Captured',
  rejected: 'Rejected',
  denied: 'Denied',
  held: 'Held',
  blocked: 'Blocked',
  resumed: 'Resumed',
  incident: 'Incident opened',
  recovered: 'Incident over',
  refreshed: 'Refreshed',
  refreshFailed: 'Refresh failed',
  status: 'Status',
  evicted: 'Evicted',
  operator: 'By an operator',
  store: 'Store',
  error: 'Error contained',
};

const END_WORDS = {
  fresh: 'a fresh credential',
  proof: 'proven or forgiven',
  fallback: 'another credential was lent',
  evicted: 'its scopes were evicted',
};

// Line breaks, other control characters, and those that change the direction of what follows them: a name must not rearrange a sentence.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** A name as it can be shown, whatever it holds. */
export function printable(name) {
  return name.replace(UNPRINTABLE, (character) => `\\u{${character.codePointAt(0).toString(16)}}`);
}

/** Local time, with the date where that is another day than `now`. */
export function clockTime(at, now) {
  const [date, today] = [new Date(at), new Date(now)];
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join(':');
  return date.toDateString() === today.toDateString() ? time : `${dayOf(date)} ${time}`;
}

/** A duration in its two largest units. */
export function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function grouped(count) {
  return count.toLocaleString('en');
}

/** `1 scope`, `2 scopes`. */
export function counted(count, noun) {
  return `${grouped(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** Whose work it is, in a sentence. */
export function scopeWords({ tenant, session, provider, purpose }) {
  const whose = [
    session === undefined ? undefined : `session “${printable(session)}”`,
    tenant === undefined ? undefined : `tenant “${printable(tenant)}”`,
  ];
  const parts = [
    whose.filter((part) => part !== undefined).join(' of '),
    provider === undefined ? '' : printable(provider),
    purpose === undefined ? '' : `purpose “${printable(purpose)}”`,
  ].filter((part) => part !== '');
  return parts.length === 0 ? 'work of no session' : parts.join(', ');
}

/** What an entry of the timeline says besides its event and its scope. */
export function entryDetail({ status, fingerprint, end, note }) {
  return [
    status === undefined ? undefined : `status ${status}`,
    fingerprint === undefined ? undefined : `credential ${fingerprint}`,
    end === undefined ? undefined : (END_WORDS[end] ?? end),
    note === undefined ? undefined : printable(note),
  ]
    .filter((part) => part !== undefined)
    .join(' · ');
}

function twoDigits(value) {
  return String(value).padStart(2, '0');
}

function dayOf(date) {
  return `${date.getFullYear()}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())}`;
}
