import fc from 'fast-check';
import { redirectTarget } from '../../../src/adapters/proxy/redirect.js';
import { pathOf } from '../../../src/adapters/proxy/request-path.js';
import { bearer } from '../../../src/credential/credential.js';
import { plainPathOf, rawPathOf } from '../../../src/guard/raw-path.js';
import { loginUrl } from '../../../src/signals/login-url.js';
import { printableTarget } from '../../../src/signals/printable-target.js';
import { safeNext } from '../../../src/signals/safe-next.js';
import { forwardedPrefix, forwardedProto, trustedProxies } from '../../../src/signals/trusted-proxies.js';
import { inferUpstream } from '../../../src/sources/infer-upstream.js';
import { matchesRecord } from '../../../src/sources/job-record.js';
import { requestSecrets } from '../../../src/sources/request-secrets.js';
import { PLAIN_SECRET, require, requireNoSecret, within } from '../ground.js';
import { mutated } from '../mutate.js';
import { target } from '../target.js';
import { anyHostile } from '../values.js';

const ORIGIN = 'https://gateway.example';
const anyUrl = mutated([
  'http://127.0.0.1:8512/v1/messages?key=a#b',
  'https://user:pass@upstream.example/v1',
  `/v1/models/${PLAIN_SECRET}?key=${PLAIN_SECRET}`,
  '//evil.example/path',
  '/\\evil.example',
  'localhost:8080',
  '[::1]:8080',
  'upstream.example',
  'javascript:alert(1)',
  'http://a.example:80/',
  '/a/%2e%2e/b',
  '/%2f%2fevil.example',
  '/a/./../..//b',
  '*',
  'http:/\\a',
]);
const TOKEN = bearer(PLAIN_SECRET);
const proxies = trustedProxies(['10.0.0.0/8', '::1']);

export const urlsTarget = target({
  name: 'URLs: the proxy’s, upstreams, next, forwarded prefixes',
  share: 5,
  input: fc.record({
    url: anyUrl,
    other: anyUrl,
    prefix: mutated(['/gw', '//evil', '/a/../b', '/x%2f%2fy', '']),
    peer: mutated(['10.1.2.3', '::ffff:10.0.0.1', '::1', '192.168.0.1']),
    resisting: fc.option(anyHostile(), { nil: undefined, freq: 6 }),
  }),
  check({ url, other, prefix, peer, resisting }) {
    const given = (resisting === undefined ? url : resisting()) as string;
    const to = within(() => redirectTarget(given, other), 'passed on');
    if (to !== undefined && resisting === undefined) {
      const from = new URL(url);
      require(to.hostname === from.hostname && to.username === from.username, `a redirect leads from ${url} to ${to}`);
      require(from.protocol === 'http:' || to.protocol === 'https:', 'a redirect leads out of TLS');
    }
    requireNoSecret('a path', within(() => pathOf(url, TOKEN)) ?? '');
    const next = within(() => safeNext(given, { prefix })) ?? '';
    requireSafe(next);
    const login = within(() => loginUrl({ prefix, next: given } as never)) ?? '/';
    require(new URL(login, ORIGIN).origin === ORIGIN, `a login at ${login}`);
    const upstream = within(() => inferUpstream(given), 'passed on');
    if (upstream !== undefined)
      require(/^https?:$/.test(upstream.url.protocol) && upstream.url.username === '', `an upstream at ${upstream.url}`);
    within(() => matchesRecord({ state: 'running', scheme: 'http', port: 8512, bindHost: other }, given), 'passed on');
    const printed = within(() => printableTarget(url));
    require(printed === undefined || !/[?#\p{Cc}]/u.test(printed), `it prints ${printed}`);
    const request = {
      url,
      headers: { 'x-forwarded-prefix': prefix, 'x-forwarded-proto': other },
      socket: { remoteAddress: peer },
    } as never;
    const mounted = within(() => forwardedPrefix(request, proxies)) ?? '';
    const path = new URL(`${mounted}/x`, ORIGIN);
    require(path.origin === ORIGIN && decodeURIComponent(path.pathname) === decodeURIComponent(`${mounted}/x`), `mounted at ${mounted}`);
    require(/^https?$/.test(within(() => forwardedProto(request, proxies)) ?? ''), 'neither http nor https');
    for (const read of [rawPathOf, plainPathOf]) {
      const path = within(() => read(request));
      require(path === undefined || path.startsWith('/'), `a path of ${path}`);
    }
    const secrets = within(() => requestSecrets({ url: given, headers: { authorization: other, cookie: url } })) ?? [];
    require(secrets.length <= 32, `${secrets.length} secrets`);
    within(() => requestSecrets(resisting?.()));
  },
});

function requireSafe(next: string): void {
  if (next === '') return;
  require(/^\/(?!\/)[\x21-\x7e]*$/.test(next) && !next.includes('\\'), `a next of ${next}`);
  const { origin, pathname } = new URL(next, ORIGIN);
  require(origin === ORIGIN && !/^\/(?:login|auth|api)(?:\/|$)/i.test(pathname), `a next of ${next}`);
  require(safeNext(next) === next, 'a next that does not pass twice');
}
