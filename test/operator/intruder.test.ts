import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGuard } from '../../src/guard/guard.js';
import { bearer } from '../../src/index.js';
import { createAuthority } from '../support/certificates.js';
import { secretsIn } from '../support/secret-forms.js';
import { COOKIE, makeOperator, type Served, serveOperator, TOKEN } from './mounted.js';

const OTHER_TOKEN = 'the-token-of-another-port-9876543210';
const SECRET = 'sk-session-secret-one';
const curlAvailable = spawnSync('curl', ['--version']).status === 0;

if (!curlAvailable) {
  const missing = 'no curl in PATH';
  if (process.env['LATCHKEY_REQUIRE_SERVICES'] === '1') throw new Error(missing);
  console.warn(`SKIPPED: ${missing}: no intruder knocks at the operator's handler`);
}

interface Heard {
  readonly status: number;
  readonly output: string;
}

/** What an intruder hears, headers included. */
function curl(...args: string[]): Promise<Heard> {
  const written = '\n%{http_code}';
  return new Promise((resolve) => {
    execFile('curl', ['-sik', '--path-as-is', '--globoff', '--max-time', '10', '-w', written, ...args], (_error, output) => {
      resolve({ status: Number(output.slice(output.lastIndexOf('\n') + 1)), output });
    });
  });
}

