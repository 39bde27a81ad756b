import { describe, expect, it } from 'vitest';
import { classify } from '../../src/policy/classify.js';
import type { Outcome } from '../../src/policy/outcome.js';
import { providerRule } from '../../src/policy/provider-rules.js';
import { DEFAULT_HOLD_MS } from '../../src/policy/retry-after.js';
import { START } from '../support/clock.js';
import { sealedProxy, throwingGetters } from './hostile.js';

const REJECTED = { kind: 'rejected', reach: 'identity' };
const REJECTED_FOR_SCOPE = { kind: 'rejected', reach: 'scope' };
const DENIED = { kind: 'denied' };
const TRANSIENT = { kind: 'transient' };
const held = (reason: string, ms = DEFAULT_HOLD_MS) => ({ kind: 'held', ms, reason });

const anthropic = (type: string) => ({ type: 'error', error: { type, message: 'no' }, request_id: 'r' });
const openai = (code: string) => ({ error: { message: 'no', type: 'invalid_request_error', param: null, code } });
const google = (...reasons: unknown[]) => ({
  error: { code: 403, status: 'X', details: reasons.map((reason) => ({ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason })) },
});

const judge = (outcome: Outcome, provider?: string) => providerRule(outcome, provider === undefined ? {} : { provider }, START);

/** Status, body, scheme, and what the body says; undefined: what the status says holds. */
type Row = readonly [family: string, status: number | undefined, body: object, says: object | undefined, scheme?: 'bearer' | 'api-key'];

const ROWS: readonly Row[] = [
  ['anthropic', 401, anthropic('authentication_error'), REJECTED],
  ['anthropic', undefined, anthropic('authentication_error'), REJECTED],
  ['anthropic', 403, anthropic('permission_error'), REJECTED_FOR_SCOPE, 'bearer'],
  ['anthropic', 403, anthropic('permission_error'), DENIED, 'api-key'],
  ['anthropic', 402, anthropic('billing_error'), held('billing_error')],
  ['anthropic', 400, anthropic('billing_error'), held('billing_error')],
  ['anthropic', 429, anthropic('rate_limit_error'), undefined],
  ['anthropic', undefined, anthropic('rate_limit_error'), TRANSIENT],
  ['anthropic', undefined, anthropic('overloaded_error'), TRANSIENT],
  ['anthropic', undefined, anthropic('api_error'), TRANSIENT],
  ['anthropic', undefined, anthropic('timeout_error'), TRANSIENT],
  ['anthropic', 400, anthropic('invalid_request_error'), undefined],
  ['anthropic', 404, anthropic('not_found_error'), undefined],

  ['openai', 401, openai('invalid_api_key'), REJECTED],
  ['openai', 400, openai('invalid_api_key'), REJECTED],
  ['openai', 403, openai('account_deactivated'), REJECTED],
  ['openai', 401, openai('invalid_api_key').error, REJECTED],
  ['openai', 429, openai('insufficient_quota'), held('insufficient_quota')],
  ['openai', undefined, openai('insufficient_quota').error, held('insufficient_quota')],
  ['openai', 400, openai('billing_hard_limit_reached'), held('billing_hard_limit_reached')],
  ['openai', 429, openai('rate_limit_exceeded'), undefined],
  ['openai', 403, openai('unsupported_country_region_territory'), DENIED],
  ['openai', 403, openai('model_not_found'), DENIED],
  ['openai', 404, openai('model_not_found'), undefined],
  ['openai', 401, openai('missing_scope'), DENIED],
  ['openai', 401, openai('something_new'), undefined],

  ['google', 400, google('API_KEY_INVALID'), REJECTED],
  ['google', 400, google('API_KEY_EXPIRED'), REJECTED],
  ['google', 403, google('CONSUMER_SUSPENDED'), REJECTED],
  ['google', 401, google('ACCESS_TOKEN_EXPIRED'), REJECTED],
  ['google', 400, google('API_KEY_INVALID').error, REJECTED],
  ['google', 403, google('ACCESS_TOKEN_SCOPE_INSUFFICIENT'), DENIED],
  ['google', 403, google('API_KEY_SERVICE_BLOCKED'), DENIED],
  ['google', 403, google('SERVICE_DISABLED'), DENIED],
  ['google', 403, google('BILLING_DISABLED'), held('BILLING_DISABLED')],
  ['google', 403, google(undefined, 7, 'SERVICE_DISABLED'), DENIED],
  ['google', 403, google('SOMETHING_NEW'), undefined],
  ['google', 403, google(), undefined],
  ['google', 403, { error: { details: 'API_KEY_INVALID' } }, undefined],
];

