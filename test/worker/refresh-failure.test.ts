import { describe, expect, it } from 'vitest';
import type { RefreshFailure } from '../../src/policy/refresh.js';
import { readRefreshFailure } from '../../src/worker/refresh-failure.js';

/** An error of a class of the client's own, with its fields. */
function thrown(name: string, message: string, fields: object): Error {
  return Object.assign(Object.defineProperty(new Error(message), 'name', { value: name }), fields);
}

const JSON_HEADERS = { 'content-type': 'application/json' };
const answer = (status: number, body: unknown): Response =>
  new Response(typeof body === 'string' ? body : JSON.stringify(body), { status, headers: JSON_HEADERS });

/** As each client throws what the token endpoint has answered with a status and a body. */
const CLIENTS: Readonly<Record<string, (status: number, body: Record<string, unknown> | string) => unknown>> = {
  'oauth4webapi, openid-client': (status, body) =>
    typeof body === 'object' && typeof body['error'] === 'string'
      ? thrown('ResponseBodyError', 'server responded with an error in the response body', {
          code: 'OAUTH_RESPONSE_BODY_ERROR',
          status,
          error: body['error'],
          error_description: body['error_description'],
          cause: body,
        })
      : thrown('ClientError', 'unexpected HTTP response status code', {
          code: 'OAUTH_RESPONSE_IS_NOT_CONFORM',
          cause: answer(status, body),
        }),
  'oauth4webapi with a challenge': (status, body) =>
    thrown('WWWAuthenticateChallengeError', 'server responded with a challenge in the WWW-Authenticate HTTP Header', {
      code: 'OAUTH_WWW_AUTHENTICATE_CHALLENGE',
      status,
      cause: [{ scheme: 'basic', parameters: {} }],
      response: answer(status, body),
    }),
  'openid-client 5': (status, body) =>
    thrown('OPError', typeof body === 'string' ? 'expected 200 OK' : `${body['error']} (${body['error_description']})`, {
      ...(typeof body === 'object' ? body : {}),
      response: { statusCode: status, headers: JSON_HEADERS, body },
    }),
  'simple-oauth2': (status, body) =>
    thrown('Error', `Response Error: ${status}`, {
      isBoom: true,
      data: { isResponseError: true, headers: JSON_HEADERS, payload: body, res: { statusCode: status } },
      output: { statusCode: status, payload: { statusCode: status, error: 'Bad Request', message: 'Response Error' }, headers: {} },
    }),
  '@badgateway/oauth2-client': (status, body) =>
    thrown('OAuth2HttpError', 'OAuth2 error', {
      httpCode: status,
      ...(typeof body === 'object' ? { oauth2Code: body['error'], parsedBody: body } : {}),
      response: new Response(null, { status, headers: JSON_HEADERS }),
    }),
  'google-auth-library 10 (gaxios 7)': (status, body) =>
    thrown('GaxiosError', 'invalid_grant', {
      code: String(status),
      status,
      response: { status, headers: new Headers(JSON_HEADERS), data: body },
    }),
  'google-auth-library 9 (gaxios 6)': (status, body) =>
    thrown('GaxiosError', 'invalid_grant', { code: String(status), response: { status, headers: JSON_HEADERS, data: body } }),
  axios: (status, body) =>
    thrown('AxiosError', `Request failed with status code ${status}`, {
      code: 'ERR_BAD_REQUEST',
      config: { headers: {} },
      response: { status, headers: JSON_HEADERS, data: body },
    }),
  got: (status, body) =>
    thrown('HTTPError', `Response code ${status}`, {
      code: 'ERR_NON_2XX_3XX_RESPONSE',
      response: { statusCode: status, headers: JSON_HEADERS, body: typeof body === 'string' ? body : JSON.stringify(body) },
    }),
  ky: (status, body) => thrown('HTTPError', `Request failed with status code ${status}`, { response: answer(status, body) }),
  'fetch, the response thrown': (status, body) => answer(status, body),
  'fetch, the response as the cause': (status, body) => new Error('no token', { cause: answer(status, body) }),
  'fetch, the parsed body given along': (status, body) => Object.assign(new Error('no token'), { status, body }),
  'fetch, the text given along': (status, body) =>
    Object.assign(new Error('no token'), { status, body: typeof body === 'string' ? body : JSON.stringify(body) }),
};

const refused = { error: 'invalid_grant', error_description: 'CERT_HAS_EXPIRED, try again' };

describe.each(Object.entries(CLIENTS))('%s', (_, fail) => {
  it.each<[string, number, Record<string, unknown> | string, RefreshFailure['kind'], string | undefined]>([
    ['400 invalid_grant', 400, refused, 'permanent', 'invalid_grant'],
    ['401 invalid_client', 401, { error: 'invalid_client' }, 'permanent', 'invalid_client'],
    ['400 with a code that passes', 400, { error: 'temporarily_unavailable' }, 'transient', 'temporarily_unavailable'],
    ["a firewall's 403", 403, { message: 'invalid_grant' }, 'transient', undefined],
    ["a firewall's page", 403, '<!doctype html><p>{"error":"invalid_grant"}', 'transient', undefined],
  ])('%s', async (__, status, body, kind, code) => {
    const { failure, isOdd } = await readRefreshFailure(fail(status, body));
    expect(failure).toEqual({ kind, status, code });
    expect(isOdd).toBe(false);
  });

  it.each([429, 500, 503])('%d whatever its code', async (status) => {
    expect((await readRefreshFailure(fail(status, refused))).failure).toMatchObject({ kind: 'transient', status });
  });
});

it.each<[string, unknown, RefreshFailure['kind'], string | undefined]>([
  [
    'fetch: refused',
    new TypeError('fetch failed', { cause: thrown('Error', 'connect', { code: 'ECONNREFUSED' }) }),
    'transient',
    'ECONNREFUSED',
  ],
  [
    'fetch: a certificate',
    new TypeError('fetch failed', { cause: thrown('Error', 'self-signed', { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }) }),
    'permanent',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
  ],
  ['axios: refused', thrown('AxiosError', 'connect', { code: 'ECONNREFUSED', request: {} }), 'transient', 'ECONNREFUSED'],
  ['axios: its time limit', thrown('AxiosError', 'timeout of 5 ms exceeded', { code: 'ECONNABORTED' }), 'transient', 'ECONNABORTED'],
  ['axios: called off', thrown('CanceledError', 'canceled', { code: 'ERR_CANCELED' }), 'aborted', 'ERR_CANCELED'],
  [
    'simple-oauth2: refused',
    thrown('Error', 'Client request error', {
      isBoom: true,
      code: 'ECONNREFUSED',
      data: null,
      output: { statusCode: 502, payload: { error: 'Bad Gateway' }, headers: {} },
    }),
    'transient',
    undefined,
  ],
])('%s', async (_, error, kind, code) => {
  expect((await readRefreshFailure(error)).failure).toMatchObject({ kind, code });
});

it('what is no answer and no connection is odd: it may be a fault of the function', async () => {
  for (const error of [new TypeError('x is not a function'), new SyntaxError('JSON'), 'a string', undefined, null, 5, {}])
    expect(await readRefreshFailure(error)).toEqual({
      failure: { kind: 'transient', status: undefined, code: undefined },
      isOdd: true,
      isRead: false,
    });
  expect((await readRefreshFailure(new DOMException('late', 'TimeoutError'))).isOdd).toBe(false);
});
