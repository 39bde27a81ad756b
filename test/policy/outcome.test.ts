import { describe, expect, it } from 'vitest';
import { LatchkeyError } from '../../src/errors.js';
import { isResponseLike, outcomeOfError, outcomeOfResponse, statusOf } from '../../src/policy/outcome.js';
import { sealedProxy, throwingGetters } from './hostile.js';

const withCauses = (depth: number, last: object): Error => {
  let error = Object.assign(new Error('innermost'), last);
  for (let level = 0; level < depth; level++) error = Object.assign(new Error('outer', { cause: error }));
  return error;
};

describe('isResponseLike', () => {
  it.each<[string, unknown]>([
    ['a Response', new Response(null, { status: 204 })],
    ['a status and plain headers', { status: 403, headers: {} }],
    ['a status code and headers, as undici, got and Node have them', { statusCode: 401, headers: {} }],
    ['an odd status', { status: 0, headers: {} }],
  ])('%s is one', (_, value) => expect(isResponseLike(value)).toBe(true));

  it.each<[string, unknown]>([
    ['case 41: a domain object with a status alone', { status: 403 }],
    ['null headers', { status: 403, headers: null }],
    ['headers of another kind', { status: 403, headers: 'x: y' }],
    ['a status in words', { status: 'active', headers: {} }],
    ['headers alone', { headers: {} }],
    ['null', null],
    ['undefined', undefined],
    ['a string', 'status'],
    ['a number', 403],
    ['a function', () => {}],
    ['getters that throw', throwingGetters(['status', 'headers'])],
    ['a proxy that cannot be read', sealedProxy()],
  ])('%s is none', (_, value) => expect(isResponseLike(value)).toBe(false));

  it('`status` comes before `statusCode`', () => expect(statusOf({ status: 200, statusCode: 401 })).toBe(200));
});

describe('outcomeOfResponse', () => {
  it('reads the headers that matter, from whatever holds them', () => {
    const expected = { 'retry-after': '30', 'www-authenticate': 'Bearer, Basic' };
    const raw = { 'Retry-After': '30', 'WWW-Authenticate': ['Bearer', 'Basic'], 'Set-Cookie': 'secret', 'X-Other': 'x' };
    expect(outcomeOfResponse({ status: 401, headers: raw }).headers).toEqual(expected);
    const headers = new Headers({ 'Retry-After': '30', 'Set-Cookie': 'secret' });
    headers.append('WWW-Authenticate', 'Bearer');
    headers.append('WWW-Authenticate', 'Basic');
    expect(outcomeOfResponse(new Response(null, { status: 401, headers })).headers).toEqual(expected);
    expect(outcomeOfResponse({ status: 401, headers: new Map(Object.entries({ 'retry-after': '30' })) }).headers).toEqual({
      'retry-after': '30',
    });
  });

  it('numbers are texts, and what is neither is not there', () => {
    const headers = { 'retry-after': 30, date: undefined, 'www-authenticate': null, 'content-type': { toString: () => 'x' } };
    expect(outcomeOfResponse({ status: 429, headers }).headers).toEqual({ 'retry-after': '30' });
  });

  it.each([undefined, null, 'retry-after: 30', 30, sealedProxy(), { get: () => sealedProxy() }])(
    'headers that are none are empty (%#)',
    (headers) => expect(outcomeOfResponse({ status: 429, headers }).headers).toEqual({}),
  );

  it('a body that is data is kept, a stream is not touched', () => {
    expect(outcomeOfResponse({ status: 400, body: 'text' }).body).toBe('text');
    expect(outcomeOfResponse({ status: 400, body: new TextEncoder().encode('bytes') }).body).toBe('bytes');
    expect(outcomeOfResponse({ status: 400, data: { a: 1 } }).body).toEqual({ a: 1 });
    expect(outcomeOfResponse({ status: 400, body: [1] }).body).toEqual([1]);
    expect(outcomeOfResponse({ status: 400, body: Object.create(null) }).body).toEqual({});
    for (const body of [7, true, null, new Date(0), sealedProxy()]) expect(outcomeOfResponse({ status: 400, body }).body).toBeUndefined();
    const response = new Response('unread');
    expect(outcomeOfResponse(response).body).toBeUndefined();
    expect(response.bodyUsed).toBe(false);
  });

  it('what is no object has no outcome', () => expect(outcomeOfResponse(undefined as unknown as object)).toEqual({}));
});

