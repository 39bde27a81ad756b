import { make, makeShape, say } from './elements.js';
import { createKeyedList } from './keyed-list.js';
import { clockTime, counted, duration, printable } from './wording.js';

/** The open incidents, the latest first. `onShow` and `onForgive` get a fingerprint. */
export function createIncidentItems(list, { timeNow, onShow, onForgive }) {
  const items = createKeyedList(list, { keyOf: ({ id }) => id, create, update, holds: true });
  return { show: (incidents) => items.show([...incidents].sort((one, other) => other.openedAt - one.openedAt)) };

  function create() {
    const entry = {
      node: make('li', { class: 'incident' }),
      title: make('strong'),
      facts: make('span'),
      code: make('span', { class: 'code' }),
    };
    entry.id = make('span', { class: 'quiet' });
    const text = make('p', {}, makeShape('blocked'), entry.title, ' ', entry.code, ' ', entry.facts, ' ', entry.id);
    entry.buttons = make('span', { class: 'buttons' });
    entry.node.append(text, entry.buttons);
    return entry;
  }

  function update(entry, { id, provider, fingerprint, status, openedAt, scopeCount, suppressed }) {
    const now = timeNow();
    say(entry.title, [provider === undefined ? 'Credential' : printable(provider), status].filter((part) => part !== undefined).join(' '));
    say(entry.code, fingerprint ?? 'many credentials');
    const facts = [
      `for ${duration(now - openedAt)}, since ${clockTime(openedAt, now)}`,
      counted(scopeCount, 'scope'),
      `${counted(suppressed, 'call')} not sent`,
    ];
    say(entry.facts, facts.join(' · '));
    say(entry.id, `incident ${printable(id)}`);
    if (fingerprint === undefined || entry.buttons.firstChild !== null) return;
    const show = make(
      'button',
      { type: 'button', class: 'plain small', 'aria-label': `Show scopes with credential ${fingerprint}` },
      'Show scopes',
    );
    show.addEventListener('click', () => onShow(fingerprint));
    const forgive = make(
      'button',
      { type: 'button', class: 'plain small', 'aria-label': `Forgive credential ${fingerprint}…` },
      'Forgive…',
    );
    forgive.addEventListener('click', () => onForgive(fingerprint));
    entry.buttons.append(show, forgive);
  }
}
