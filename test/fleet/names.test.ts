import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Names } from '../../src/fleet/names.js';

const KEY = new Uint8Array(32).fill(7);
const names = new Names(KEY, 'app');

describe('Names', () => {
  it('are 32 hex digits, the same for the same parts, for as long as there are stores that hold them', () => {
    expect(names.session('t', 's')).toMatch(/^[0-9a-f]{32}$/);
    expect(new Names(Uint8Array.from(KEY), 'app').session('t', 's')).toBe(names.session('t', 's'));
    // Made any other way they would not find what an older version of the package has stored.
    const spelt = Buffer.from('8:identity3:app9:anthropic16:0123456789abcdef', 'utf16le');
    const name = createHmac('sha256', KEY).update(spelt).digest('hex').slice(0, 32);
    expect(names.identity('anthropic', '0123456789abcdef')).toBe(name);
  });

  it('depend on the key and on the namespace', () => {
    const others = [new Names(new Uint8Array(32).fill(8), 'app'), new Names(KEY, 'app2'), new Names(KEY, '')];
    const all = [names, ...others].map((each) => each.tenant('t'));
    expect(new Set(all).size).toBe(4);
  });

  it('never meet, whatever the kind and the parts', () => {
    const part = fc.option(fc.oneof(fc.string({ unit: 'binary', maxLength: 4 }), fc.constantFrom('', '-', '1:a', '-1:', 'undefined')), {
      nil: undefined,
    });
    const text = fc.oneof(fc.string({ maxLength: 4 }), fc.constantFrom('', '-', '\0-1:a-', 'canary', 'incident'));
    const call = fc.oneof(
      fc.record({ kind: fc.constantFrom('session', 'pin'), a: part, b: part }),
      fc.record({ kind: fc.constant('identity'), a: part, b: text }),
      fc.record({ kind: fc.constantFrom('tenant', 'provider'), a: part, b: fc.constant(undefined) }),
      fc.record({ kind: fc.constant('scope'), a: text, b: fc.constant(undefined) }),
      fc.record({ kind: fc.constantFrom('canary', 'incident'), a: text, b: fc.constant(undefined) }),
    );
    type Asked = { readonly kind: string; readonly a: string | undefined; readonly b: string | undefined };
    const name = ({ kind, a, b }: Asked): string => {
      if (kind === 'session') return names.session(a, b);
      if (kind === 'pin') return names.pin(a, b);
      if (kind === 'identity') return names.identity(a, b ?? '');
      if (kind === 'tenant') return names.tenant(a);
      if (kind === 'provider') return names.provider(a);
      if (kind === 'scope') return names.scope(a ?? '');
      return names.lock(kind as 'canary' | 'incident', a ?? '');
    };
    const same = (x: Asked, y: Asked): boolean => x.kind === y.kind && x.a === y.a && x.b === y.b;
    fc.assert(
      fc.property(call, call, (x, y) => {
        expect(name(x) === name(y)).toBe(same(x, y));
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['the border between parts moves', names.session('ab', 'c'), names.session('a', 'bc')],
    ['a part pretends to be two', names.session('a', undefined), names.session('a-', undefined)],
    ['nothing is not the empty text', names.tenant(undefined), names.tenant('')],
    ['nothing is not a dash', names.tenant(undefined), names.tenant('-')],
    ['lone surrogates are told apart', names.session('t', '\ud800'), names.session('t', '\udbff')],
    ['a lone surrogate is not its replacement', names.session('t', '\ud800'), names.session('t', '\ufffd')],
    ['locks of one identity', names.lock('canary', 'n'), names.lock('incident', 'n')],
  ])('%s', (_, one, other) => {
    expect(one).not.toBe(other);
  });

  it('keep nothing of what they name', () => {
    const name = names.session('tenant', 'session');
    expect(name).not.toContain(Buffer.from('session').toString('hex'));
    expect(JSON.stringify(names)).toBe('{}');
  });
});
