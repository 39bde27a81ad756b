import { STATES } from './wording.js';

/**
 * `states`: none stands for all. `provider`: '' for all, '-' for work of no provider, else '=' and the name, since a name may be anything. `tenant`
 * and `text` are what was typed.
 */
export const NO_FILTER = { states: [], tenant: '', provider: '', text: '' };

/** Kept behind the #: it can be reloaded and passed on, and no server sees it. */
export function printFragment(filter) {
  const parameters = new URLSearchParams();
  if (filter.states.length > 0) parameters.set('state', filter.states.join(' '));
  for (const name of ['tenant', 'provider', 'text']) if (filter[name] !== '') parameters.set(name, filter[name]);
  return parameters.toString();
}

export function parseFragment(fragment) {
  const parameters = new URLSearchParams(fragment.replace(/^#/, ''));
  const named = (parameters.get('state') ?? '').split(' ');
  const provider = parameters.get('provider') ?? '';
  return {
    states: STATES.filter((state) => named.includes(state)),
    tenant: parameters.get('tenant') ?? '',
    provider: /^(-$|=)/.test(provider) ? provider : '',
    text: parameters.get('text') ?? '',
  };
}

export function isFiltering({ states, tenant, provider, text }) {
  return states.length > 0 || tenant !== '' || provider !== '' || text !== '';
}

/**
 * Whether a scope, with its fingerprints and its incident, is asked for, whatever its state. A tenant that is there is meant exactly; anything else that was typed, as a
 * part of a name.
 */
export function createMatcher({ tenant, provider, text }, tenants) {
  const wantedTenant = tenant.trim();
  const isExact = tenants.has(wantedTenant);
  const part = wantedTenant.toLowerCase();
  const wantedProvider = provider === '' ? undefined : { name: provider === '-' ? undefined : provider.slice(1) };
  const searched = text.trim().toLowerCase();
  return (scope, ...ids) => {
    if (wantedProvider !== undefined && scope?.provider !== wantedProvider.name) return false;
    if (wantedTenant !== '') {
      const has = scope?.tenant;
      if (has === undefined || (isExact ? has !== wantedTenant : !has.toLowerCase().includes(part))) return false;
    }
    if (searched === '') return true;
    return scope?.session?.toLowerCase().includes(searched) || ids.some((one) => one?.includes(searched));
  };
}

/** Of an entry of the timeline. What is nobody's in particular, like news of the store, is everybody's. */
export function matchesEntry(matches, { scope, fingerprint, incident }) {
  return (scope === undefined && fingerprint === undefined) || matches(scope, fingerprint, incident);
}