describe('outcomeOfError: where clients keep things', () => {
  it.each<[string, object]>([
    ['a status', { status: 401 }],
    ['a status code', { statusCode: 401 }],
    ['a response with a status', { response: { status: 401 } }],
    ['a response with a status code', { response: { statusCode: 401 } }],
    ['a status in words beside the number', { status: 'UNAUTHENTICATED', statusCode: 401 }],
    ['a status that is none', { status: 0, response: { status: 401 } }],
  ])('the status: %s', (_, fields) => {
    expect(outcomeOfError(Object.assign(new Error('x'), fields)).status).toBe(401);
    expect(outcomeOfError(fields).status).toBe(401);
  });

  it.each([0, 1, 99, 600, 401.5, Number.NaN, '401', null])('%j is not a status', (status) =>
    expect(outcomeOfError({ status }).status).toBeUndefined(),
  );

  it.each<[string, object]>([
    ['on the error', { headers: { 'Retry-After': '30' } }],
    ['on the error, as Headers', { headers: new Headers({ 'Retry-After': '30' }) }],
    ['on the response', { response: { headers: { 'Retry-After': '30' } } }],
  ])('the headers: %s', (_, fields) => expect(outcomeOfError(fields).headers).toEqual({ 'retry-after': '30' }));

  const body = { error: { code: 'x' } };
  it.each<[string, object, unknown]>([
    ['on `error`', { error: body }, body],
    ['on `data`', { data: body }, body],
    ['on `body`, as text', { body: JSON.stringify(body) }, JSON.stringify(body)],
    ["on the response's `data`", { response: { data: body } }, body],
    ["on the response's `body`", { response: { body: JSON.stringify(body) } }, JSON.stringify(body)],
    ['behind an `error` that is an error', { error: new Error('inner'), response: { data: body } }, body],
    ['in place of the message', { message: JSON.stringify(body) }, JSON.stringify(body)],
    ['nowhere: a message is no body', { message: 'no {"error":{}}' }, undefined],
  ])('the body: %s', (_, fields, found) => expect(outcomeOfError({ status: 401, ...fields }).body).toEqual(found));
});

describe('outcomeOfError: why there was no answer', () => {
  it.each([0, 1, 2, 4])('a code is found %i causes deep', (depth) =>
    expect(outcomeOfError(withCauses(depth, { code: 'ECONNRESET' })).code).toBe('ECONNRESET'),
  );
  it('but not for ever', () => expect(outcomeOfError(withCauses(5, { code: 'ECONNRESET' })).code).toBeUndefined());

  it("the network's code counts before a client's own, and a client's own before none", () => {
    const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET' });
    expect(outcomeOfError(Object.assign(new Error('x', { cause: reset }), { code: 'ERR_CLIENT' })).code).toBe('ECONNRESET');
    expect(outcomeOfError({ code: 'ETIMEDOUT', cause: reset }).code).toBe('ETIMEDOUT');
    expect(outcomeOfError({ code: 'ERR_CLIENT', cause: { code: 'ERR_INNER' } }).code).toBe('ERR_CLIENT');
    expect(outcomeOfError({ code: 23 }).code).toBeUndefined();
  });

  it('an answer that is a failure needs no reason, a good one that broke off does', () => {
    expect(outcomeOfError({ status: 401, code: 'ECONNRESET' }).code).toBeUndefined();
    expect(outcomeOfError({ code: 'ECONNRESET', response: { statusCode: 200 } })).toMatchObject({ status: 200, code: 'ECONNRESET' });
  });

  it('a chain of causes that bites its tail ends', () => {
    const error = new Error('x');
    error.cause = error;
    expect(outcomeOfError(error)).toMatchObject({ aborted: false, timedOut: false });
  });

  class APIUserAbortError extends Error {}
  class APIConnectionTimeoutError extends Error {}
  it.each<[string, unknown, { aborted: boolean; timedOut: boolean }]>([
    ['a time-out', new DOMException('x', 'TimeoutError'), { aborted: false, timedOut: true }],
    ['a time-out known by its class', new APIConnectionTimeoutError(), { aborted: false, timedOut: true }],
    ['an abort of the caller known by its class', new APIUserAbortError(), { aborted: true, timedOut: false }],
    ['an abort of the caller known by its code', { name: 'CanceledError', code: 'ERR_CANCELED' }, { aborted: true, timedOut: false }],
    ['an abort of the caller in both ways', { name: 'AbortError', code: 'ERR_ABORTED' }, { aborted: true, timedOut: false }],
    ["an abort that may be the client's own time limit", new DOMException('x', 'AbortError'), { aborted: true, timedOut: true }],
    ['one as the cause', new Error('x', { cause: new DOMException('x', 'AbortError') }), { aborted: true, timedOut: true }],
    [
      'an abort because of a time-out',
      Object.assign(new Error('x', { cause: new DOMException('x', 'TimeoutError') }), { name: 'AbortError' }),
      { aborted: false, timedOut: true },
    ],
    ['neither', new TypeError('The operation was aborted due to timeout'), { aborted: false, timedOut: false }],
  ])('%s', (_, error, flags) => expect(outcomeOfError(error)).toMatchObject(flags));
});

describe('outcomeOfError: foreign things', () => {
  it.each(['no', '', undefined, null, 401, true, Symbol.iterator, () => {}])('what is no object says nothing (%#)', (thrown) =>
    expect(outcomeOfError(thrown)).toEqual({ error: thrown }),
  );

  it("an error of Latchkey's says nothing: its status is of another run's call", () => {
    const error = new LatchkeyError('CREDENTIAL_REJECTED', 'rejected', { scope: {}, status: 401 });
    expect(outcomeOfError(error)).toEqual({ error });
  });

  it('what cannot be read is not there', () => {
    expect(outcomeOfError(sealedProxy()).status).toBeUndefined();
    const half = Object.assign(throwingGetters(['headers', 'body', 'error', 'code', 'cause']), { status: 401 });
    expect(outcomeOfError(half)).toMatchObject({ status: 401, headers: {}, body: undefined });
    expect(outcomeOfError(Object.create(null))).toMatchObject({ status: undefined, aborted: false });
  });
});
