import { make, say } from './elements.js';
import { matchesEntry } from './filter.js';
import { createKeyedList } from './keyed-list.js';
import { clockTime, EVENT_WORDS, entryDetail, scopeWords } from './wording.js';

const MOST_SHOWN = 200;

/** What has happened, the latest first. */
export function createTimelineItems(list, { timeNow }) {
  // It scrolls by itself in a wide window, and not every browser lets a keyboard in there.
  list.setAttribute('tabindex', '0');
  const items = createKeyedList(list, { keyOf: ({ id }) => id, create, update });

  function create() {
    const time = make('time');
    return { node: make('li', {}, time), time, isFilled: false };
  }

  function update(entry, { at, event, scope, ...rest }) {
    say(entry.time, clockTime(at, timeNow()));
    // The rest never changes.
    if (entry.isFilled) return;
    entry.isFilled = true;
    entry.time.setAttribute('datetime', new Date(at).toISOString());
    const detail = entryDetail(rest);
    entry.node.setAttribute('data-event', event);
    entry.node.append(
      make('strong', {}, EVENT_WORDS[event] ?? event),
      make(
        'span',
        { class: 'about' },
        scope === undefined ? '' : scopeWords(scope),
        detail === '' ? '' : make('span', { class: 'quiet' }, detail),
      ),
    );
  }

  return {
    /** Returns how many are shown. */
    show(timeline, matches) {
      const shown = [];
      for (let at = timeline.length - 1; at >= 0 && shown.length < MOST_SHOWN; at--) {
        if (matchesEntry(matches, timeline[at])) shown.push(timeline[at]);
      }
      items.show(shown);
      return shown.length;
    },
  };
}
