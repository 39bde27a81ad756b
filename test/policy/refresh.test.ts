import { describe, expect, it } from 'vitest';
import { outcomeOfError } from '../../src/policy/outcome.js';
import { afterTransient, beginRefresh, classifyRefreshFailure, type RefreshProgress } from '../../src/policy/refresh.js';
import { START } from '../support/clock.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

interface Failed {
  /** Since the beginning, in milliseconds. */
  readonly at: number;
  readonly phase: RefreshProgress['phase'];
}

/** When tries are made that all fail for reasons that pass, each after `takesMs`; the phase is the one that the try was made in. */
function allTries(takesMs: number): Failed[] {
  const tries: Failed[] = [];
  let progress: RefreshProgress | undefined = beginRefresh(START);
  for (let now = START; progress !== undefined; ) {
    tries.push({ at: now - START, phase: progress.phase });
    const after = afterTransient(progress, now + takesMs);
    progress = after?.progress;
    now = after?.at ?? now;
  }
  return tries;
}

const short = (takesMs: number): number[] =>
  allTries(takesMs)
    .filter(({ phase }) => phase === 'refreshing')
    .map(({ at }) => at);
const long = (takesMs: number): number[] =>
  allTries(takesMs)
    .filter(({ phase }) => phase === 'auth_retrying')
    .map(({ at }) => at);

describe('when a refresh that fails for reasons that pass is tried again', () => {
  it('5 tries, after pauses of 10, 20, 40 and 80 s', () => {
    expect(short(0)).toEqual([0, 10, 30, 70, 150].map((seconds) => seconds * SECOND));
  });

  it('a pause begins when a try has failed', () => {
    expect(short(5 * SECOND)).toEqual([0, 15, 40, 85, 170].map((seconds) => seconds * SECOND));
  });

  it.each([0, SECOND, 30 * SECOND, 50 * SECOND, 100 * SECOND, 299 * SECOND, 301 * SECOND, HOUR])(
    'none of the first begins later than 5 minutes after the first, if each takes %d ms',
    (takesMs) => {
      expect(Math.max(...short(takesMs))).toBeLessThanOrEqual(5 * MINUTE);
    },
  );

  it('slow ones are fewer', () => {
    expect([30, 50, 100, 299, 301].map((seconds) => short(seconds * SECOND).length)).toEqual([5, 4, 3, 1, 1]);
  });

  it('then one every 10 minutes, for 24 hours', () => {
    const [lastOfFirst] = short(0).slice(-1);
    const later = long(0);
    expect(later).toEqual(Array.from({ length: 144 }, (_, index) => (lastOfFirst ?? 0) + (index + 1) * 10 * MINUTE));
    expect((later.at(-1) ?? 0) - (lastOfFirst ?? 0)).toBe(24 * HOUR);
  });

  it('the phase, since when, and how many have failed in it', () => {
    let progress = beginRefresh(START);
    expect(progress).toEqual({ phase: 'refreshing', since: START, failed: 0 });
    for (let failed = 1; failed <= 4; failed++) {
      const after = afterTransient(progress, START + failed);
      progress = after?.progress ?? progress;
      expect(progress).toEqual({ phase: 'refreshing', since: START, failed });
    }
    const after = afterTransient(progress, START + 200 * SECOND);
    expect(after).toEqual({
      progress: { phase: 'auth_retrying', since: START + 200 * SECOND, failed: 0 },
      at: START + 200 * SECOND + 10 * MINUTE,
    });
  });

  it('the last one is not put off beyond the 24 hours', () => {
    const since = START;
    const progress = { phase: 'auth_retrying', since, failed: 100 } as const;
    expect(afterTransient(progress, since + 24 * HOUR - 10 * MINUTE)?.at).toBe(since + 24 * HOUR);
    expect(afterTransient(progress, since + 24 * HOUR - 10 * MINUTE + 1)).toBeUndefined();
  });
});

/** What a client throws that speaks plain HTTP. */
const answered = (status: number, body?: unknown): unknown => Object.assign(new Error('refused'), { status, body });