describe.skipIf(!curlAvailable)('an intruder with curl', () => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-intruder-'));
  const huge = join(folder, 'huge');
  let server: Served;
  let tlsServer: Served;
  let fingerprint: string;
  let url: string;

  beforeAll(async () => {
    writeFileSync(huge, Buffer.alloc(8 * 1_024 * 1_024, ' '));
    const own = await (await createAuthority()).issue('localhost');
    server = await serveOperator(makeOperator());
    tlsServer = await serveOperator(makeOperator({ guard: createGuard({ token: bearer(OTHER_TOKEN) }) }), own);
    url = `http://127.0.0.1:${server.port}`;
    const credential = bearer(SECRET);
    ({ fingerprint } = credential);
    server.latchkey.capture({ session: 'ada-the-session', provider: 'a-provider' }, credential).settle({ status: 401 });
  });

  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await server.close();
    await tlsServer.close();
  });

  const expectNothing = ({ output }: Heard): void => {
    for (const known of ['ada-the-session', 'a-provider', fingerprint, 'latchkey_sessions', 'snapshot', folder, 'node:', '.ts', '.js:']) {
      expect(output).not.toContain(known);
    }
    expect(secretsIn(output, [TOKEN, OTHER_TOKEN, SECRET])).toEqual([]);
  };
  const expectUp = async (): Promise<void> => {
    const known = await curl('-H', `Authorization: Bearer ${TOKEN}`, `${url}/explain?session=ada-the-session&provider=a-provider`);
    expect(known.status).toBe(200);
    expect(known.output).toContain(fingerprint);
    expect(server.latchkey.stats().sessions).toBe(1);
  };

  const json = ['-H', 'Content-Type: application/json', '-d', '{"session":"ada-the-session"}'];
  const token = ['-H', `Authorization: Bearer ${TOKEN}`];

  it.each<[string, readonly string[], number]>([
    ['no token', ['/status'], 401],
    ['no token, for the page', ['/'], 401],
    ['no token, for the metrics', ['/metrics'], 401],
    ['no token, for the stream', ['/events?view=page'], 401],
    ['no token, for an explanation', ['/explain?session=ada-the-session'], 401],
    ['no token, for a bad question', ['/explain?x=1'], 401],
    ['a wrong token', ['/status', '-H', 'Authorization: Bearer hunter2'], 401],
    ["another port's token", ['/status', '-H', `Authorization: Bearer ${OTHER_TOKEN}`], 401],
    ['the token and more', ['/status', '-H', `Authorization: Bearer ${TOKEN}0`], 401],
    ['the token without its end', ['/status', '-H', `Authorization: Bearer ${TOKEN.slice(0, -1)}`], 401],
    ['the token as a password', ['/status', '-u', `operator:${TOKEN}`], 401],
    ['the token in the query', [`/status?token=${TOKEN}&access_token=${TOKEN}`], 401],
    ['two Authorization headers', ['/status', '-H', 'Authorization: Bearer x', ...token], 401],
    ['two Authorization headers, the good one first', ['/status', ...token, '-H', 'Authorization: Bearer x'], 401],
    ['two tokens in one', ['/status', '-H', `Authorization: Bearer ${TOKEN}, Bearer x`], 401],
    ['an empty Authorization header', ['/status', '-H', 'Authorization;'], 401],
    ['a made-up cookie', ['/status', '-b', `${COOKIE}=9999999999999.${'A'.repeat(43)}`], 401],
    ['the token as the cookie', ['/status', '-b', `${COOKIE}=${TOKEN}`], 401],
    ['bytes that are no ASCII', ['/status', '-H', 'Authorization: Bearer \u00e4\u00f6'], 401],
    ['headers of a proxy', ['/status', '-H', 'X-Forwarded-For: 127.0.0.1', '-H', 'X-Forwarded-User: root'], 401],
    ['a path in its place', ['/status', '-H', 'X-Original-URL: /health', '-H', 'X-Rewrite-URL: /health'], 401],
    ['another method by header', ['/status', '-H', 'X-HTTP-Method-Override: POST'], 401],
    ['an action', ['/evict', ...json], 401],
    ['an action from another page', ['/evict', ...json, '-H', 'Origin: http://evil.example'], 403],
    ['an action by GET', ['/evict?session=ada-the-session'], 405],
    ['a method that is none here', ['/status', '-X', 'DELETE'], 405],
    ['a health that is written to', ['/health', '-d', 'x'], 405],
    ['two slashes', ['//status'], 404],
    ['a letter in digits', ['/%73tatus'], 404],
    ['a way round by the health path', ['/health/../status'], 404],
    ['the same in digits', ['/health/%2e%2e/status'], 404],
    ['a way down', ['/../../../../etc/passwd'], 404],
    ['a file of the page', ['/page.html'], 404],
    ['a slash at its end', ['/status/'], 404],
    ['a NUL', ['/status%00'], 404],
    ['a backslash', ['/\\evil.example'], 404],
    ['the proxy form', ['/', '--request-target', 'http://127.0.0.1/status'], 404],
    ['the server as a whole', ['/', '-X', 'OPTIONS', '--request-target', '*'], 404],
    ['an oversized header', ['/status', '-H', `X: ${'x'.repeat(20_000)}`], 431],
    ['an oversized token', ['/status', '-H', `Authorization: Bearer ${'x'.repeat(20_000)}`], 431],
    ['a malformed header', ['/status', '-H', 'X\u0001Y: z'], 400],
    ['two lengths', ['/evict', ...json, '-H', 'Content-Length: 5', '-H', 'Content-Length: 6'], 400],
    ['a huge body without a token', ['/evict', '-H', 'Content-Type: application/json', '--data-binary', '@HUGE'], 401],
    [
      'a huge body in chunks',
      ['/evict', '-H', 'Content-Type: application/json', '-H', 'Transfer-Encoding: chunked', '--data-binary', '@HUGE'],
      401,
    ],
    ['a huge form', ['/login', '--data-binary', '@HUGE'], 413],
    ['a form that is none', ['/login', '-F', 'token=x'], 415],
    ['a wrong token in the form', ['/login', '-d', 'token=hunter2'], 403],
    ['a form of another page', ['/login', '-d', 'token=hunter2', '-H', 'Sec-Fetch-Site: cross-site'], 403],
    ['what Express would have parsed', ['/login', '-d', 'token[]=x&token[length]=1'], 403],
  ])('gets nowhere with %s', async (_what, [path = '', ...args], status) => {
    const heard = await curl(`${url}${path}`, ...args.map((arg) => arg.replace('@HUGE', `@${huge}`)));
    expect(heard.status).toBe(status);
    expectNothing(heard);
    await expectUp();
  });

  it('gets a huge body in nowhere with the token either', async () => {
    for (const more of [[], ['-H', 'Transfer-Encoding: chunked']]) {
      const heard = await curl(`${url}/evict`, ...token, '-H', 'Content-Type: application/json', ...more, '--data-binary', `@${huge}`);
      expect(heard.status).toBe(413);
      expectNothing(heard);
    }
    await expectUp();
  });

  it('gets nowhere in cleartext on the port of TLS, nor by TLS on a cleartext one, and both stay up', async () => {
    const secured = `https://127.0.0.1:${tlsServer.port}`;
    expect((await curl(`http://127.0.0.1:${tlsServer.port}/status`)).status).toBe(0);
    expect((await curl(`${url.replace('http:', 'https:')}/status`)).status).toBe(0);
    expect((await curl(`${secured}/status`, '-H', `Authorization: Bearer ${TOKEN}`)).status).toBe(401);
    expect((await curl(`${secured}/status`, '-H', `Authorization: Bearer ${OTHER_TOKEN}`)).status).toBe(200);
    await expectUp();
  });

  it('leaves nothing of what it presented in the audit log, nor an error', () => {
    const lines = JSON.stringify(server.audit);
    expect(server.audit.length).toBeGreaterThan(5);
    expect(lines).not.toContain('hunter2');
    expect(secretsIn(lines, [TOKEN, OTHER_TOKEN, SECRET])).toEqual([]);
    expect(server.errors).toEqual([]);
  });
});
