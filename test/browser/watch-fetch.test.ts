import { describe, expect, it } from 'vitest';
import { watchFetch } from '../../src/browser/index.js';
import { type Answers, answer, type FakeWindow, fakeWindow } from './fake-window.js';

const TAG = 'X-Upstream-Auth-Failed';
const STEP_UP = 'X-Reauth-Required';

async function heardFor(response: Response, path = '/api/sessions'): Promise<FakeWindow['heard']> {
  const window = fakeWindow(() => response);
  await watchFetch(window.fetch, { window })(path);
  return window.heard;
}

describe('watchFetch', () => {
  it('tells a 401: status, path and method, and neither query nor headers', async () => {
    const window = fakeWindow(() => answer(401, { 'x-secret': 'canary-1' }));
    await watchFetch(window.fetch, { window })('/api/sessions?token=canary-2', { method: 'post', headers: { cookie: 'canary-3' } });
    expect(window.heard).toEqual([{ status: 401, pathname: '/api/sessions', method: 'POST', stepUp: false }]);
    expect(JSON.stringify(window.heard)).not.toContain('canary');
  });

  it('does not tell a tagged 401', async () => {
    expect(await heardFor(answer(401, { [TAG]: '1' }))).toEqual([]);
    expect(await heardFor(answer(401, { [TAG.toLowerCase()]: '1' }))).toEqual([]);
  });

  it.each(['true', '0', '1, 1', '01', '1;', 'yes', ''])('is not suppressed by the tag `%s`', async (value) => {
    expect(await heardFor(answer(401, { [TAG]: value }))).toHaveLength(1);
  });

  it('(hole) is not suppressed by a tag that came twice', async () => {
    const response = answer(401);
    response.headers.append(TAG, '1');
    response.headers.append(TAG, '1');
    expect(await heardFor(response)).toHaveLength(1);
  });

  it('does not tell a 403, unless it asks for a step-up', async () => {
    expect(await heardFor(answer(403))).toEqual([]);
    expect(await heardFor(answer(403, { [STEP_UP]: '1' }))).toEqual([
      { status: 403, pathname: '/api/sessions', method: 'GET', stepUp: true },
    ]);
    for (const value of ['true', '0', '1, 1']) expect(await heardFor(answer(403, { [STEP_UP]: value }))).toEqual([]);
  });

  it('the tag beats a step-up too', async () => {
    expect(await heardFor(answer(403, { [STEP_UP]: '1', [TAG]: '1' }))).toEqual([]);
    expect(await heardFor(answer(403, { [STEP_UP]: '1', [TAG]: 'true' }))).toHaveLength(1);
  });

  it.each([200, 204, 302, 400, 404, 407, 429, 500, 502, 503])('does not tell a %i', async (status) => {
    expect(await heardFor(answer(status, { [STEP_UP]: '1' }))).toEqual([]);
  });

  it('does not tell a 401 below an exempt path, `/api/auth/` unless said otherwise', async () => {
    expect(await heardFor(answer(401), '/api/auth/login')).toEqual([]);
    expect(await heardFor(answer(401), '/api/authors')).toHaveLength(1);
    const window = fakeWindow(() => answer(401));
    const fetch = watchFetch(window.fetch, { window, exempt: ['/gw/api/auth/', '/probe'] });
    for (const path of ['/gw/api/auth/me', '/probe', '/api/auth/me']) await fetch(path);
    expect(window.heard.map(({ pathname }) => pathname)).toEqual(['/api/auth/me']);
  });

  it('a step-up below an exempt path is told: it is asked for, wherever it is', async () => {
    expect(await heardFor(answer(403, { [STEP_UP]: '1' }), '/api/auth/password')).toHaveLength(1);
  });

  it.each([
    ['the query', '/api/sessions?next=/api/auth/login'],
    ['the hash', '/api/sessions#/api/auth/'],
    ['the query of another host', 'https://elsewhere.example/x?u=https://panel.example/api/auth/login'],
    ['the middle of the path', '/proxy/api/auth/login'],
    ['a path that leads out again', '/api/auth/../sessions'],
    ['the host', 'https://api.auth.example/sessions'],
  ])('(hole) the text of an exempt path in %s exempts nothing', async (_, input) => {
    expect(await heardFor(answer(401), input)).toHaveLength(1);
  });

  it('(hole) a Request and a URL are matched by their path', async () => {
    const window = fakeWindow(() => answer(401));
    const fetch = watchFetch(window.fetch, { window });
    await fetch(new Request('https://panel.example/api/auth/login', { method: 'PUT' }));
    await fetch(new URL('https://panel.example/api/auth/login'));
    expect(window.heard).toEqual([]);
    await fetch(new Request('https://panel.example/api/sessions?q=/api/auth/', { method: 'PUT' }));
    await fetch(new Request('https://panel.example/api/sessions'), { method: 'DELETE' });
    await fetch(new URL('https://panel.example/api/models'));
    expect(window.heard.map(({ method, pathname }) => `${method} ${pathname}`)).toEqual([
      'PUT /api/sessions',
      'DELETE /api/sessions',
      'GET /api/models',
    ]);
  });

  it('(hole) a Request of another frame, which is no instance here, counts as one', async () => {
    const window = fakeWindow(() => answer(401));
    const foreign = { url: 'https://panel.example/api/auth/login', method: 'GET' } as unknown as Request;
    await watchFetch(window.fetch, { window })(foreign);
    expect(window.heard).toEqual([]);
    expect(window.sent[0]?.init).toBeUndefined();
  });

  it('resolves a relative address where the page does: against its base', async () => {
    const window = { ...fakeWindow(() => answer(401)), document: { baseURI: 'https://panel.example/gw/' } };
    await watchFetch(window.fetch, { window, exempt: ['/gw/api/auth/'] })('api/auth/login');
    await watchFetch(window.fetch, { window })('api/sessions');
    expect(window.heard.map(({ pathname }) => pathname)).toEqual(['/gw/api/sessions']);
  });

  it('returns the response untouched, its body unread', async () => {
    const response = answer(401, {}, 'the body');
    const window = fakeWindow(() => response);
    const returned = await watchFetch(window.fetch, { window })('/api/sessions');
    expect(returned).toBe(response);
    expect(returned.bodyUsed).toBe(false);
    expect(await returned.text()).toBe('the body');
  });

  it('passes on what is thrown, the same object', async () => {
    const failure = new TypeError('failed to fetch');
    const window = fakeWindow(() => Promise.reject(failure));
    await expect(watchFetch(window.fetch, { window })('/api/sessions')).rejects.toBe(failure);
    expect(window.heard).toEqual([]);
  });

  it('sends credentials where the caller set none', async () => {
    const window = fakeWindow(() => answer(200));
    const fetch = watchFetch(window.fetch, { window });
    const headers = { accept: 'text/plain' };
    const init = { method: 'POST', headers };
    await fetch('/a');
    await fetch(new URL('https://panel.example/b'), init);
    expect(window.sent.map((one) => one.init)).toEqual([{ credentials: 'include' }, { method: 'POST', headers, credentials: 'include' }]);
    expect(init).toEqual({ method: 'POST', headers });
  });

  it('an init whose members are inherited or getters keeps them, and is plain for who wraps fetch further in', async () => {
    class Init {
      readonly #method = 'POST';
      get method() {
        return this.#method;
      }
      get body() {
        return 'x';
      }
    }
    const window = fakeWindow(() => answer(200));
    const fetch = watchFetch(window.fetch, { window });
    await fetch('/a', new Init());
    await fetch('/b', Object.create({ method: 'PUT' }));
    await fetch('/c', Object.defineProperty({}, 'method', { get: () => 'DELETE' }));
    await fetch('/d', Object.freeze({ method: 'PATCH' }));
    await fetch('/e', null as never);
    const sent = window.sent.map(({ init }) => ({ ...init }));
    expect(sent).toMatchObject([{ method: 'POST', body: 'x' }, { method: 'PUT' }, { method: 'DELETE' }, { method: 'PATCH' }, {}]);
    for (const init of sent) expect(init.credentials).toBe('include');
  });

  it('credentials that are inherited or a getter’s are the caller’s', async () => {
    const window = fakeWindow(() => answer(200));
    const init = Object.create({ credentials: 'omit' });
    await watchFetch(window.fetch, { window })('/a', init);
    expect(window.sent[0]?.init).toBe(init);
  });

  it.each(['omit', 'same-origin', 'include'] as const)('leaves the caller’s `%s` alone', async (credentials) => {
    const window = fakeWindow(() => answer(200));
    const init = { credentials };
    await watchFetch(window.fetch, { window })('/a', init);
    expect(window.sent[0]?.init).toBe(init);
  });

  it('leaves a Request as it is, whose default cannot be told from a choice', async () => {
    const window = fakeWindow(() => answer(200));
    const fetch = watchFetch(window.fetch, { window });
    const request = new Request('https://panel.example/a', { credentials: 'omit' });
    await fetch(request);
    await fetch(request, { method: 'POST' });
    expect(window.sent).toEqual([
      { input: request, init: undefined },
      { input: request, init: { method: 'POST' } },
    ]);
    expect(window.sent[0]?.input).toBe(request);
  });

  it('by default any origin’s 401 counts', async () => {
    expect(await heardFor(answer(401), 'https://elsewhere.example/x')).toHaveLength(1);
  });

  it('with `origins`, a call to any other one is left entirely alone', async () => {
    const window = fakeWindow(() => answer(401));
    const fetch = watchFetch(window.fetch, { window, origins: ['https://panel.example', 'https://gateway.example:8443'] });
    const init = { method: 'POST' };
    await fetch('https://elsewhere.example/x', init);
    await fetch(new URL('https://gateway.example/x'));
    await fetch(new Request('http://panel.example/x'));
    await fetch('https://');
    expect(window.heard).toEqual([]);
    expect(window.sent[0]?.init).toBe(init);
    expect(window.sent.slice(1).map((one) => one.init)).toEqual([undefined, undefined, undefined]);
    window.sent.length = 0;
    await fetch('/a', init);
    await fetch('https://gateway.example:8443/b');
    expect(window.heard.map(({ pathname }) => pathname)).toEqual(['/a', '/b']);
    expect(window.sent.map((one) => one.init?.credentials)).toEqual(['include', 'include']);
  });

  it('with `origins`, a 401 that a redirect to another one gave is not told', async () => {
    const from = (url: string) => Object.defineProperty(answer(401), 'url', { value: url });
    for (const [url, told] of [
      ['https://elsewhere.example/a', 0],
      ['https://panel.example/a', 1],
      ['', 1],
    ] as const) {
      const window = fakeWindow(() => from(url));
      expect((await watchFetch(window.fetch, { window, origins: ['https://panel.example'] })('/a')).status).toBe(401);
      expect(window.heard).toHaveLength(told);
    }
  });

  it('calls fetch as a method of its window', async () => {
    let self: unknown;
    const window = fakeWindow(() => answer(200));
    const fetch = watchFetch(
      async function (this: unknown) {
        self = this;
        return answer(200);
      },
      { window },
    );
    await fetch('/a');
    expect(self).toBe(window);
  });

  it('a window that cannot dispatch, a response of another kind: the caller gets the response', async () => {
    const broken = {
      ...fakeWindow(() => answer(401)),
      dispatchEvent: () => {
        throw new Error('no');
      },
    };
    expect((await watchFetch(broken.fetch, { window: broken })('/a')).status).toBe(401);
    for (const odd of [undefined, { status: 401 }, 'text']) {
      const window = fakeWindow((() => odd) as unknown as Answers);
      expect(await watchFetch(window.fetch, { window })('/a')).toBe(odd);
    }
  });

  it('an address that does not parse is the business of fetch', async () => {
    const failure = new TypeError('Failed to parse URL');
    const window = fakeWindow(() => Promise.reject(failure));
    await expect(watchFetch(window.fetch, { window })('https://')).rejects.toBe(failure);
  });

  it('two watches of one call tell it once', async () => {
    const window = fakeWindow(() => answer(401));
    await watchFetch(watchFetch(window.fetch, { window }), { window })('/a');
    expect(window.heard).toHaveLength(1);
  });
});
