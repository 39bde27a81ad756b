import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { apiKey, createLatchkey } from '../../src/index.js';
import { parseScopeKey, readScope, scopeKey, workKey } from '../../src/ledger/scope-key.js';

const RULES = { multiTenant: false, canonicalProvider: undefined };

/** Parts that mean something to somebody. */
const AWKWARD = ['|', ':', '\0', '"', "'", '-', '__proto__', 'constructor', '1:a', '\0-1:a-', '{}', 'S', 'é', ' '];

describe('scopes', () => {
  const part = fc.option(fc.oneof(fc.constantFrom(...AWKWARD), fc.string({ unit: 'binary', minLength: 1, maxLength: 6 })), {
    nil: undefined,
  });
  const parts = fc.tuple(part, part, part);

  it('case 31: two scopes share a key only if they share tenant, session and purpose', () => {
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        const same = a.every((one, index) => one === b[index]);
        expect(scopeKey(...a) === scopeKey(...b)).toBe(same);
      }),
      { numRuns: 2_000 },
    );
  });

  it('case 31: a key tells what it was made of', () => {
    fc.assert(
      fc.property(parts, ([tenant, session, purpose]) => {
        expect(parseScopeKey(scopeKey(tenant, session, purpose))).toEqual({
          ...(tenant === undefined ? {} : { tenant }),
          ...(session === undefined ? {} : { session }),
          ...(purpose === undefined ? {} : { purpose }),
        });
      }),
      { numRuns: 2_000 },
    );
  });

  it('case 31: keys of every arrangement of awkward parts differ', () => {
    const choices = [undefined, ...AWKWARD];
    const keys = choices.flatMap((tenant) => choices.flatMap((session) => choices.map((purpose) => scopeKey(tenant, session, purpose))));
    expect(new Set(keys).size).toBe(choices.length ** 3);
  });

  it('work differs by provider, and by whether it may borrow', () => {
    const scopes = [{}, { provider: 'P' }, { session: 'P' }, { provider: '-' }, { tenant: 'P' }, 'S', '!S', '!-S'];
    const keys = scopes.flatMap((scope) => [true, false].map((ownOnly) => workKey(readScope(scope, RULES, ownOnly))));
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('case 31: scopes with awkward parts never collide in slots, pins or verdicts', () => {
    const latchkey = createLatchkey({ fallback: 'none' });
    const scopes = AWKWARD.flatMap((a) =>
      ['S', ...AWKWARD].flatMap((b) => [
        { tenant: a, session: b },
        { session: a, provider: b },
      ]),
    );
    const unique = new Map(scopes.map((scope) => [JSON.stringify(scope), scope]));
    let index = 0;
    for (const scope of unique.values()) latchkey.capture(scope, apiKey(`key-${index++}`));
    index = 0;
    for (const scope of unique.values()) {
      const resolution = latchkey.resolve(scope);
      expect(resolution.ok && resolution.lease.credential.reveal()).toBe(`key-${index++}`);
    }
    index = 0;
    for (const scope of unique.values()) if (index++ % 2 === 0) latchkey.capture(scope, apiKey(`key-${index - 1}`)).settle(401);
    index = 0;
    for (const scope of unique.values()) expect(latchkey.canRun(scope)).toBe(index++ % 2 === 1);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it('a bare string is a session', () => {
    expect(readScope('S', RULES).parts).toEqual({ session: 'S' });
    expect(readScope('S', RULES).key).toBe(readScope({ session: 'S' }, RULES).key);
    expect(readScope({}, RULES).parts).toEqual({});
    expect(readScope({ tenant: undefined, session: 'S', provider: undefined, purpose: undefined }, RULES).parts).toEqual({ session: 'S' });
  });

  it('an object that names no part has to be a plain one, or it would widen the work to what the tenant lends', () => {
    const latchkey = createLatchkey();
    latchkey.capture('somebody', apiKey('somebodys'));
    class Empty {}
    const odd = [Promise.resolve({ session: 'S' }), new Date(), new Map([['session', 'S']]), new Set(), new WeakMap(), /S/, new Error('S')];
    for (const scope of [...odd, Object(1), new Empty(), Object.create({}), [], new URLSearchParams()]) {
      expect(() => latchkey.resolve(scope), String(scope)).toThrow(new TypeError('scope: must be a string or a plain object'));
      expect(() => latchkey.capture(scope, apiKey('S'))).toThrow(TypeError);
    }
    for (const scope of [{}, Object.create(null), runInNewContext('({})'), { session: undefined }]) {
      const resolution = latchkey.resolve(scope);
      expect(resolution.ok && resolution.lease.credential.reveal()).toBe('somebodys');
    }
  });

  it('whose it is may be told by an object of a class, too', () => {
    class Own {
      readonly session: string | undefined;
      constructor(session: string | undefined) {
        this.session = session;
      }
    }
    class Derived {
      get tenant(): string {
        return 'T';
      }
    }
    expect(readScope(new Own('S'), RULES).parts).toEqual({ session: 'S' });
    expect(readScope(new Own(undefined), RULES).parts).toEqual({});
    expect(readScope(new Derived(), RULES).parts).toEqual({ tenant: 'T' });
    expect(readScope(Object.create({ session: 'S' }), RULES).parts).toEqual({ session: 'S' });
    expect(readScope(runInNewContext('({ session: "S" })'), RULES).parts).toEqual({ session: 'S' });
  });

  it('names have 1,024 characters at most', () => {
    const longest = 'n'.repeat(1_024);
    expect(readScope(longest, RULES).session).toBe(longest);
    expect(readScope({ tenant: longest, purpose: longest }, RULES).parts).toEqual({ tenant: longest, purpose: longest });
    expect(() => readScope(`${longest}n`, RULES)).toThrow(TypeError);
  });

  it('the provider is folded, and is no part of the key', () => {
    const rules = { multiTenant: false, canonicalProvider: (name: string) => name.toLowerCase() };
    expect(readScope({ session: 'S', provider: 'P' }, rules).provider).toBe('p');
    expect(readScope({ session: 'S', provider: 'P' }, rules).key).toBe(scopeKey(undefined, 'S'));
  });
});
