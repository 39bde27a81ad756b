import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createFetchJson, HttpError, UpstreamAuthError, upstreamAuthError } from '../../src/browser/index.js';
import { answer, envelope, fakeWindow } from './fake-window.js';

const TAG = 'X-Upstream-Auth-Failed';

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => expect.fail(`resolved with ${String(value)}`),
    (error: unknown) => error,
  );
}

describe('fetchJson', () => {
  it('gives the parsed JSON of a 2xx, and hands request and options to fetch as they are', async () => {
    const window = fakeWindow(() => answer(201, {}, '{"id":7}'));
    const init = { method: 'POST', body: '{}' };
    expect(await createFetchJson({ window })<{ id: number }>('/api/sessions', init)).toEqual({ id: 7 });
    expect(window.sent).toEqual([{ input: '/api/sessions', init }]);
    expect(window.sent[0]?.init).toBe(init);
  });

  it.each([
    ['a 204', answer(204)],
    ['an empty body', answer(200, {}, '')],
    ['blanks', answer(200, {}, ' \n')],
  ])('gives undefined for %s', async (_, response) => {
    const window = fakeWindow(() => response);
    expect(await createFetchJson({ window })('/api/sessions')).toBeUndefined();
  });

  it('a 2xx that is no JSON is an HttpError, which does not quote the body', async () => {
    const window = fakeWindow(() => answer(200, {}, '<html>canary'));
    const error = await failureOf(createFetchJson({ window })('/api/sessions?q=canary'));
    expect(error).toBeInstanceOf(HttpError);
    expect(error).toMatchObject({ name: 'HttpError', status: 200, body: '<html>canary', pathname: '/api/sessions' });
    expect(inspect(error)).not.toContain('canary');
  });

  it.each([301, 400, 403, 404, 409, 429, 500, 502, 503])('a %i is an HttpError with status, text and path', async (status) => {
    const window = fakeWindow(() => answer(status, {}, 'why canary'));
    const error = await failureOf(createFetchJson({ window })('/api/models?key=canary'));
    expect(error).toBeInstanceOf(HttpError);
    expect(error).toMatchObject({ status, body: 'why canary', pathname: '/api/models', message: `/api/models answered ${status}` });
    expect(inspect(error) + JSON.stringify(error) + String(error)).not.toContain('canary');
    expect(window.visited).toEqual([]);
  });

  it('passes on what fetch throws, the same object', async () => {
    const failure = new TypeError('failed to fetch');
    const window = fakeWindow(() => Promise.reject(failure));
    await expect(createFetchJson({ window })('/api/sessions')).rejects.toBe(failure);
  });

  it('uses the window’s fetch of the moment, or the one that was given', async () => {
    const window = fakeWindow(() => answer(200, {}, '1'));
    const fetchJson = createFetchJson({ window });
    window.fetch = async () => answer(200, {}, '2');
    expect(await fetchJson('/a')).toBe(2);
    expect(await createFetchJson({ window, fetch: async () => answer(200, {}, '3') })('/a')).toBe(3);
  });

  it('a body that breaks off keeps its status; a caller’s abort is the caller’s', async () => {
    const broken = () =>
      new Response(
        new ReadableStream({
          pull(controller) {
            controller.error(new TypeError('network error'));
          },
        }),
        { status: 401 },
      );
    const window = fakeWindow(broken);
    expect(await failureOf(createFetchJson({ window })('/a'))).toMatchObject({ name: 'HttpError', status: 401, body: '' });
    const reason = new Error('left the page');
    await expect(createFetchJson({ window })('/a', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const request = new Request('https://panel.example/a', { signal: AbortSignal.abort(reason) });
    await expect(createFetchJson({ window })(request)).rejects.toBe(reason);
  });

  it('a body that somebody has read already keeps its status', async () => {
    const window = fakeWindow(async () => {
      const response = envelope();
      await response.text();
      return response;
    });
    expect(await failureOf(createFetchJson({ window })('/a'))).toMatchObject({ name: 'HttpError', status: 401, body: '' });
    expect(window.visited).toEqual([]);
  });
});

describe('a tagged response', () => {
  it.each([401, 403])('is an UpstreamAuthError for a %i, named by the request’s path; nobody is sent to the login', async (status) => {
    const response = new Response(await envelope().text(), { status, headers: { [TAG]: '1' } });
    const window = fakeWindow(() => response);
    const error = await failureOf(createFetchJson({ window })('/api/panels/alpha?key=canary'));
    expect(error).toBeInstanceOf(UpstreamAuthError);
    expect(error).toMatchObject({
      name: 'UpstreamAuthError',
      message: 'upstream auth failed: /api/panels/alpha',
      status,
      upstream: '/api/panels/alpha',
    });
    expect(inspect(error)).not.toContain('canary');
    expect([window.visited, window.stored.size]).toEqual([[], 0]);
  });

  it('is named by a text or a function', async () => {
    const window = fakeWindow(() => answer(401, { [TAG]: '1' }));
    const text = createFetchJson({ window, upstream: 'alpha' });
    expect(await failureOf(text('/a'))).toMatchObject({ message: 'upstream auth failed: alpha' });
    const calls: unknown[] = [];
    const named = createFetchJson({
      window,
      upstream(request) {
        calls.push(request);
        return 'beta';
      },
    });
    expect(await failureOf(named('/a?x=1', { method: 'post' }))).toMatchObject({ upstream: 'beta' });
    expect(calls).toEqual([{ method: 'POST', url: 'https://panel.example/a?x=1', pathname: '/a' }]);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    ['gives an empty text', () => ''],
    ['gives something else', (() => 7) as unknown as () => string],
  ])('is named by its path when the function %s', async (_, upstream) => {
    const window = fakeWindow(() => answer(401, { [TAG]: '1' }));
    expect(await failureOf(createFetchJson({ window, upstream })('/a'))).toMatchObject({ upstream: '/a' });
  });

  it.each(['true', '0', '1, 1'])('with the value `%s` is not tagged', async (value) => {
    const window = fakeWindow(() => answer(401, { [TAG]: value }, 'no'));
    expect(await failureOf(createFetchJson({ window })('/a'))).toMatchObject({ name: 'HttpError', status: 401, body: 'no' });
  });

  it('gives its error to those who fetch by hand', () => {
    expect(upstreamAuthError(answer(401, { [TAG]: '1' }), 'alpha')).toMatchObject({ status: 401, upstream: 'alpha' });
    const from = { url: 'https://panel.example/api/alpha?key=canary', status: 403, headers: new Headers({ [TAG]: '1' }) };
    expect(upstreamAuthError(from)).toMatchObject({ status: 403, message: 'upstream auth failed: /api/alpha' });
    expect(upstreamAuthError(answer(401, { [TAG]: '1' }))).toMatchObject({ upstream: 'unknown' });
    expect(upstreamAuthError(answer(401))).toBeUndefined();
    expect(upstreamAuthError(answer(401, { [TAG]: '1, 1' }))).toBeUndefined();
  });

  it('(hole) a tag on any other status is nobody’s word', async () => {
    expect(upstreamAuthError(answer(200, { [TAG]: '1' }))).toBeUndefined();
    expect(upstreamAuthError(answer(502, { [TAG]: '1' }))).toBeUndefined();
    const window = fakeWindow(() => answer(200, { [TAG]: '1' }, '{"ok":true}'));
    expect(await createFetchJson({ window })('/a')).toEqual({ ok: true });
  });
});
