import express from 'express';
import { describe, expect, it } from 'vitest';
import { apiKey, bearer, type Credential } from '../../src/credential/credential.js';
import { createGuard, type Guard, type GuardOptions } from '../../src/guard/guard.js';
import type { GuardedRequest } from '../../src/guard/request.js';
import { sendAnswer, toResponse } from '../../src/signals/answer.js';
import { listening, type RawReply, rawRequest } from './raw-http.js';

const SECRET = 'tok-9f8e7d6c5b4a39281706f5e4d3c2b1a0';
const token = bearer(SECRET);
const guard = createGuard({ token });
const by = (request: unknown, guarding: Guard = guard): string => {
  const authenticated = guarding.authenticateRequest(request as GuardedRequest);
  return authenticated.ok ? authenticated.by : authenticated.refusal.reason;
};

/** What a real server of the guard's answers: `by` in the body, or the 401. */
async function ask(target: string, lines: readonly string[] = [], method = 'GET', options: Partial<GuardOptions> = {}): Promise<RawReply> {
  const guarding = createGuard({ token, ...options });
  const server = await listening((request, response) => {
    const authenticated = guarding.authenticateRequest(request);
    if (authenticated.ok) response.end(authenticated.by);
    else sendAnswer(response, authenticated.answer);
  });
  return rawRequest(server.port, target, lines, method).finally(() => server.close());
}

describe('the health path', () => {
  it.each(['/health', '/health?', '/health?deep=1', '/health??/x'])('is open, exactly as it is: GET %s', async (target) => {
    expect(await ask(target)).toMatchObject({ status: 200, body: 'health' });
  });

  it.each([
    '//health',
    '/%68ealth',
    '/health/',
    '/health/../status',
    '/./health',
    '/Health',
    '/healthz',
    '/health;x',
    '/health#x',
    '/health%3F',
    '/x/health',
    '/\\health',
    'http://127.0.0.1/health',
    '/status?/health',
    '*',
  ])('is no other: %s', async (target) => {
    expect((await ask(target, [], target === '*' ? 'OPTIONS' : 'GET')).status).toBe(401);
  });

  it('is open to HEAD, and to no other method', async () => {
    expect((await ask('/health', [], 'HEAD')).status).toBe(200);
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) expect((await ask('/health', [], method)).status).toBe(401);
    expect(by({ headers: {}, url: '/health' })).toBe('missing');
  });

  it('is not open to those who want another protocol', async () => {
    expect(by({ method: 'GET', url: '/health', headers: { upgrade: 'websocket' } })).toBe('missing');
    expect(by({ method: 'GET', url: '/health', headers: new Headers({ Upgrade: 'h2c' }) })).toBe('missing');
    const answers: string[] = [];
    const server = await listening((_, response) => response.end());
    server.server.on('upgrade', (request, socket) => {
      answers.push(by(request));
      socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n');
    });
    await rawRequest(server.port, '/health', ['Upgrade: websocket', 'Connection: upgrade']).finally(() => server.close());
    expect(answers).toEqual(['missing']);
  });

  it('can be another, or none', async () => {
    expect((await ask('/live', [], 'GET', { healthPath: '/live' })).status).toBe(200);
    expect((await ask('/health', [], 'GET', { healthPath: '/live' })).status).toBe(401);
    expect((await ask('/health', [], 'GET', { healthPath: false })).status).toBe(401);
    expect((await ask('/false', [], 'GET', { healthPath: false })).status).toBe(401);
  });

  it("is that of a `Request`'s URL", () => {
    expect(by(new Request('https://gw.example:8443/health?x'))).toBe('health');
    expect(by(new Request('https://gw.example/health/'))).toBe('missing');
    expect(by(new Request('https://gw.example//health'))).toBe('missing');
    expect(by(new Request('https://gw.example?/health'))).toBe('missing');
    expect(by(new Request('https://gw.example/health', { method: 'POST' }))).toBe('missing');
  });

  it('below a mount of Express is the whole path, and nothing that a middleware has made of another', async () => {
    const app = express();
    const mounted = createGuard({ token, healthPath: '/gw/health' });
    app.use('/gw', (request, response) => void response.send(by(request, mounted)));
    app.use('/rewritten', (request, response) => {
      request.url = '/health';
      response.send(by(request));
    });
    app.use((request, response) => {
      if (request.url === '/health?hidden') request.url = '/secret';
      response.send(by(request));
    });
    const server = await listening(app);
    try {
      const bodies = await Promise.all(
        ['/gw/health', '/health', '/gw/gw/health', '/rewritten', '/rewritten/health', '/health?hidden'].map(
          async (target) => (await rawRequest(server.port, target)).body,
        ),
      );
      expect(bodies).toEqual(['health', 'health', 'missing', 'missing', 'missing', 'missing']);
    } finally {
      await server.close();
    }
  });
});

