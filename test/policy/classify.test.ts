import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Classification } from '../../src/policy/classification.js';
import { challengeError, classify } from '../../src/policy/classify.js';
import { isNetworkCode, type Outcome, outcomeOfError, outcomeOfResponse } from '../../src/policy/outcome.js';
import { DEFAULT_HOLD_MS, retryAfter } from '../../src/policy/retry-after.js';
import { START } from '../support/clock.js';
import { hostile } from './hostile.js';

const judge = (outcome: Outcome): Classification => classify(outcome, {}, START);
const http = (status: number, headers?: Record<string, string>): Outcome => outcomeOfResponse({ status, headers });

const ACCEPTED = { kind: 'accepted' };
const REJECTED = { kind: 'rejected', reach: 'identity' };
const REJECTED_FOR_SCOPE = { kind: 'rejected', reach: 'scope' };
const DENIED = { kind: 'denied' };
const TRANSIENT = { kind: 'transient' };
const NONE = { kind: 'none' };

/** Every status there is, and what HTTP says of it. */
function expected(status: number): object {
  if ((status >= 200 && status <= 299) || status === 304) return ACCEPTED;
  if (status === 401) return REJECTED;
  if (status === 402) return { kind: 'held', ms: DEFAULT_HOLD_MS, reason: 'payment required' };
  if (status === 403) return REJECTED_FOR_SCOPE;
  if ([408, 425, 429].includes(status) || (status >= 500 && status <= 599)) return TRANSIENT;
  return NONE;
}

describe('classify: by status', () => {
  it('every status from 100 to 599 has its rule', () => {
    for (let status = 100; status <= 599; status++) expect({ status, is: judge(http(status)) }).toEqual({ status, is: expected(status) });
  });

  it.each([200, 204, 299, 304])('%i is accepted', (status) => expect(judge(http(status))).toEqual(ACCEPTED));
  it.each([408, 425, 429, 500, 502, 503, 504, 529, 599])('%i is transient', (status) => expect(judge(http(status))).toEqual(TRANSIENT));
  it.each([100, 301, 302, 307, 400, 404, 405, 407, 409, 410, 413, 415, 422, 451])('%i says nothing', (status) =>
    expect(judge(http(status))).toEqual(NONE),
  );
  it.each([0, -1, 1, 99, 600, 999, 401.5, Number.NaN, Number.POSITIVE_INFINITY])('%d, which is no status, says nothing', (status) =>
    expect(judge(http(status))).toEqual(NONE),
  );

  it('without a status, a code or a time-out nothing is said', () => expect(judge({})).toEqual(NONE));
});

describe('classify: without an answer', () => {
  it.each(['ECONNRESET', 'ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EPIPE', 'UND_ERR_SOCKET', 'UND_ERR_CONNECT_TIMEOUT'])(
    '%s is transient',
    (code) => {
      expect(isNetworkCode(code)).toBe(true);
      expect(judge({ code })).toEqual(TRANSIENT);
    },
  );
  it.each(['ERR_INVALID_URL', 'CERT_HAS_EXPIRED', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'ENOENT', '', 'econnreset', '__proto__'])(
    '%j is not',
    (code) => expect(judge({ code })).toEqual(NONE),
  );
  it('a time-out is transient', () => expect(judge({ timedOut: true })).toEqual(TRANSIENT));
  it('an abort says nothing, whatever else is known', () =>
    expect(judge({ aborted: true, code: 'ECONNRESET', status: 401 })).toEqual(NONE));
  it('an abort that may have been a time-out is transient', () => expect(judge({ aborted: true, timedOut: true })).toEqual(TRANSIENT));
  it('a good answer that broke off or stalled is transient', () => {
    expect(judge({ status: 200, code: 'ECONNRESET' })).toEqual(TRANSIENT);
    expect(judge({ status: 200, timedOut: true })).toEqual(TRANSIENT);
    expect(judge({ status: 200, code: 'ERR_BODY_PARSE_FAILURE' })).toEqual(ACCEPTED);
  });
  it('a bad answer is what its status says, however it ended', () => {
    expect(judge({ status: 401, code: 'ECONNRESET' })).toEqual(REJECTED);
    expect(judge({ status: 404, timedOut: true })).toEqual(NONE);
  });
});

describe('classify: Retry-After', () => {
  const DATE = new Date(START + 90_000).toUTCString();
  it.each<[string, Record<string, string>, number | undefined]>([
    ['seconds', { 'retry-after': '30' }, 30_000],
    ['seconds with blanks around', { 'retry-after': ' 30 ' }, 30_000],
    ['part of a second', { 'retry-after': '1.5' }, 1_500],
    ['zero', { 'retry-after': '0' }, 0],
    ['a date', { 'retry-after': DATE }, 90_000],
    ['a date in asctime form, which is GMT too', { 'retry-after': 'Thu Jan  1 00:00:10 2026' }, 10_000],
    ['a date in the old form', { 'retry-after': 'Thursday, 01-Jan-26 00:01:00 GMT' }, 60_000],
    ['a date that has passed', { 'retry-after': new Date(START - 5_000).toUTCString() }, 0],
    ['milliseconds', { 'retry-after-ms': '250' }, 250],
    ['milliseconds before seconds', { 'retry-after-ms': '250', 'retry-after': '30' }, 250],
    ['malformed milliseconds, then seconds', { 'retry-after-ms': 'soon', 'retry-after': '30' }, 30_000],
    ['nothing', {}, undefined],
    ['an empty value', { 'retry-after': '' }, undefined],
    ['a word', { 'retry-after': 'soon' }, undefined],
    ['a word and a number, which is a date to some', { 'retry-after': 'soon 5' }, undefined],
    ['a negative number, which is a date to some', { 'retry-after': '-5' }, undefined],
    ['a day that is no date', { 'retry-after': 'Monday' }, undefined],
    ['more seconds than there are', { 'retry-after': '9'.repeat(400) }, undefined],
  ])('%s', (_, headers, ms) => {
    expect(retryAfter({ headers }, START)).toBe(ms);
    expect(judge(http(429, headers))).toEqual(ms === undefined ? TRANSIENT : { kind: 'transient', retryAfterMs: ms });
    expect(judge(http(503, headers))).toEqual(ms === undefined ? TRANSIENT : { kind: 'transient', retryAfterMs: ms });
    expect(judge(http(402, headers))).toEqual({ kind: 'held', ms: ms ?? DEFAULT_HOLD_MS, reason: 'payment required' });
  });

  it('on other statuses it changes nothing', () => {
    for (const status of [200, 401, 403, 404]) expect(judge(http(status, { 'retry-after': '30' }))).toEqual(expected(status));
  });
});