describe('what a failed refresh means', () => {
  it.each([
    'access_denied',
    'account_selection_required',
    'consent_required',
    'expired_token',
    'interaction_required',
    'invalid_client',
    'invalid_grant',
    'invalid_request',
    'invalid_scope',
    'invalid_target',
    'login_required',
    'unauthorized_client',
    'unsupported_grant_type',
  ])('%s with a 4xx: for good', (error) => {
    for (const status of [400, 401, 403, 404, 499])
      expect(classifyRefreshFailure({ status, body: { error } })).toEqual({ kind: 'permanent', status, code: error });
  });

  it.each(['invalid_grant', 'invalid_client'])('%s with what is no 4xx, or with a 429: for now', (error) => {
    for (const status of [200, 302, 399, 429, 500, 503, 599])
      expect(classifyRefreshFailure({ status, body: { error } })).toEqual({ kind: 'transient', status, code: error });
  });

  it.each(['server_error', 'temporarily_unavailable', 'slow_down', 'authorization_pending', 'rate_limited'])(
    '%s, which passes or which nobody knows: for now',
    (error) => {
      expect(classifyRefreshFailure({ status: 400, body: { error } })).toEqual({ kind: 'transient', status: 400, code: error });
    },
  );

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ["a firewall's page", '<!doctype html><title>invalid_grant</title>'],
    ['text', 'invalid_grant'],
    ['no `error`', { message: 'invalid_grant' }],
    ['a sentence', { error: 'The invalid_grant was refused' }],
    ['an object', { error: { code: 'invalid_grant' } }],
    ['a number', { error: 400 }],
    ['capitals', { error: 'INVALID_GRANT' }],
    ['something long', { error: `invalid_grant${'_x'.repeat(50)}` }],
    ['a token', { error: 'rt_9f8e7d6c5b4a' }],
    ['an array', ['invalid_grant']],
    ['null', null],
  ])('a 4xx with %s in its body: for now, and nothing of it is told', (_, body) => {
    for (const status of [400, 401, 403])
      expect(classifyRefreshFailure({ status, body })).toEqual({ kind: 'transient', status, code: undefined });
  });

  it.each([
    'CERT_HAS_EXPIRED',
    'CERT_NOT_YET_VALID',
    'CRL_HAS_EXPIRED',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'EPROTO',
    'ERR_SSL_WRONG_VERSION_NUMBER',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'HOSTNAME_MISMATCH',
    'INVALID_CA',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ])('TLS, %s: for good', (code) => {
    const thrown = Object.assign(new TypeError('fetch failed'), { cause: Object.assign(new Error('tls'), { code }) });
    expect(classifyRefreshFailure(outcomeOfError(thrown))).toEqual({ kind: 'permanent', status: undefined, code });
  });

  it.each([
    'ECONNREFUSED',
    'ECONNRESET',
    'ENOTFOUND',
    'EAI_AGAIN',
    'ETIMEDOUT',
    'EPIPE',
    'UND_ERR_SOCKET',
    'UND_ERR_HEADERS_TIMEOUT',
    'ERR_NETWORK',
  ])('the connection, %s: for now', (code) => {
    const thrown = Object.assign(new TypeError('fetch failed'), { cause: Object.assign(new Error('net'), { code }) });
    expect(classifyRefreshFailure(outcomeOfError(thrown))).toEqual({ kind: 'transient', status: undefined, code });
  });

  it.each<[string, unknown]>([
    ['a time limit', new DOMException('late', 'TimeoutError')],
    ['what may have been a time limit', new DOMException('aborted', 'AbortError')],
    ['an answer that is no JSON', new SyntaxError('Unexpected token <')],
    ["a function's own fault", new TypeError('x is not a function')],
    ['a string', 'invalid_grant'],
    ['nothing', undefined],
    ['an answer cut short', Object.assign(new Error('terminated'), { response: { status: 200, headers: {} }, code: 'UND_ERR_SOCKET' })],
  ])('%s: for now', (_, thrown) => {
    expect(classifyRefreshFailure(outcomeOfError(thrown)).kind).toBe('transient');
  });

  it.each<[string, unknown]>([
    ['ERR_CANCELED', Object.assign(new Error('canceled'), { name: 'CanceledError', code: 'ERR_CANCELED' })],
    ['ERR_ABORTED', Object.assign(new Error('aborted'), { code: 'ERR_ABORTED' })],
    ['APIUserAbortError', Object.assign(new Error('aborted'), { name: 'APIUserAbortError' })],
  ])('called off (%s): neither', (_, thrown) => {
    expect(classifyRefreshFailure(outcomeOfError(thrown)).kind).toBe('aborted');
  });

  it('no words decide, whatever they say', () => {
    const words = 'invalid_grant invalid_client 400 401 CERT_HAS_EXPIRED self-signed certificate in certificate chain';
    for (const thrown of [new Error(words), answered(400, words), answered(500, words), Object.assign(new Error(words), { code: words })])
      expect(classifyRefreshFailure(outcomeOfError(thrown))).toMatchObject({ kind: 'transient', code: undefined });
  });

  it('what cannot be read says nothing', () => {
    const trap = {
      get error(): never {
        throw new Error('no');
      },
    };
    expect(classifyRefreshFailure({ status: 400, body: trap, error: trap })).toEqual({
      kind: 'transient',
      status: 400,
      code: undefined,
    });
  });
});
