import { describe, expect, it } from 'vitest';
import { displaces, isDead, isUsable, obstacle, type Standing } from '../../src/policy/choose.js';
import { challengeError, classify } from '../../src/policy/classify.js';
import { readExpiryHeader } from '../../src/policy/expiry.js';
import { headersOfAnswer, outcomeOfError, outcomeOfResponse, parsedBody } from '../../src/policy/outcome.js';
import { providerRule } from '../../src/policy/provider-rules.js';
import { afterTransient, classifyRefreshFailure } from '../../src/policy/refresh.js';
import { DEFAULT_HOLD_MS, retryAfter } from '../../src/policy/retry-after.js';
import { type Ruling, supersedes, UNPROVEN } from '../../src/policy/verdict.js';

// What a decision does at its edge, and with a value that is nearly what it looks for. Each of these is a mutation of the code that no other test noticed.

const NOW = 1_700_000_000_000;
const ANY = {};

describe('choose', () => {
  const standing = (expiresAt: number | undefined, ruling: Ruling = UNPROVEN): Standing => ({
    ruling,
    expiresAt,
    rejectionFor: () => undefined,
  });

  it('asks a credential to last for as long as the scope needs, and no less', () => {
    expect(isUsable(standing(NOW + 500), { key: 'S', minTtlMs: 499 }, NOW)).toBe(true);
    expect(isUsable(standing(NOW + 500), { key: 'S', minTtlMs: 500 }, NOW)).toBe(false);
    expect(obstacle(standing(NOW + 500), { key: 'S', minTtlMs: 500 }, NOW)).toEqual({ reason: 'expired', since: NOW + 500, passed: -1 });
  });

  it('calls it expired where it was held only until now', () => {
    const over: Ruling = { state: 'held', status: 402, reason: undefined, sent: 1, passed: 4, since: 40, until: NOW };
    expect(obstacle(standing(NOW - 1, over), { key: 'S' }, NOW)?.reason).toBe('expired');
    expect(obstacle(standing(NOW - 1, { ...over, until: NOW + 1 }), { key: 'S' }, NOW)?.reason).toBe('held');
  });

  it('is dead at its expiry, not before, and never without one', () => {
    expect(isDead(standing(NOW), NOW)).toBe(true);
    expect(isDead(standing(NOW + 1), NOW)).toBe(false);
    expect(isDead(standing(undefined), NOW)).toBe(false);
  });

  it('does not displace what was presented at the same moment', () => {
    const present = { at: 5, deadOnArrival: false, dead: false };
    expect(displaces({ at: 5, dead: false }, present)).toBe(false);
    expect(displaces({ at: 6, dead: false }, present)).toBe(true);
    expect(displaces({ at: 5, dead: true }, { ...present, dead: true })).toBe(false);
    expect(displaces({ at: 6, dead: true }, { ...present, dead: true })).toBe(true);
  });
});

describe('verdict', () => {
  it('nothing that is known came before the first call', () => {
    expect([UNPROVEN.sent, UNPROVEN.passed]).toEqual([-1, -1]);
    expect(supersedes({ state: 'accepted', sent: 0, passed: 0, since: 0 }, UNPROVEN)).toBe(true);
  });
});

describe('classify', () => {
  it('takes 399 for no error and 400 for one that a broken connection does not change', () => {
    expect(classify({ status: 399, code: 'ECONNRESET' }, ANY, NOW).kind).toBe('transient');
    expect(classify({ status: 400, code: 'ECONNRESET' }, ANY, NOW).kind).toBe('none');
  });

  it('says nothing where there is no answer and no code', () => {
    expect(classify({}, ANY, NOW)).toEqual({ kind: 'none' });
  });

  it('puts a pause into the classification only where one is named', () => {
    expect(Object.hasOwn(classify({ status: 503 }, ANY, NOW), 'retryAfterMs')).toBe(false);
  });

  it.each([
    ['error=invalid_token', 'invalid_token'],
    ['error="a\\"b"', 'a"b'],
    ['error=a"', 'a'],
    ['error="never closed', 'never closed'],
  ])('reads %s from the beginning of a challenge', (header, error) => {
    expect(challengeError(header)).toBe(error);
  });
});