const named = ROWS.map(([family, status, body, says, scheme]) => ({ family, status, body, says, scheme, text: JSON.stringify(body) }));

describe('provider rules: by body', () => {
  it.each(named)('case 50: $family, $status: $text', ({ family, status, body, says, scheme, text }) => {
    for (const given of [body, text, [body], `[${text}]`]) {
      const outcome: Outcome = { status, body: given, scheme };
      // By its label, by any label that is not known, and by none.
      for (const provider of [family, 'a-gateway-of-ours', undefined]) expect(judge(outcome, provider)).toEqual(says);
      for (const other of ['anthropic', 'openai', 'google']) if (other !== family) expect(judge(outcome, other)).toBeUndefined();
    }
  });

  it('labels that are names of other things are labels like any other', () => {
    for (const provider of ['__proto__', 'constructor', 'toString', '', 'Anthropic'])
      expect(judge({ status: 401, body: openai('invalid_api_key') }, provider)).toEqual(REJECTED);
  });

  it('a hold lasts as long as the answer asks', () => {
    const headers = { 'retry-after': '20' };
    expect(judge({ status: 429, body: openai('insufficient_quota'), headers })).toEqual(held('insufficient_quota', 20_000));
    expect(judge({ status: 402, body: anthropic('billing_error'), headers })).toEqual(held('billing_error', 20_000));
    expect(judge({ status: 403, body: google('BILLING_DISABLED'), headers })).toEqual(held('BILLING_DISABLED', 20_000));
  });

  it.each([200, 302, 500, 503, 529])('a %i is what HTTP says it is, whatever its body', (status) =>
    expect(judge({ status, body: openai('invalid_api_key') })).toBeUndefined(),
  );

  it('no message decides anything', () => {
    const message = 'invalid_api_key authentication_error API_KEY_INVALID insufficient_quota permission_error';
    for (const body of [message, { message }, { error: message }, { error: { message } }, { type: 'error', error: { message } }])
      expect(judge({ status: 403, body })).toBeUndefined();
  });

  it('what the body says comes before the status and its challenge', () => {
    const headers = { 'www-authenticate': 'Bearer error="insufficient_scope"' };
    expect(classify({ status: 401, headers, body: openai('invalid_api_key') }, {}, START)).toEqual(REJECTED);
    expect(classify({ status: 401, headers, body: openai('something_new') }, {}, START)).toEqual(DENIED);
  });
});

describe('provider rules: bodies that are none', () => {
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  it.each<[string, unknown]>([
    ['no body', undefined],
    ['null', null],
    ['an empty text', ''],
    ['text', 'Unauthorized'],
    ['HTML', '<html>error</html>'],
    ['JSON that is cut off', '{"error":{"code":"invalid_api_key"'],
    ['JSON of no object', '"invalid_api_key"'],
    ['JSON null', 'null'],
    ['an empty array', []],
    ['arrays in arrays', [[openai('invalid_api_key')]]],
    ['arrays without end', cyclic],
    ['JSON arrays very deep', '['.repeat(100_000) + ']'.repeat(100_000)],
    ['a number', 401],
    ['getters that throw', throwingGetters(['type', 'error', 'code', 'details'])],
    ['an inside that throws', { error: sealedProxy() }],
    ['a proxy that cannot be read', sealedProxy()],
    ['error: null', { type: 'error', error: null }],
    ['no type', { error: { type: 'authentication_error' } }],
  ])('%s', (_, body) => {
    for (const provider of [undefined, 'anthropic', 'openai', 'google']) expect(judge({ status: 401, body }, provider)).toBeUndefined();
  });
});
