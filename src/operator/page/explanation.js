import { clockTime, duration, printable } from './wording.js';

const WHOSE = {
  session: 'its own credential',
  global: 'the credential that its tenant lends it',
  pinned: 'the credential that the gateway has pinned',
};
const REASONS = {
  missing: 'no credential was presented for it',
  rejected: 'what it has was rejected',
  held: 'what it has is held for a while',
  expired: 'what it has has expired',
  closed: 'everything is closed',
};
const REFRESHES = {
  refreshing: 'The gateway has been fetching another credential',
  auth_retrying: 'The gateway has tried to fetch another credential, without success so far,',
};
const HELP = {
  rejected: 'a fresh credential from its client, a later success with this one, or forgiving it',
  held: 'the end of the hold, another credential, or forgiving it',
  expired: 'a fresh credential from its client',
  refused: 'a credential of its own: the rules of this gateway do not lend this one',
};

/** No client's credential takes a pin's place. */
const PINNED_HELP = {
  rejected: 'pinning another, or forgiving it',
  held: 'the end of the hold, pinning another, or forgiving it',
  expired: 'pinning another',
};

/** What the server explains of a scope, in sentences. `now` is the server's time. */
export function explanationLines({ ok, source, reason, candidates, otherProviders = [], status }, now) {
  const isTest = ok && candidates.some((candidate) => candidate.source === source && !candidate.usable);
  const works = isTest ? `As a test, one call tries ${WHOSE[source]} again.` : `It works with ${WHOSE[source]}.`;
  const lines = [ok ? works : `It cannot work: ${REASONS[reason] ?? reason}.`];
  const refresh = REFRESHES[status?.state];
  if (refresh !== undefined) lines.push(`${refresh} since ${clockTime(status.since, now)} (${duration(now - status.since)}).`);
  if (status?.next != null && status.next > now && status.state !== 'held')
    lines.push(`Without anybody’s doing: next try at ${clockTime(status.next, now)}.`);
  for (const candidate of candidates) lines.push(`${candidate.source} ${candidate.fingerprint}: ${candidateWords(candidate, now)}`);
  if (otherProviders.length > 0) {
    lines.push(
      `The session holds credentials for: ${otherProviders.map((name) => (name == null ? '(no provider)' : printable(name))).join(', ')}.`,
    );
  }
  return lines;
}

function candidateWords({ usable, source, reason, status, since, until, refresh }, now) {
  const refused = refresh?.state === 'refused' ? refusalWords(refresh) : '';
  if (usable) return `usable${refused === '' ? '' : `.${refused}`}`;
  const facts = [
    status == null ? reason : `${reason} with ${status}`,
    since == null ? undefined : `since ${clockTime(since, now)} (${duration(now - since)})`,
    until == null || reason !== 'held' ? undefined : `until ${clockTime(until, now)}`,
  ].filter((fact) => fact !== undefined);
  const help = (source === 'pinned' ? PINNED_HELP : HELP)[reason];
  // A rejection does not end when it is put to the test.
  const test = until == null || reason !== 'rejected' ? '' : `the test at ${clockTime(until, now)}, `;
  return `${facts.join(' ')}. What would help: ${refreshWords(refresh, now)}${test}${help}.${refused}`;
}

function refreshWords(refresh, now) {
  const at = refresh?.next == null ? '' : ` at ${clockTime(refresh.next, now)}`;
  switch (refresh?.state) {
    case 'out':
      return 'its refresh, which is under way, ';
    case 'waiting':
      return `the next try to refresh it${at}, `;
    case 'possible':
      return 'its refresh, which its next work asks for, ';
    case 'resting':
      return `its refresh, which may be asked for again${at}, `;
    default:
      return '';
  }
}

function refusalWords({ status, code }) {
  const answer = [status, code].filter((part) => part != null).join(' ');
  return ` Its refresh was refused${answer === '' ? '' : ` (${answer})`}.`;
}