describe('readExpiryHeader', () => {
  it('reads at most 64 characters', () => {
    const date = (digits: number): string => `2030-01-01T00:00:00.${'0'.repeat(digits)}Z`;
    expect(date(43)).toHaveLength(64);
    expect(readExpiryHeader(date(43), NOW)?.expiresAt).toBe(Date.parse('2030-01-01'));
    expect(readExpiryHeader(date(44), NOW)).toBeUndefined();
  });

  it.each([
    ['999999999', NOW + 999_999_999_000, 'own'],
    ['1000000000', 1_000_000_000_000, 'upstream'],
    ['946684799999', 946_684_799_999_000, 'upstream'],
    ['946684800000', 946_684_800_000, 'upstream'],
    ['8640000000000000', 8.64e15, 'upstream'],
  ])('reads the number %s', (text, expiresAt, clock) => {
    expect(readExpiryHeader(text, NOW)).toEqual({ expiresAt, clock });
  });

  it.each([
    '8640000000000001',
    'x Sun, 06 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 08:49:37 GMT (1)',
    '(1) 2030-01-01T00:00:00Z',
    '2030-01-01T00:00:00Z (1)',
  ])('reads nothing from %s', (text) => {
    expect(readExpiryHeader(text, NOW)).toBeUndefined();
  });

  it('takes a zone without a colon', () => {
    expect(readExpiryHeader('2030-01-01T02:00:00+0200', NOW)?.expiresAt).toBe(Date.parse('2030-01-01T00:00:00Z'));
  });
});

describe('retryAfter', () => {
  const of = (value: string): number | undefined => retryAfter({ headers: { 'retry-after': value } }, NOW);

  it('holds for a quarter of an hour where nothing is said', () => {
    expect(DEFAULT_HOLD_MS).toBe(900_000);
  });

  it('takes a date that lacks its zone for GMT, and one that has it as it is', () => {
    const date = new Date(NOW + 60_000).toUTCString();
    expect(of(date)).toBe(60_000);
    expect(of(date.replace(' GMT', ''))).toBe(60_000);
  });

  it('reads no date that stands behind something else', () => {
    expect(of('1 Nov 2030, a Fri')).toBeUndefined();
    expect(of(`(x) ${new Date(NOW + 60_000).toUTCString()}`)).toBeUndefined();
  });

  it('reads any number of decimals', () => {
    expect(of('1.25')).toBe(1_250);
  });
});

describe('outcome', () => {
  it('reads the headers of an answer, or of the one behind an error', () => {
    const headers = { 'X-Request-Id': 'one', other: 'two' };
    expect(headersOfAnswer({ headers }, ['x-request-id'])).toEqual({ 'x-request-id': 'one' });
    expect(headersOfAnswer({ response: { headers } }, ['x-request-id'])).toEqual({ 'x-request-id': 'one' });
    expect(headersOfAnswer({ headers, response: { headers: { 'x-request-id': 'three' } } }, ['x-request-id'])).toEqual({
      'x-request-id': 'one',
    });
    for (const nothing of [undefined, null, 'text', {}, { response: 'text' }, { response: {} }])
      expect(headersOfAnswer(nothing, ['x-request-id'])).toEqual({});
  });

  it('takes 400 for an answer that says all, and 399 for one behind which the connection may have failed', () => {
    expect(outcomeOfError({ status: 400, code: 'ECONNRESET' }).code).toBeUndefined();
    expect(outcomeOfError({ status: 399, code: 'ECONNRESET' }).code).toBe('ECONNRESET');
    expect(outcomeOfError({ code: 'ECONNRESET' }).code).toBe('ECONNRESET');
  });

  it('finds a code under one that is no text', () => {
    expect(outcomeOfError({ code: 7, cause: { code: 'EPIPE' } }).code).toBe('EPIPE');
  });

  it('takes the name of the class where the name is no text', () => {
    class TimeoutError {
      readonly name = 7;
    }
    expect(outcomeOfError(new TimeoutError()).timedOut).toBe(true);
    expect(outcomeOfError(Object.assign(Object.create(null), { code: 'EPIPE' })).timedOut).toBe(false);
  });

  it.each([7, true, null, undefined, () => 1])('has no body in %s', (body) => {
    expect(outcomeOfResponse({ status: 200, headers: {}, body, data: 'second' }).body).toBe('second');
  });

  it('parses what begins like JSON, and only that', () => {
    expect(parsedBody(' \n{"a":1}')).toEqual({ a: 1 });
    expect(parsedBody('[1]')).toEqual([1]);
    for (const text of ['7', '"text"', 'null', 'x[1]', '{not json']) expect(parsedBody(text)).toBe(text);
    for (const value of [7, null, undefined]) expect(parsedBody(value)).toBe(value);
  });
});

