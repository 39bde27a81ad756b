import { createMatcher } from './filter.js';
import { STATES } from './wording.js';

const RANKS = new Map(STATES.map((state, rank) => [state, rank]));

/** What a filter leaves of all rows, the worst first, how many it leaves of each state, and what a filter could be made of. */
export function selectRows(rows, filter) {
  const tenants = new Set();
  const providers = new Set();
  const purposes = new Set();
  for (const { scope } of rows.values()) {
    if (scope.tenant !== undefined) tenants.add(scope.tenant);
    if (scope.purpose !== undefined) purposes.add(scope.purpose);
    providers.add(scope.provider);
  }
  const matches = createMatcher(filter, tenants);
  const counts = Object.fromEntries(STATES.map((state) => [state, { left: 0, all: 0 }]));
  const selected = [];
  for (const row of rows.values()) {
    const count = counts[row.state];
    count.all++;
    if (!matches(row.scope, row.fingerprint, row.lent, row.incident)) continue;
    count.left++;
    if (filter.states.length === 0 || filter.states.includes(row.state)) selected.push(row);
  }
  return { selected: selected.sort(compareRows), counts, matches, tenants, providers, hasPurposes: purposes.size > 0 };
}

/** The worst first, then what happened last; the key decides for the rest, so that nothing moves without a reason. */
export function compareRows(one, other) {
  return (
    RANKS.get(one.state) - RANKS.get(other.state) ||
    (other.refreshingSince ?? other.since ?? 0) - (one.refreshingSince ?? one.since ?? 0) ||
    (one.key < other.key ? -1 : one.key > other.key ? 1 : 0)
  );
}

/** One page of a list; a page that is no longer there stands for the last one. */
export function pageOf(items, page, size) {
  const last = Math.max(0, Math.ceil(items.length / size) - 1);
  const shown = Math.min(Math.max(0, page), last);
  return { page: shown, last, first: shown * size, items: items.slice(shown * size, (shown + 1) * size) };
}

/** The keys in their order, but those that are held stay at the place where they are: `held` is their place by key. */
export function placeHeld(keys, held) {
  const placed = keys.filter((key) => !held.has(key));
  for (const [key, place] of [...held].sort(([, one], [, other]) => one - other)) placed.splice(place, 0, key);
  return placed;
}