describe('classify: challenges', () => {
  const INSUFFICIENT: readonly string[] = [
    'Bearer error="insufficient_scope"',
    'Bearer error=insufficient_scope',
    'bearer ERROR="insufficient_scope"',
    'Bearer realm="api", scope="a b", error="insufficient_scope", error_description="no"',
    'Bearer error = "insufficient_scope"',
    'Bearer realm="a \\"quoted\\", name",error="insufficient_scope"',
    'Bearer error="insufficient\\_scope"',
    'Basic realm="one", Bearer realm="two", error="insufficient_scope"',
    'Negotiate, Bearer error="insufficient_scope"',
    'DPoP algs="ES256", error="insufficient_scope"',
  ];
  it.each(INSUFFICIENT)('case 40: %s is denied', (header) => {
    expect(challengeError(header)).toBe('insufficient_scope');
    for (const status of [401, 403]) expect(judge(http(status, { 'www-authenticate': header }))).toEqual(DENIED);
  });

  const OTHERS: readonly string[] = [
    'Bearer',
    '',
    'Bearer error="invalid_token"',
    'Bearer error="invalid_token", error_description="not error=insufficient_scope"',
    'Bearer error_description="insufficient_scope"',
    'Bearer error_description="see, error=\\"insufficient_scope\\""',
    'Bearer error_description="the error=insufficient_scope is meant',
    'Bearer x-error="insufficient_scope"',
    'Bearer error="INSUFFICIENT_SCOPE"',
    'Bearer error="insufficient_scope_x"',
    'Bearer error="',
    'Basic realm="insufficient_scope"',
    'Bearer error="invalid_token", DPoP error="insufficient_scope"',
  ];
  it.each(OTHERS)('%s is not', (header) => {
    expect(challengeError(header)).not.toBe('insufficient_scope');
    expect(judge(http(401, { 'www-authenticate': header }))).toEqual(REJECTED);
    expect(judge(http(403, { 'www-authenticate': header }))).toEqual(REJECTED_FOR_SCOPE);
  });

  it('is read on 401 and 403 only', () => {
    for (const status of [200, 400, 404, 429])
      expect(judge(http(status, { 'www-authenticate': 'Bearer error="insufficient_scope"' }))).toEqual(expected(status));
  });

  it('takes no time to speak of on a header made to be slow', () => {
    for (const header of [`Bearer ${'error="'.repeat(3_000)}`, `Bearer error=${'\\"'.repeat(8_000)}`, `Bearer ${' '.repeat(16_000)}=`]) {
      const started = performance.now();
      challengeError(header);
      expect(performance.now() - started).toBeLessThan(1_000);
    }
  });
});

describe('classify: whatever comes', () => {
  const KINDS = ['accepted', 'rejected', 'held', 'denied', 'transient', 'none'];
  const plain = fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true, withTypedArray: true });
  const anything = fc.oneof(
    plain.map((value) => () => value),
    hostile(),
  );

  it('never throws, and always comes to a classification', () => {
    fc.assert(
      fc.property(anything, fc.string(), (make, provider) => {
        const thrown = make();
        expect(KINDS).toContain(classify(outcomeOfError(thrown), { provider }, START).kind);
        expect(KINDS).toContain(classify(outcomeOfResponse(thrown as object), {}, START).kind);
      }),
      { numRuns: 1_000 },
    );
  });

  it('never throws on errors and responses with anything in the places that are read', () => {
    const known = fc.oneof(fc.integer({ min: -1, max: 700 }), fc.constant('Bearer error="insufficient_scope"'));
    const part = fc.oneof(
      anything,
      known.map((value) => () => value),
    );
    const names = ['status', 'statusCode', 'code', 'name', 'headers', 'body', 'data', 'error', 'response', 'cause'];
    const shaped = fc.dictionary(fc.constantFrom(...names), part);
    fc.assert(
      fc.property(shaped, fc.constantFrom('', 'anthropic', 'openai', 'google', 'other'), (makers, provider) => {
        const fields = Object.fromEntries(Object.entries(makers).map(([name, make]) => [name, make()]));
        for (const outcome of [outcomeOfError(fields), outcomeOfError(Object.assign(new Error('x'), fields)), outcomeOfResponse(fields)])
          expect(KINDS).toContain(classify(outcome, { provider }, START).kind);
      }),
      { numRuns: 1_000 },
    );
  });
});
