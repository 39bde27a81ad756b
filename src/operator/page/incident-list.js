import { make, makeShape, say, setAttribute } from './elements.js';
import { createKeyedList } from './keyed-list.js';
import { clockTime, counted, duration, printable, scopeWords } from './wording.js';

/** The open incidents, the latest first. `onShow` gets the id of one, `onForgive` a fingerprint. */
export function createIncidentItems(list, { timeNow, onShow, onForgive }) {
  const items = createKeyedList(list, { keyOf: ({ id }) => id, create, update, leave, holds: true });
  let pinned = new Set();
  return {
    show(incidents, rows) {
      pinned = new Set([...rows.values()].filter(({ slot }) => slot === 'pinned').map(({ fingerprint }) => fingerprint));
      items.show([...incidents].sort((one, other) => other.openedAt - one.openedAt));
    },
  };

  function create() {
    const entry = {
      node: make('li', { class: 'incident' }),
      title: make('strong'),
      facts: make('span'),
      code: make('span', { class: 'code' }),
    };
    entry.over = make('strong', { class: 'fate' });
    const text = make('p', {}, makeShape('blocked'), entry.over, entry.title, ' ', entry.code, ' ', entry.facts);
    entry.buttons = make('span', { class: 'buttons' });
    entry.node.append(text, entry.buttons);
    return entry;
  }

  function update(entry, { id, provider, fingerprint, status, openedAt, scopeCount, scope, suppressed }) {
    const now = timeNow();
    say(entry.over, '');
    for (const button of entry.buttons.children) button.removeAttribute('aria-disabled');
    say(entry.title, [provider === undefined ? 'Credential' : printable(provider), status].filter((part) => part !== undefined).join(' '));
    say(entry.code, fingerprint ?? 'many credentials');
    const facts = [
      ...(pinned.has(fingerprint) ? ['pinned by the gateway'] : []),
      `for ${duration(now - openedAt)}, since ${clockTime(openedAt, now)}`,
      scope === undefined ? counted(scopeCount, 'scope') : scopeWords({ ...scope, provider: undefined }),
      `${counted(suppressed, 'call')} not sent`,
    ];
    say(entry.facts, facts.join(' · '));
    if (fingerprint === undefined || entry.buttons.firstChild !== null) return;
    const show = make(
      'button',
      { type: 'button', class: 'plain small', 'aria-label': `Show scopes stopped by credential ${fingerprint}` },
      'Show scopes',
    );
    show.addEventListener('click', () => isOver(show) || onShow(id));
    const forgive = make(
      'button',
      { type: 'button', class: 'plain small', 'aria-label': `Forgive credential ${fingerprint}…` },
      'Forgive…',
    );
    forgive.addEventListener('click', () => isOver(forgive) || onForgive(fingerprint));
    entry.buttons.append(show, forgive);
  }

  function leave(entry) {
    say(entry.over, 'Over: ');
    for (const button of entry.buttons.children) setAttribute(button, 'aria-disabled', 'true');
  }

  function isOver(button) {
    return button.getAttribute('aria-disabled') === 'true';
  }
}
