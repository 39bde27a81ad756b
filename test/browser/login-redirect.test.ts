import { describe, expect, it, vi } from 'vitest';
import { createFetchJson, installAuthWatch } from '../../src/browser/index.js';
import { answer, envelope, type FakeWindow, fakeWindow } from './fake-window.js';

const RETURN_TO = 'latchkey:return-to';

/** Whether a promise is still open after everything that is due has run. */
async function isOpen(promise: Promise<unknown>): Promise<boolean> {
  let open = true;
  const close = () => {
    open = false;
  };
  promise.then(close, close);
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  return open;
}

async function refused(window: FakeWindow): Promise<void> {
  await expect(createFetchJson({ window })('/api/sessions')).rejects.toMatchObject({ name: 'HttpError', status: 401 });
  expect(window.visited).toEqual([]);
  expect(window.stored.size).toBe(0);
}

describe('the gateway’s own 401', () => {
  it.each(['session_expired', 'unauthenticated'])('`%s` saves the location, goes to the login, and never settles', async (error) => {
    const window = fakeWindow(() => envelope('/login', error));
    expect(await isOpen(createFetchJson({ window })('/api/sessions'))).toBe(true);
    expect(window.visited).toEqual(['https://panel.example/login?next=%2Fsessions%3Fpage%3D2']);
    expect(window.stored.get(RETURN_TO)).toBe('/sessions?page=2#row-7');
  });

  it('is looked at in a clone: the answer that others hold stays unread', async () => {
    const response = envelope();
    const window = fakeWindow(() => response);
    void createFetchJson({ window })('/api/sessions');
    await vi.waitFor(() => expect(window.visited).toHaveLength(1));
    expect(response.bodyUsed).toBe(false);
  });

  it('goes once for ten calls at the same time, of two instances and of two copies of the module', async () => {
    vi.resetModules();
    const copy = await import('../../src/browser/index.js');
    const window = fakeWindow(() => envelope());
    const instances = [createFetchJson({ window }), createFetchJson({ window }), copy.createFetchJson({ window })];
    const calls = Array.from({ length: 10 }, (_, at) => instances[at % 3]?.(`/api/${at}`) ?? expect.fail());
    expect(await Promise.all(calls.map(isOpen))).toEqual(Array(10).fill(true));
    expect(window.visited).toHaveLength(1);
    expect(await isOpen(createFetchJson({ window })('/api/late'))).toBe(true);
    expect(window.visited).toHaveLength(1);
  });

  it('goes again when the page came back from memory, and not when it was merely shown', async () => {
    const window = fakeWindow(() => envelope());
    const fetchJson = createFetchJson({ window });
    void fetchJson('/api/1');
    await vi.waitFor(() => expect(window.visited).toHaveLength(1));
    window.show(false);
    expect(await isOpen(fetchJson('/api/2'))).toBe(true);
    expect(window.visited).toHaveLength(1);
    window.show(true);
    void fetchJson('/api/3');
    void fetchJson('/api/4');
    await vi.waitFor(() => expect(window.visited).toHaveLength(2));
    window.show(true);
    void fetchJson('/api/5');
    await vi.waitFor(() => expect(window.visited).toHaveLength(3));
  });

  it('leaves no listener behind when the page came back', async () => {
    const window = fakeWindow(() => envelope());
    const [add, remove] = [vi.spyOn(window, 'addEventListener'), vi.spyOn(window, 'removeEventListener')];
    const fetchJson = createFetchJson({ window });
    for (let round = 1; round <= 3; round++) {
      void fetchJson('/api/1');
      await vi.waitFor(() => expect(window.visited).toHaveLength(round));
      window.show(true);
    }
    expect([add.mock.calls.length, remove.mock.calls.length]).toEqual([3, 3]);
    expect(remove.mock.calls.map(([, listener]) => listener)).toEqual(add.mock.calls.map(([, listener]) => listener));
  });

  it('a page that may not be left is an error, and the next 401 tries again', async () => {
    const window = fakeWindow(() => envelope());
    const { assign } = window.location;
    window.location.assign = () => {
      throw new Error('sandboxed');
    };
    await expect(createFetchJson({ window })('/api/sessions')).rejects.toMatchObject({ name: 'HttpError', status: 401 });
    window.location.assign = assign;
    expect(await isOpen(createFetchJson({ window })('/api/sessions'))).toBe(true);
    expect(window.visited).toHaveLength(1);
  });

  it.each([
    ['is full', true],
    ['is forbidden', false],
  ])('a session storage that %s does not keep the user from the login', async (_, present) => {
    const plain = fakeWindow(() => envelope());
    const window = Object.create(plain, {
      sessionStorage: {
        get() {
          if (!present) throw new DOMException('denied', 'SecurityError');
          return {
            setItem() {
              throw new DOMException('full', 'QuotaExceededError');
            },
          };
        },
      },
    }) as FakeWindow;
    expect(await isOpen(createFetchJson({ window })('/api/sessions'))).toBe(true);
    expect(plain.visited).toHaveLength(1);
  });

  it('is told by a watch as well', async () => {
    const window = fakeWindow(() => envelope());
    installAuthWatch({ window });
    void createFetchJson({ window })('/api/sessions');
    await vi.waitFor(() => expect(window.visited).toHaveLength(1));
    expect(window.heard).toEqual([{ status: 401, pathname: '/api/sessions', method: 'GET', stepUp: false }]);
  });
});

