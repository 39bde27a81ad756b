import fc from 'fast-check';
import { bearer } from '../../../src/credential/credential.js';
import { challengeError, classify } from '../../../src/policy/classify.js';
import { outcomeOfResponse } from '../../../src/policy/outcome.js';
import { retryAfter } from '../../../src/policy/retry-after.js';
import { require, within } from '../ground.js';
import { Subject } from '../healthy.js';
import { mutated } from '../mutate.js';
import { target } from '../target.js';

const NOW = Date.UTC(2026, 0, 1);
const anyTime = mutated([
  '120',
  '0',
  '1.5',
  '1767225600',
  '1767225600000',
  'Thu, 01 Jan 2026 00:05:00 GMT',
  'Thursday, 01-Jan-26 00:05:00 GMT',
  'Thu Jan  1 00:05:00 2026',
  '2026-01-01T00:05:00Z',
  '5m',
  '1s',
  '-5',
  '',
]);
const anyChallenge = mutated([
  'Bearer realm="a", error="insufficient_scope", scope="b c"',
  'Bearer error="invalid_token", error_description="the token has insufficient_scope"',
  'Bearer error=insufficient_scope',
  'Basic realm="a, error=insufficient_scope", Bearer error = "invalid_token"',
  'Bearer error="in\\"sufficient',
]);
const anyHeaders = fc.record(
  {
    'retry-after': anyTime,
    'retry-after-ms': anyTime,
    'www-authenticate': anyChallenge,
    date: anyTime,
    'x-expires': anyTime,
    'x-ratelimit-reset': anyTime,
  },
  { requiredKeys: [] },
);

const subject = new Subject({ expiry: { header: 'X-Expires' }, clock: { now: () => NOW }, limits: { identities: 100 } });

export const timesTarget = target({
  name: 'times and challenges: Retry-After, rate limits, expiry and Date headers, WWW-Authenticate',
  share: 5,
  input: fc.record({ headers: anyHeaders, status: fc.constantFrom(200, 401, 402, 403, 429, 503) }),
  check({ headers, status }) {
    const outcome = outcomeOfResponse({ status, headers });
    const pause = within(() => retryAfter(outcome, NOW));
    require(pause === undefined || (Number.isFinite(pause) && pause >= 0), `a pause of ${pause} ms`);
    const error = within(() => challengeError(headers['www-authenticate']));
    require(error === undefined || typeof error === 'string', 'no text');
    const classified = within(() => classify(outcome, {}, NOW));
    if (classified?.kind === 'held') require(Number.isFinite(classified.ms) && classified.ms >= 0, `a hold of ${classified.ms} ms`);
    const scope = { session: 's', provider: 'p' };
    const { latchkey } = subject;
    latchkey.capture(scope, bearer('some-token'));
    latchkey.forgive(scope);
    const found = latchkey.resolve(scope);
    if (found.ok) {
      const verdict = within(() => found.lease.settle({ status, headers }));
      if (verdict?.state === 'held') require(Number.isFinite(verdict.until) && verdict.until >= NOW, `held until ${verdict.until}`);
    }
    const { since, next } = latchkey.status(scope);
    for (const moment of [since, next]) require(moment === undefined || Number.isFinite(moment), `a moment of ${moment}`);
    require(latchkey.canRun(scope) === latchkey.resolve(scope).ok, 'canRun is not resolve().ok');
    subject.requireSnapshot();
    // What it says of its end is not to be met by the next.
    latchkey.evict('s');
  },
});
