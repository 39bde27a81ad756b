import { byId, make, makeShape, say, setAttribute } from './elements.js';
import { isFiltering, NO_FILTER, parseFragment, printFragment } from './filter.js';
import { grouped, printable, STATES, stateWords } from './wording.js';

/** A browser slows down over longer lists of suggestions; what is not suggested can be typed. */
const MOST_SUGGESTED = 200;

/** The controls that say which scopes are shown, and how many there are in each state. */
export function createFilterBar({ onChange }) {
  const [tenant, provider, text] = ['tenant', 'provider', 'text'].map(byId);
  let filter = parseFragment(location.hash);
  let providersShown;
  let tenantsShown;

  const toggles = STATES.map((state) => {
    const count = make('span', { class: 'count' }, '0');
    const whole = make('span', { class: 'quiet whole' });
    const button = make('button', { type: 'button', class: 'state', 'data-state': state, 'aria-pressed': 'false' });
    button.append(makeShape(state), count, whole, make('span', { class: 'word' }, stateWords(state)));
    button.addEventListener('click', () => {
      const states = STATES.filter((one) => filter.states.includes(one) !== (one === state));
      change({ ...filter, states });
    });
    byId('states').append(button);
    return { state, button, count, whole };
  });

  function change(next) {
    filter = next;
    const fragment = printFragment(filter);
    history.replaceState(null, '', fragment === '' ? location.pathname + location.search : `#${fragment}`);
    fill();
    onChange();
  }

  function fill() {
    for (const { state, button } of toggles) setAttribute(button, 'aria-pressed', String(filter.states.includes(state)));
    if (tenant.value !== filter.tenant) tenant.value = filter.tenant;
    if (text.value !== filter.text) text.value = filter.text;
    provider.value = filter.provider;
    byId('clear').hidden = !isFiltering(filter);
  }

  tenant.addEventListener('input', () => change({ ...filter, tenant: tenant.value }));
  text.addEventListener('input', () => change({ ...filter, text: text.value }));
  provider.addEventListener('change', () => change({ ...filter, provider: provider.value }));
  byId('filters').addEventListener('submit', (event) => event.preventDefault());
  byId('clear').addEventListener('click', () => {
    change(NO_FILTER);
    // The button hides itself.
    text.focus();
  });
  addEventListener('hashchange', () => change(parseFragment(location.hash)));

  /** Options are only made anew when they have changed: an open list would close. */
  function offerProviders(providers) {
    const names = [...providers].filter((name) => name !== undefined).sort();
    const values = ['', ...names.map((name) => `=${name}`), ...(providers.has(undefined) ? ['-'] : [])];
    if (!values.includes(filter.provider)) values.push(filter.provider);
    const key = JSON.stringify(values);
    if (key === providersShown) return;
    providersShown = key;
    provider.replaceChildren(...values.map((value) => make('option', { value }, providerWords(value))));
    provider.value = filter.provider;
  }

  function offerTenants(tenants) {
    const typed = filter.tenant.trim().toLowerCase();
    const names = [...tenants].filter((name) => name.toLowerCase().includes(typed)).sort();
    const key = JSON.stringify(names.slice(0, MOST_SUGGESTED));
    byId('tenant-field').hidden = tenants.size === 0 && filter.tenant === '';
    if (key === tenantsShown) return;
    tenantsShown = key;
    byId('tenants').replaceChildren(...names.slice(0, MOST_SUGGESTED).map((value) => make('option', { value })));
  }

  fill();
  return {
    get filter() {
      return filter;
    },
    change,
    show({ counts, tenants, providers }) {
      for (const { state, count, whole } of toggles) {
        const { left, all } = counts[state];
        say(count, grouped(left));
        // What a filter hides is there all the same.
        say(whole, left === all ? '' : `of ${grouped(all)}`);
      }
      offerProviders(providers);
      offerTenants(tenants);
    },
  };
}

function providerWords(value) {
  if (value === '') return 'all';
  return value === '-' ? '(no provider)' : printable(value.slice(1));
}