describe('a 401 from another origin', () => {
  const from = (url: string): Response => Object.defineProperty(envelope(), 'url', { value: url });

  it('is an error: it steers no page of this one', async () => {
    for (const input of ['https://elsewhere.example/api/sessions', new Request('http://panel.example/api/sessions')]) {
      const window = fakeWindow(() => envelope());
      await expect(createFetchJson({ window })(input)).rejects.toMatchObject({ name: 'HttpError', status: 401 });
      expect([window.visited, window.stored.size]).toEqual([[], 0]);
    }
  });

  it('is one by the address of the answer: a redirect leads there, or back', async () => {
    await refused(fakeWindow(() => from('https://elsewhere.example/api/sessions')));
    const window = fakeWindow(() => from('https://panel.example/api/sessions'));
    expect(await isOpen(createFetchJson({ window })('https://elsewhere.example/api/sessions'))).toBe(true);
    expect(window.visited).toHaveLength(1);
  });

  it('a relative address is the other origin’s on a page whose base is there', async () => {
    const window = { ...fakeWindow(() => envelope()), document: { baseURI: 'https://elsewhere.example/' } };
    await expect(createFetchJson({ window })('/api/sessions')).rejects.toMatchObject({ name: 'HttpError', status: 401 });
    expect(window.visited).toEqual([]);
  });
});

describe('a 401 of any other kind is an error with status and text', () => {
  it.each([
    ['another code', envelope('/login', 'forbidden')],
    ['a code of another case', envelope('/login', 'Session_Expired')],
    ['no login_url', answer(401, {}, '{"error":"session_expired"}')],
    ['an empty login_url', envelope('')],
    ['a login_url that is no text', envelope(['/login'])],
    ['a list', answer(401, {}, '["session_expired"]')],
    ['null', answer(401, {}, 'null')],
    ['no JSON', answer(401, {}, '<h1>401</h1>')],
    ['an empty body', answer(401)],
  ])('%s', async (_, response) => {
    const text = await response.clone().text();
    const window = fakeWindow(() => response);
    await expect(createFetchJson({ window })('/api/sessions')).rejects.toMatchObject({
      status: 401,
      body: text,
      pathname: '/api/sessions',
    });
    expect([window.visited, window.stored.size]).toEqual([[], 0]);
  });

  it('a 403 with the envelope is not a 401', async () => {
    const window = fakeWindow(async () => answer(403, {}, await envelope().text()));
    await expect(createFetchJson({ window })('/api/sessions')).rejects.toMatchObject({ name: 'HttpError', status: 403 });
    expect(window.visited).toEqual([]);
  });
});

