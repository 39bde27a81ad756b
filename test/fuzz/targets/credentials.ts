import fc from 'fast-check';
import { apiKey, bearer } from '../../../src/credential/credential.js';
import { jwtExpiry } from '../../../src/credential/jwt.js';
import { PLAIN_SECRET, require, requireNoSecret, SECRET, within } from '../ground.js';
import { mutated } from '../mutate.js';
import { target } from '../target.js';
import { anyHostile } from '../values.js';

const part = (value: string): string => Buffer.from(value).toString('base64url');
const anyClaims = mutated([
  '{"exp":1767225600}',
  '{"exp":1767225600000,"sub":"a"}',
  '{"exp":"soon"}',
  '{"exp":-1}',
  '{"exp":1e300}',
  '[]',
  '{"exp":{"exp":1}}',
]);
const anyToken = fc.oneof(
  mutated([SECRET, PLAIN_SECRET, `${PLAIN_SECRET} `, 'ey.ey.ey']),
  anyClaims.map((claims) => `${part('{"alg":"none"}')}.${part(claims)}.${PLAIN_SECRET}`),
  mutated([`${part('{"alg":"none"}')}.${part('{"exp":1767225600}')}.${PLAIN_SECRET}`]),
);
const anyOptions = fc.oneof(
  fc.constant(() => undefined),
  fc
    .tuple(
      fc.constantFrom('expiresAt', 'header', 'expires', '__proto__'),
      fc.oneof(
        anyHostile(),
        fc.double().map((value) => () => value),
      ),
    )
    .map(
      ([name, make]) =>
        () =>
          Object.defineProperty({}, name, { value: make(), enumerable: true }),
    ),
  anyHostile(),
);

export const credentialsTarget = target({
  name: 'credentials: values, options, JWTs',
  share: 4,
  input: fc.record({
    token: fc.oneof({ weight: 6, arbitrary: anyToken.map((text) => () => text) }, { weight: 1, arbitrary: anyHostile() }),
    options: anyOptions,
  }),
  check({ token, options }) {
    for (const make of [bearer, apiKey]) {
      const credential = within(() => make(token() as string, options() as never), 'passed on');
      if (credential === undefined) continue;
      require(/^[0-9a-f]{16}$/.test(credential.fingerprint), 'no fingerprint');
      require(credential.expiresAt === undefined || credential.expiresAt >= 1e11, 'an absurd end');
      require(Object.keys(credential.headers()).length === 1, 'not one header');
      requireNoSecret('a credential', [credential, `${credential}`, JSON.stringify({ credential })]);
    }
    const value = token();
    const expiresAt = typeof value === 'string' ? within(() => jwtExpiry(value)) : undefined;
    require(expiresAt === undefined ||
      (Number.isInteger(expiresAt) && expiresAt > 0 && expiresAt <= 8.64e15), `a JWT ends at ${expiresAt}`);
  },
});
