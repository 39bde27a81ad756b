import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { safeNext } from '../../src/signals/index.js';
import { LONG_MS } from '../property/runs.js';

/** An open redirect needs one input only: a hundred thousand where it counts. */
const RUNS = { numRuns: process.env['CI'] ? 100_000 : 10_000 };

const ORIGINS = ['http://gateway.test', 'https://gateway.test:8443', 'http://127.0.0.1:8080'];

/** What a hostile `next` is made of. */
const FRAGMENTS = [
  ...[
    '/',
    '//',
    '\\',
    '%5C',
    '%5c',
    '%2F',
    '%2f',
    '%252F',
    '%255C',
    '.',
    '..',
    '%2e',
    '%2E%2e',
    '%252e',
    ';',
    '?',
    '#',
    '%3F',
    '%23',
    '@',
    ':',
  ],
  ...[
    '\t',
    '\n',
    '\r',
    '\0',
    '\x7f',
    '%09',
    '%0A',
    '%0d',
    '%00',
    '%7F',
    '%zz',
    '%',
    '%C0%AF',
    '%E0%80%AF',
    '\ud800',
    '\u2028',
    '／',
    '＼',
    '。',
    ' ',
  ],
  ...[
    'login',
    'LOGIN',
    '%6cogin',
    'auth',
    'api',
    'api/auth',
    'gw',
    '/gw',
    'sessions',
    'evil.com',
    'https://evil.com',
    'javascript:',
    'é',
    '日本',
    '&next=',
  ],
];
const target = fc.oneof(
  { weight: 6, arbitrary: fc.array(fc.constantFrom(...FRAGMENTS), { maxLength: 9 }).map((parts) => `/${parts.join('')}`) },
  { weight: 2, arbitrary: fc.array(fc.constantFrom(...FRAGMENTS), { maxLength: 9 }).map((parts) => parts.join('')) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }).map((text) => `/${text}`) },
  { weight: 1, arbitrary: fc.webUrl({ withFragments: true, withQueryParameters: true }) },
);
const options = fc.constantFrom(undefined, { prefix: '/gw' }, { prefix: '/gw', loginPath: '/sessions' });

describe('safeNext, on anything', () => {
  it(
    'what it accepts stays on the origin, and passes again, path and all',
    () => {
      let accepted = 0;
      fc.assert(
        fc.property(target, options, (text, given) => {
          const next = safeNext(text, given);
          if (next === '') return;
          accepted++;
          expect(next).toMatch(/^\/[\x21-\x7e]*$/);
          expect(safeNext(next, given)).toBe(next);
          for (const origin of ORIGINS) {
            const url = new URL(next, origin);
            expect(url.origin).toBe(origin);
            expect(url.pathname + url.search).toBe(next);
            expect(safeNext(url.pathname, given)).toBe(url.pathname);
            // As it was given, too: a caller may only ask whether it passes.
            expect(new URL(text, origin).origin).toBe(origin);
            expect(safeNext(new URL(text, origin).pathname, given)).toBe(url.pathname);
          }
        }),
        RUNS,
      );
      // Otherwise this has tried nothing.
      expect(accepted).toBeGreaterThan(RUNS.numRuns / 20);
    },
    LONG_MS,
  );

  it(
    'what it accepts leads to no login and no API, whether or not a server decodes it before it routes',
    () => {
      fc.assert(
        fc.property(target, (text) => {
          const next = safeNext(text);
          if (next === '') return;
          const path = new URL(next, ORIGINS[0]).pathname;
          for (const form of [path, decodeURIComponent(path)]) {
            expect(form).not.toMatch(/^\/(?:login|auth|api)(?:[/?#;]|$)/i);
            expect(form).not.toMatch(/^\/[/\\]/);
          }
        }),
        RUNS,
      );
    },
    LONG_MS,
  );

  it(
    'it never throws, whatever it is given',
    () => {
      fc.assert(
        fc.property(
          fc.oneof(fc.anything({ withBigInt: true, withNullPrototype: true, withSparseArray: true }), target),
          fc.anything(),
          (text, prefix) => {
            expect(typeof safeNext(text, { prefix } as { prefix: string })).toBe('string');
          },
        ),
        RUNS,
      );
    },
    LONG_MS,
  );
});
