import { make, makeShape, say, setAttribute } from './elements.js';
import { createKeyedList } from './keyed-list.js';
import { clockTime, duration, printable, scopeWords, standingWords } from './wording.js';

const CELLS = ['State', 'Tenant', 'Session', 'Provider', 'Purpose', 'Slot', 'Credential', 'Since', 'HTTP', 'More'];
const CODE = new Set(['Credential']);

// Said again, because a narrow window shows the rows as cards, and a table that is not laid out as one loses its roles in some browsers.
const ROLES = { thead: 'rowgroup', tbody: 'rowgroup', tr: 'row', th: 'columnheader' };

/** The rows of the table of scopes. `timeNow` is the server's time; `onDetails` gets the row as it was last shown. */
export function createScopeRows(table, { timeNow, onDetails }) {
  table.setAttribute('role', 'table');
  for (const [name, role] of Object.entries(ROLES)) for (const element of table.querySelectorAll(name)) element.setAttribute('role', role);
  return createKeyedList(table.querySelector('tbody'), { keyOf: ({ key }) => key, create, update, leave, holds: true });

  function create() {
    const entry = { node: make('tr', { role: 'row' }), cells: {}, row: undefined };
    for (const name of CELLS) {
      const cell = make('td', { role: 'cell', 'data-label': name, class: CODE.has(name) ? 'code' : '' });
      entry.cells[name] = cell;
      entry.node.append(cell);
    }
    entry.word = make('span', { class: 'fate' });
    entry.cells.State.append(entry.word);
    entry.since = make('span');
    entry.age = make('span', { class: 'quiet' });
    entry.next = make('span', { class: 'quiet next' });
    entry.cells.Since.append(entry.since, ' ', entry.age, ' ', entry.next);
    entry.button = make('button', { type: 'button', class: 'plain small' }, 'Details');
    entry.button.addEventListener('click', () => {
      if (entry.button.getAttribute('aria-disabled') !== 'true') onDetails(entry.row);
    });
    entry.cells.More.append(entry.button);
    return entry;
  }

  function update(entry, row) {
    const { cells, node } = entry;
    const { scope, state, status } = row;
    if (entry.row?.state !== state || entry.isGone) {
      entry.isGone = false;
      entry.button.removeAttribute('aria-disabled');
      node.setAttribute('data-state', state);
      cells.State.replaceChildren(makeShape(state), entry.word);
    }
    say(entry.word, standingWords(row));
    if (entry.row !== row) {
      say(cells.Tenant, shownName(scope.tenant));
      say(cells.Session, shownName(scope.session));
      say(cells.Provider, shownName(scope.provider));
      say(cells.Purpose, shownName(scope.purpose));
      say(cells.Slot, row.slot);
      say(cells.Credential, row.lent === undefined ? row.fingerprint : `${row.fingerprint}\nlent ${row.lent}`);
      say(cells.HTTP, status === undefined ? '–' : String(status));
      setAttribute(entry.button, 'aria-label', `Details of ${scopeWords(scope)}`);
    }
    sayWhen(entry, row);
    entry.row = row;
  }

  function leave(entry) {
    if (entry.isGone) return;
    entry.isGone = true;
    entry.node.setAttribute('data-state', 'gone');
    entry.cells.State.replaceChildren(entry.word);
    say(entry.word, 'gone');
    // Not `disabled`, which would lose the focus.
    entry.button.setAttribute('aria-disabled', 'true');
  }

  function sayWhen({ since, age, next }, row) {
    const now = timeNow();
    const begun = row.refreshingSince ?? row.since;
    if (row.until !== undefined && row.until > now) {
      say(since, `until ${clockTime(row.until, now)}`);
      say(age, `in ${duration(row.until - now)}`);
    } else {
      say(since, begun === undefined ? '–' : clockTime(begun, now));
      say(age, begun === undefined ? '' : duration(now - begun));
    }
    say(next, row.next !== undefined && row.next > now ? `next try at ${clockTime(row.next, now)}` : '');
  }
}

function shownName(name) {
  return name === undefined ? '–' : printable(name);
}
