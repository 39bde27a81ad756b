import fc from 'fast-check';
import { tagHeaders, tagTrailers, UPSTREAM_AUTH_FAILED } from '../../../src/signals/upstream-tag.js';
import { require, within } from '../ground.js';
import { mutated } from '../mutate.js';
import { target } from '../target.js';

const anyName = mutated([
  'X-Upstream-Auth-Failed',
  'x-upstream-auth-failed ',
  'Set-Cookie',
  'WWW-Authenticate',
  'Connection',
  'Trailer',
  'Access-Control-Expose-Headers',
  '__proto__',
  'constructor',
  'Clear-Site-Data',
]);
const anyValue = mutated(['1', 'X-Upstream-Auth-Failed, close', 'a=b; Path=/', 'no-store', 'Bearer', '*', ',,']);
const anyPairs = fc.array(fc.tuple(anyName, anyValue), { maxLength: 8 });
const isTag = (name: string): boolean => name.trim().toLowerCase() === UPSTREAM_AUTH_FAILED.toLowerCase();

export const signalsTarget = target({
  name: 'upstream headers and trailers: the tag',
  share: 3,
  input: fc.record({
    pairs: anyPairs,
    raw: fc.boolean(),
    status: fc.constantFrom(200, 302, 401, 403, 500),
    setCookies: fc.option(fc.array(mutated(['a=b; Path=/', 'a\r\nb'])), { nil: undefined }),
    at: mutated(['https://user:pass@a.example/x?y', '/x?y']),
  }),
  check({ pairs, raw, status, setCookies, at }) {
    const source = raw ? pairs.flat() : Object.fromEntries(pairs);
    const heard: unknown[] = [];
    const tagged = within(() => tagHeaders(status, source, { setCookies, target: at, log: (failure) => heard.push(failure) }));
    if (tagged !== undefined) {
      const tags = Object.entries(tagged).filter(([name]) => isTag(name));
      const isFailure = status === 401 || status === 403;
      require(tags.length === (isFailure ? 1 : 0) && tags.every(([, value]) => value === '1'), `tagged ${tags.length} times on ${status}`);
      const removed = [tagged['Connection'], tagged['connection']].flat().join(',').split(',');
      require(!removed.some(isTag), 'the next proxy would take the tag off');
      const names = Object.keys(tagged).map((name) => name.trim().toLowerCase());
      require(!isFailure ||
        (!names.includes('www-authenticate') && !names.includes('clear-site-data')), 'it would open a dialog, or sign out');
      require(heard.length === (isFailure ? 1 : 0), `heard ${heard.length} times`);
    }
    const trailers = within(() => tagTrailers(source)) ?? {};
    require(!Object.keys(trailers).some(isTag), 'the trailers bring a tag');
  },
});