describe('provider rules', () => {
  const google = (reason: unknown) => ({ status: 403, body: { error: { details: [reason] } } });

  it.each([
    'API_KEY_INVALID',
    'API_KEY_EXPIRED',
    'CONSUMER_INVALID',
    'CONSUMER_SUSPENDED',
    'ACCESS_TOKEN_EXPIRED',
    'ACCOUNT_STATE_INVALID',
  ])('Google: %s speaks of the credential', (reason) => {
    expect(providerRule(google({ reason }), ANY, NOW)).toEqual({ kind: 'rejected', reach: 'identity' });
  });

  it.each([
    'ACCESS_TOKEN_SCOPE_INSUFFICIENT',
    'API_KEY_ANDROID_APP_BLOCKED',
    'API_KEY_HTTP_REFERRER_BLOCKED',
    'API_KEY_IOS_APP_BLOCKED',
    'API_KEY_IP_ADDRESS_BLOCKED',
    'API_KEY_SERVICE_BLOCKED',
    'IAM_PERMISSION_DENIED',
    'LOCATION_POLICY_VIOLATED',
    'ORG_RESTRICTION_VIOLATION',
    'SECURITY_POLICY_VIOLATED',
    'SERVICE_DISABLED',
    'USER_PROJECT_DENIED',
  ])('Google: %s speaks of the request', (reason) => {
    expect(providerRule(google({ reason }), ANY, NOW)).toEqual({ kind: 'denied' });
  });

  it.each([null, 7, 'text', {}, { reason: '' }, { reason: 7 }])('Google: passes over the detail %j to the next one', (detail) => {
    const body = { error: { details: [detail, { reason: 'API_KEY_INVALID' }] } };
    expect(providerRule({ status: 400, body }, ANY, NOW)?.kind).toBe('rejected');
  });

  it.each([undefined, null, 7, true, 'text', [], [[]], [null], [7]])('the body %j is nobody’s', (body) => {
    expect(providerRule({ status: 401, body }, { provider: 'anthropic' }, NOW)).toBeUndefined();
    expect(providerRule({ status: 401, body }, ANY, NOW)).toBeUndefined();
  });

  it('Anthropic: an error without its inside leaves the body to the others', () => {
    const body = { type: 'error', code: 'invalid_api_key' };
    expect(providerRule({ status: 401, body }, ANY, NOW)?.kind).toBe('rejected');
    expect(providerRule({ status: 401, body }, { provider: 'anthropic' }, NOW)).toBeUndefined();
  });
});

describe('refresh', () => {
  it('goes on with the short tries up to five minutes, their last moment included', () => {
    const progress = { phase: 'refreshing', since: 0, failed: 3 } as const;
    expect(afterTransient(progress, 300_000 - 80_000)?.progress.phase).toBe('refreshing');
    expect(afterTransient(progress, 300_000 - 80_000 + 1)?.progress.phase).toBe('auth_retrying');
  });

  it.each([
    'CERT_HAS_EXPIRED',
    'CRL_HAS_EXPIRED',
    'ERR_SSL_WRONG_VERSION_NUMBER',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'ERR_TLS_HANDSHAKE_TIMEOUT_OF_ANOTHER_KIND',
    'EPROTO',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'HOSTNAME_MISMATCH',
    'INVALID_CA',
    'INVALID_PURPOSE',
    'PATH_LENGTH_EXCEEDED',
  ])('TLS will never have %s', (code) => {
    expect(classifyRefreshFailure({ code })).toEqual({ kind: 'permanent', status: undefined, code });
  });

  it.each([
    'ERR_TLS_HANDSHAKE_TIMEOUT',
    'EPROTONOSUPPORT',
    'HOSTNAME_MISMATCHED',
    'INVALID_CACHE',
    'INVALID_PURPOSES',
    'PATH_LENGTH_EXCEEDED_ONCE',
    'NO_CERT_THERE',
    'ECONNRESET',
  ])('%s may pass', (code) => {
    expect(classifyRefreshFailure({ code })).toEqual({ kind: 'transient', status: undefined, code });
  });

  it.each(['a secret EPROTO', 'EPROTO and a secret', 'e', undefined])('tells nothing of the code %j, which is none', (code) => {
    expect(classifyRefreshFailure({ code })).toEqual({ kind: 'transient', status: undefined, code: undefined });
  });

  it.each<[string, object]>([
    ['in the body', { body: { error: 'invalid_grant' } }],
    ['on the error', { error: { error: 'invalid_grant' } }],
    ['under the name of oauth2', { error: { oauth2Code: 'invalid_grant' } }],
    ['in a payload', { error: { data: { payload: { error: 'invalid_grant' } } } }],
    ['beside a body that is none', { body: 7, error: { error: 'invalid_grant' } }],
    [
      'behind a getter that throws',
      { body: Object.defineProperty({}, 'error', { get: () => JSON.parse('{') }), error: { error: 'invalid_grant' } },
    ],
  ])('finds the token endpoint’s code %s', (_, where) => {
    expect(classifyRefreshFailure({ status: 400, ...where })).toEqual({ kind: 'permanent', status: 400, code: 'invalid_grant' });
  });

  it('takes a word of at most 50 letters for a code', () => {
    const code = (length: number) => classifyRefreshFailure({ status: 400, body: { error: 'a'.repeat(length) } }).code;
    expect(code(50)).toBe('a'.repeat(50));
    expect(code(51)).toBeUndefined();
    expect(classifyRefreshFailure({ status: 400 })).toEqual({ kind: 'transient', status: 400, code: undefined });
  });
});