describe('a login_url', () => {
  it.each([
    'https://evil.example/login',
    'http://panel.example/login',
    'https://panel.example:8443/login',
    'https://panel.example.evil.example/login',
    'https://panel.example@evil.example/login',
    '//evil.example/login',
    '///evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    '\t//evil.example',
    ' //evil.example',
    '/.//evil.example',
    '/x/..//evil.example',
    '/login\\..\\..',
    '/login\u0000',
    '/login\u007f',
    'javascript:alert(1)',
    'data:text/html,x',
    'login',
    '?next=/x',
    '#login',
  ])('that leads off this origin, or is no path of it, is refused: %j', async (loginUrl) => {
    await refused(fakeWindow(() => envelope(loginUrl)));
  });

  it('may name this origin: the page goes to its path', async () => {
    const window = fakeWindow(() => envelope('https://panel.example/login?hint=a'));
    expect(await isOpen(createFetchJson({ window })('/api/sessions'))).toBe(true);
    expect(window.visited).toEqual([expect.stringMatching(/^https:\/\/panel\.example\/login\?hint=a&next=/)]);
  });

  it('that is the very page that the user is on is refused: it would load itself for ever', async () => {
    await refused(fakeWindow(() => envelope('/login?next=%2Fx'), 'https://panel.example/login'));
  });

  it.each([
    ['/signin', '/signin/'],
    ['/signin/', '/signin'],
    ['/', '//'],
  ])('%s is the very page too on %s, which the server redirects to or from', async (loginUrl, path) => {
    await refused(fakeWindow(() => envelope(loginUrl), `https://panel.example${path}`));
  });

  it('is refused on a page that has no origin', async () => {
    const window = fakeWindow(() => envelope('/login'));
    await refused({ ...window, location: { ...window.location, origin: 'null' } });
  });

  it.each([
    ['/login?next=%2Fmodels', '/login?next=%2Fmodels'],
    ['/login?next=%2Fmodels&lang=a%20b', '/login?next=%2Fmodels&lang=a%20b'],
    ['/login?hint', '/login?hint&next=%2Fsessions%3Fpage%3D2'],
    ['/login?lang=en', '/login?lang=en&next=%2Fsessions%3Fpage%3D2'],
    ['/login?', '/login?next=%2Fsessions%3Fpage%3D2'],
    ['/gw/login', '/gw/login?next=%2Fsessions%3Fpage%3D2'],
    ['/login#form', '/login?next=%2Fsessions%3Fpage%3D2#form'],
  ])('%s: goes to %s', async (loginUrl, target) => {
    const window = fakeWindow(() => envelope(loginUrl));
    void createFetchJson({ window })('/api/sessions');
    await vi.waitFor(() => expect(window.visited).toEqual([`https://panel.example${target}`]));
    expect(new URL(window.visited[0] ?? '').origin).toBe(window.location.origin);
  });

  it.each(['https://panel.example/auth/step', 'https://panel.example/api/doc', 'https://panel.example//evil.example'])(
    'gets no `next` from a page that a login may not lead to: %s',
    async (href) => {
      const window = fakeWindow(() => envelope(), href);
      void createFetchJson({ window })('/api/sessions');
      await vi.waitFor(() => expect(window.visited).toEqual(['https://panel.example/login']));
    },
  );

  it('knows the login pages below the gateway’s prefix', async () => {
    const window = fakeWindow(() => envelope('/gw/login'), 'https://panel.example/gw/auth/step');
    void createFetchJson({ window, prefix: '/gw' })('/gw/api/sessions');
    await vi.waitFor(() => expect(window.visited).toEqual(['https://panel.example/gw/login']));
  });

  it.each([
    '/login?next=',
    '/login?next=https%3A%2F%2Fevil.example',
    '/login?next=//evil.example/phish',
    '/login?next=/%5Cevil.example',
    '/login?next=/login',
    '/login?%6eext=/api/keys',
    '/login?next=/models&next=//evil.example',
  ])('brings a `next` that a login may not lead to: it goes to the login with the current place instead: %s', async (loginUrl) => {
    const window = fakeWindow(() => envelope(loginUrl));
    void createFetchJson({ window })('/api/sessions');
    await vi.waitFor(() => expect(window.visited).toEqual(['https://panel.example/login?next=%2Fsessions%3Fpage%3D2']));
  });

  it('brings a `next` that is a login page below the prefix: the current place counts', async () => {
    const window = fakeWindow(() => envelope('/gw/login?next=/gw/auth/x'), 'https://panel.example/gw/models');
    void createFetchJson({ window, prefix: '/gw' })('/gw/api/sessions');
    await vi.waitFor(() => expect(window.visited).toEqual(['https://panel.example/gw/login?next=%2Fgw%2Fmodels']));
  });
});
