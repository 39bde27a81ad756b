import { describe, expect, it } from 'vitest';
import { readScope, type Scope } from '../../src/ledger/scope-key.js';

const RULES = { multiTenant: false, canonicalProvider: undefined };
const MULTI = { ...RULES, multiTenant: true };
const read = (scope: unknown, rules: Parameters<typeof readScope>[1] = RULES): unknown => readScope(scope as Scope, rules).parts;
const NO_SCOPE = 'scope: must be a string or a plain object';
const LONGEST = 'x'.repeat(1_024);

class Work {
  get provider(): string {
    return 'p';
  }
}

describe('a mistake in a scope is named', () => {
  const PARTS = ['tenant', 'session', 'provider', 'purpose'];
  const CASES: [string, unknown, string][] = [
    ...PARTS.flatMap((part): [string, unknown, string][] => [
      [`an empty ${part}`, { [part]: '' }, `scope: \`${part}\` is empty`],
      [`a ${part} that is no string`, { [part]: 5 }, `scope: \`${part}\` must be a string`],
      [`a ${part} that is null`, { [part]: null }, `scope: \`${part}\` must be a string`],
      [`a ${part} that is too long`, { [part]: `${LONGEST}x` }, `scope: \`${part}\` is longer than 1024 characters; give a digest of it`],
    ]),
    ['an empty string', '', 'scope: `session` is empty'],
    ['a string that is too long', `${LONGEST}x`, 'scope: `session` is longer than 1024 characters; give a digest of it'],
    ['a mistyped part', { sesion: 's' }, 'scope: unknown part `sesion`'],
    ['a mistyped part beside others', { session: 's', purpos: undefined }, 'scope: unknown part `purpos`'],
    ['null', null, NO_SCOPE],
    ['nothing', undefined, NO_SCOPE],
    ['a number', 5, NO_SCOPE],
    ['a function', () => 's', NO_SCOPE],
    ['a list', ['s'], NO_SCOPE],
    ['a map', new Map(), NO_SCOPE],
    ['a promise that was not awaited', Promise.resolve({ session: 's' }), NO_SCOPE],
    ['a date', new Date(0), NO_SCOPE],
  ];
  it.each(CASES)('%s', (_, scope, message) => {
    expect(() => read(scope)).toThrow(new TypeError(message));
  });

  it.each(['s', { session: 's' }, {}])('no tenant where there are several: %o', (scope) => {
    expect(() => read(scope, MULTI)).toThrow(new TypeError("scope: `tenant` is required with `tenancy: 'multi'`"));
    expect(read(scope)).toEqual(scope === 's' ? { session: 's' } : scope);
  });
});

describe('no mistake is', () => {
  it.each<[string, unknown, object]>([
    ['the longest session', LONGEST, { session: LONGEST }],
    ['the longest purpose', { purpose: LONGEST }, { purpose: LONGEST }],
    ['a part that is undefined', { session: 's', tenant: undefined, provider: undefined, purpose: undefined }, { session: 's' }],
    ['work of no session', {}, {}],
    ['an object without a prototype', Object.assign(Object.create(null), { tenant: 't' }), { tenant: 't' }],
    ['an object that is made of a class with parts', new Work(), { provider: 'p' }],
  ])('%s', (_, scope, parts) => {
    expect(read(scope)).toEqual(parts);
  });

  it('a provider by another of its names', () => {
    const rules = { ...RULES, canonicalProvider: (name: string) => name.toLowerCase() };
    expect(read({ provider: 'P', session: 'S' }, rules)).toEqual({ provider: 'p', session: 'S' });
    expect(read({ session: 'S' }, rules)).toEqual({ session: 'S' });
  });

  it('a scope is not asked to have a credential of its own unless told so', () => {
    expect([readScope('s', RULES).ownOnly, readScope({ session: 's' }, RULES).ownOnly]).toEqual([false, false]);
    expect([readScope('s', RULES, true).ownOnly, readScope({ session: 's' }, RULES, true).ownOnly]).toEqual([true, true]);
  });
});
