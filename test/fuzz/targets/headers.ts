import fc from 'fast-check';
import { bearer } from '../../../src/credential/credential.js';
import { credentialFromHeaders, credentialProblem } from '../../../src/credential/headers.js';
import { presentedValues } from '../../../src/guard/presented.js';
import { verifyBearer } from '../../../src/guard/verify-bearer.js';
import { isLatchkeyError } from '../../../src/index.js';
import { firstOf } from '../../../src/sources/chain.js';
import { fromOverrideHeader } from '../../../src/sources/sources.js';
import { ended, PLAIN_SECRET, require, requireNoSecret, SECRET, within } from '../ground.js';
import { mutated } from '../mutate.js';
import { target } from '../target.js';
import { anyHostile } from '../values.js';

const anyName = mutated([
  'authorization',
  'Authorization',
  'x-api-key',
  'X-Goog-Api-Key',
  'api-key',
  'cookie',
  'x-upstream-authorization',
  '__proto__',
]);
const anyValue = mutated([
  `Bearer ${PLAIN_SECRET}`,
  `bearer\t ${PLAIN_SECRET}`,
  PLAIN_SECRET,
  SECRET,
  'Basic dXNlcjpwYXNz',
  'Bearer',
  '',
  'Digest username="a"',
  'Bearer a, Bearer b',
]);
const anyPairs = fc.array(fc.tuple(anyName, fc.oneof(anyValue, fc.array(anyValue, { maxLength: 3 }))), { maxLength: 4 });

/** As plain objects, as `Headers` where these will have them, as raw lists, and as what nobody has thought of. */
const anyHeaders: fc.Arbitrary<() => unknown> = fc.oneof(
  anyPairs.map((pairs) => () => Object.fromEntries(pairs)),
  anyPairs.map((pairs) => () => {
    const headers = new Headers();
    for (const [name, value] of pairs) {
      try {
        for (const one of [value].flat()) headers.append(name, one);
      } catch {}
    }
    return headers;
  }),
  anyHostile(),
);

const TOKEN = bearer(PLAIN_SECRET);
const chain = firstOf([fromOverrideHeader()]);

export const headersTarget = target({
  name: 'headers: presented credentials',
  share: 4,
  input: fc.record({
    headers: anyHeaders,
    raw: fc.option(anyPairs, { nil: undefined }),
    names: fc.option(fc.array(fc.oneof(anyName, fc.constant(7 as never))), { nil: undefined }),
  }),
  async check({ headers: make, raw, names }) {
    const headers = make() as never;
    const options = names === undefined ? undefined : { headers: names };
    const credential = within(() => credentialFromHeaders(headers, options));
    const problem = within(() => credentialProblem(make() as never, options));
    if (names === undefined) {
      require((credential === undefined) !== (problem === undefined), 'neither a credential nor a problem, or both');
      const sent = credential?.headers() ?? {};
      require(Object.values(sent).every((value) => /^[\x21-\x7e]+(?: [\x21-\x7e]+)?$/.test(value)), 'a value that no header can carry');
    }
    requireNoSecret('a credential', [credential, String(credential), JSON.stringify(credential)]);
    const request = { headers, ...(raw && { rawHeaders: raw.flat(2) }), method: 'GET', url: '/' } as never;
    for (const name of ['authorization', 'host'])
      require(presentedValues(request, name).every((value) => typeof value === 'string'), 'no text');
    requireNoSecret('a verification', verifyBearer(request, TOKEN));
    const asked = chain.resolve({ headers } as never);
    requireNoSecret('an override', await ended(asked, 'passed on'));
    require(within(() => isLatchkeyError(make())) === false, 'not one of ours');
  },
});
