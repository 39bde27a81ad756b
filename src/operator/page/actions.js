import { counted, printable, scopeWords } from './wording.js';

/**
 * What an operator can do about a row: how the button is called, what will happen in words, and the request. Nothing is offered that has nothing to
 * do it to.
 */
export function actionsFor(row, rows) {
  const { scope, why } = row;
  const actions = [];
  // An expiry is nothing that was found out about it: forgiving it changes nothing.
  if (why === 'rejected' || why === 'held')
    actions.push(
      forgiveCredential(row.lent !== undefined && row.state !== 'borrowing' ? row.lent : row.fingerprint, rows),
      forgiveScope(scope),
    );
  // Its own is no matter of forgiving, but a rejection of what it could borrow stops it too.
  else if (row.incident !== undefined) actions.push(forgiveScope(scope));
  if (scope.session !== undefined) actions.push(evictSession(scope, rows));
  if (scope.tenant !== undefined) actions.push(evictTenant(scope.tenant, rows));
  return actions;
}

export function forgiveCredential(fingerprint, rows) {
  const uses = [...rows.values()].filter((row) => row.fingerprint === fingerprint || row.lent === fingerprint).length;
  return {
    label: 'Forgive this credential…',
    title: `Forgive credential ${fingerprint}?`,
    sentences: [
      `It counts as unproven again wherever it is used: ${counted(uses, 'scope')} here.`,
      'Work that it blocked goes on. One call tries it; if it is still bad, that call is rejected and the block is back.',
    ],
    verb: 'Forgive credential',
    isDangerous: false,
    path: 'forgive',
    body: { fingerprint },
    done: `Credential ${fingerprint} is forgiven.`,
  };
}

function forgiveScope(scope) {
  return {
    label: 'Forgive this scope…',
    title: 'Forgive all credentials of this scope?',
    sentences: [
      `Scope: ${scopeWords(scope)}.`,
      'Its own credential and those that it could borrow count as unproven again, also for the others that use them.',
    ],
    verb: 'Forgive scope',
    isDangerous: false,
    path: 'forgive',
    body: { scope },
    done: `The credentials of ${scopeWords(scope)} are forgiven.`,
  };
}

function evictSession({ tenant, session }, rows) {
  const slots = [...rows.values()].filter(({ scope }) => scope.tenant === tenant && scope.session === session).length;
  const name = scopeWords({ tenant, session });
  return {
    label: 'Evict this session…',
    title: 'Evict this session?',
    sentences: [
      `${name[0].toUpperCase()}${name.slice(1)} is forgotten, with all its providers and purposes: ${counted(slots, 'scope')} here.`,
      'What it presented is no longer lent to others, unless another session presented the same.',
      'Its work has no credential of its own until its client presents one again.',
    ],
    verb: 'Evict session',
    isDangerous: true,
    path: 'evict',
    body: { ...(tenant === undefined ? {} : { tenant }), session },
    done: `Evicted ${name}.`,
  };
}

function evictTenant(tenant, rows) {
  const own = [...rows.values()].filter(({ scope }) => scope.tenant === tenant);
  const sessions = new Set(own.map(({ scope }) => scope.session).filter((session) => session !== undefined));
  return {
    label: 'Evict the whole tenant…',
    title: `Evict all of tenant “${printable(tenant)}”?`,
    sentences: [
      `All that its clients presented is forgotten: ${counted(sessions.size, 'session')} here, and what they lend to its other work.`,
      'Credentials that the gateway has pinned stay.',
      'Its work has nothing else to go on with until its clients present credentials again.',
    ],
    verb: 'Evict tenant',
    isDangerous: true,
    path: 'evict',
    body: { tenant },
    done: `Evicted tenant “${printable(tenant)}”.`,
  };
}