describe('the answer to those who are not let in', () => {
  const options = { realm: 'gate way' };

  it('is a 401 that says who asks for what, on the wire', async () => {
    const { status, head, body } = await ask('/status', [], 'GET', options);
    expect([status, body]).toEqual([401, '{"error":"unauthorized","realm":"gate way"}']);
    for (const line of [
      'WWW-Authenticate: Bearer realm="gate way"',
      'Cache-Control: no-store',
      'Content-Type: application/json',
      'Content-Length: 43',
    ]) {
      expect(head.split('\r\n')).toContain(line);
    }
    expect((await ask('/status', [], 'HEAD', options)).body).toBe('');
  });

  it('is the same from sendUnauthorized, and as a `Response`', async () => {
    const guarding = createGuard({ token, ...options });
    const server = await listening((_, response) => {
      guarding.sendUnauthorized(response);
      guarding.sendUnauthorized(response);
    });
    const sent = await rawRequest(server.port, '/status').finally(() => server.close());
    const dated = /Date: .*\r\n/;
    expect(sent.head.replace(dated, '')).toBe((await ask('/status', [], 'GET', options)).head.replace(dated, ''));
    const refused = guarding.authenticateRequest(new Request('http://gw.example/status'));
    const response = toResponse((refused as Extract<typeof refused, { ok: false }>).answer);
    expect([response.status, await response.json()]).toEqual([401, { error: 'unauthorized', realm: 'gate way' }]);
    expect(guarding.realm).toBe('gate way');
  });

  it('does not change for the next one if somebody changes it', () => {
    const answers = [1, 2].map(() => {
      const refused = guard.authenticateRequest({ headers: {} });
      const { answer } = refused as Extract<typeof refused, { ok: false }>;
      const copy = structuredClone(answer);
      (answer.headers as Record<string, string>)['WWW-Authenticate'] = 'Basic';
      return copy;
    });
    expect(answers[0]).toEqual(answers[1]);
  });
});

describe('createGuard', () => {
  it("takes a server's token", () => {
    const guarding = createGuard({ token: { source: 'file', credential: token, path: '/run/token' } });
    expect([guarding.asksForBearer, by({ headers: { authorization: `Bearer ${SECRET}` } }, guarding)]).toEqual([true, 'bearer']);
    expect([guarding.takesCertificates, createGuard({ token: bearer(SECRET), clientCertificates: true }).takesCertificates]).toEqual([
      false,
      true,
    ]);
    expect(by({ headers: {} }, guarding)).toBe('missing');
  });

  it('signs in with the token itself, and nothing around it', () => {
    const { signIn } = createGuard({ token });
    expect(signIn?.verify(SECRET)).toBe(true);
    for (const value of [
      ` ${SECRET}`,
      `${SECRET} `,
      `   ${SECRET}`,
      `Bearer ${SECRET}`,
      SECRET.slice(1),
      `${SECRET}x`,
      '',
      ' ',
      '\ud800',
    ]) {
      expect(signIn?.verify(value)).toBe(false);
    }
    for (const value of [undefined, null, 7, {}, [SECRET], token]) expect(signIn?.verify(value as never)).toBe(false);
  });

  it('lets everybody in if the token is disabled', () => {
    const guarding = createGuard({ token: { source: 'disabled', credential: undefined, path: undefined } });
    expect([guarding.asksForBearer, by({ headers: {}, url: '/status' }, guarding)]).toEqual([false, 'disabled']);
  });

  it('looks at the health path first, then at the certificate', () => {
    const certificate = { subject: { CN: 'worker-7' }, valid_to: 'Dec 31 23:59:59 2999 GMT' };
    const socket = { encrypted: true, authorized: true, getProtocol: () => 'TLSv1.3', getPeerCertificate: () => certificate };
    const both = createGuard({ token, clientCertificates: true });
    const request = { headers: { authorization: 'Bearer wrong' }, method: 'GET', socket };
    expect(both.authenticateRequest({ ...request, url: '/health' })).toEqual({ ok: true, by: 'health' });
    expect(both.authenticateRequest({ ...request, url: '/status' })).toEqual({ ok: true, by: 'certificate', subject: 'worker-7' });
    expect(by({ ...request, url: '/status' })).toBe('mismatch');
  });

  it.each<[RegExp, unknown]>([
    [/`options` must be an object/, undefined],
    [/unknown option `tokens`/, { token, tokens: [] }],
    [/`token` must come from resolveServerToken\(\) or bearer\(\)/, {}],
    [/`token` must come from/, { token: SECRET }],
    [/`token` must come from/, { token: apiKey(SECRET) }],
    [/`token` must come from/, { token: null }],
    [/`token` must come from/, { token: { source: 'file', credential: undefined, path: undefined } }],
    [/`token` must come from/, { token: { source: 'disabled', credential: token, path: undefined } }],
    [/`token` must come from/, { token: { source: 'explicit', credential: { reveal: () => SECRET } } }],
    [/`realm` must be printable ASCII without quotes and backslashes/, { token, realm: 'a"b' }],
    [/`realm` must be/, { token, realm: 'a\\b' }],
    [/`realm` must be/, { token, realm: 'a\r\nSet-Cookie: x' }],
    [/`realm` must be/, { token, realm: 'r\u00e4alm' }],
    [/`realm` must be/, { token, realm: '' }],
    [/`realm` must be/, { token, realm: 7 }],
    [/`healthPath` must be a path such as '\/health', or false/, { token, healthPath: 'health' }],
    [/`healthPath` must be/, { token, healthPath: '' }],
    [/`healthPath` must be/, { token, healthPath: '/' }],
    [/`healthPath` must be/, { token, healthPath: '/health/' }],
    [/`healthPath` must be/, { token, healthPath: '//health' }],
    [/`healthPath` must be/, { token, healthPath: '/health?x' }],
    [/`healthPath` must be/, { token, healthPath: '/./health' }],
    [/`healthPath` must be/, { token, healthPath: '/x/%2E./health' }],
    [/`healthPath` must be/, { token, healthPath: '/x/..\\health' }],
    [/`healthPath` must be/, { token, healthPath: '/x%5chealth' }],
    [/`healthPath` must be/, { token, healthPath: true }],
    [/`clientCertificates` must be true or false/, { token, clientCertificates: 1 }],
    [/`onRefused` must be a function/, { token, onRefused: 'log' }],
  ])('says %s', (message, options) => {
    const create = (): Guard => createGuard(options as { token: Credential });
    expect(create).toThrow(TypeError);
    expect(create).toThrow(/^createGuard: /);
    expect(create).toThrow(message);
    expect(create).not.toThrow(SECRET);
  });
});
