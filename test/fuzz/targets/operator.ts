import fc from 'fast-check';
import { createGuard } from '../../../src/guard/guard.js';
import { bearer, createLatchkey } from '../../../src/index.js';
import { createOperator } from '../../../src/operator/operator.js';
import { ended, PLAIN_SECRET, require, requireNoSecret } from '../ground.js';
import { mutated } from '../mutate.js';
import { target } from '../target.js';

const TOKEN = 'an-operators-token-of-the-fuzz';
const latchkey = createLatchkey({ limits: { sessions: 100, identities: 100 } });
const failures: unknown[] = [];
const operator = createOperator(latchkey, {
  guard: createGuard({ token: bearer(TOKEN) }),
  audit: {
    record: (event, fields) => {
      requireNoSecret('an audit line', [event, fields]);
      return true;
    },
  },
  basePath: '/operator',
  onError: (error) => failures.push(error),
});

const anyPath = mutated([
  '/operator/api/scopes',
  '/operator/api/explain?session=s&provider=p',
  '/operator/api/evict',
  '/operator/api/forgive',
  '/operator/api/snapshot',
  '/operator/login',
  '/operator',
  '/operator/',
  '/operator/metrics',
  '/operator/__proto__',
  '/operator/api/stats',
]);
const anyBody = mutated([
  '{"session":"s"}',
  '{"tenant":"t","session":"s"}',
  '{"fingerprint":"0123456789abcdef"}',
  '{"scope":{"session":"s","provider":"p"}}',
  `token=${TOKEN}`,
  '{"__proto__":{"session":"s"}}',
  '[]',
  `{"session":"${PLAIN_SECRET}"}`,
]);
const anyHeaders = fc.record(
  {
    authorization: fc.oneof(
      { weight: 4, arbitrary: fc.constant(`Bearer ${TOKEN}`) },
      { weight: 1, arbitrary: mutated([`Bearer ${TOKEN}`]) },
    ),
    'content-type': fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom('application/json', 'application/x-www-form-urlencoded') },
      { weight: 1, arbitrary: mutated(['application/json; charset=utf-8']) },
    ),
    origin: mutated(['http://gateway.example', 'null']),
    host: mutated(['gateway.example']),
    cookie: mutated(['latchkey_operator_00000000=1.2']),
    'sec-fetch-site': fc.constantFrom('same-origin', 'cross-site', 'none'),
  },
  { requiredKeys: [] },
);

export const operatorTarget = target({
  name: 'operators’ API: paths, headers, bodies',
  share: 2,
  input: fc.record({
    path: anyPath,
    method: fc.constantFrom('GET', 'POST', 'POST', 'HEAD', 'DELETE'),
    headers: anyHeaders,
    body: fc.oneof(anyBody, fc.uint8Array({ maxLength: 40 })),
  }),
  async check({ path, method, headers, body }) {
    const request = requestOf(path, method, headers, body);
    if (request === undefined) return;
    latchkey.capture({ session: 's', provider: 'p' }, bearer(PLAIN_SECRET));
    const response = await ended(operator.fetch(request));
    require(response !== undefined && response.status < 500, `answered with ${response?.status}: ${String(failures.at(-1))}`);
    // An event stream has no end.
    const isStream = response?.headers.get('content-type')?.startsWith('text/event-stream') === true;
    const text = isStream ? '' : ((await response?.text()) ?? '');
    if (isStream) await response?.body?.cancel();
    // The page shows names, and a name may be anything.
    const isNamed = text.includes(PLAIN_SECRET) && text.includes('"session"');
    if (!isNamed) requireNoSecret('an answer', [text.length > 20_000 ? text.slice(0, 20_000) : text, [...(response?.headers ?? [])]]);
    require(failures.length === 0, `an error is contained: ${String(failures.at(-1))}`);
    const isEvicted = !latchkey.canRun({ session: 's', provider: 'p' });
    require(!isEvicted || method === 'POST', `a ${method} evicts`);
  },
});

/** Undefined for what `Request` itself does not take. */
function requestOf(
  path: string,
  method: string,
  headers: Readonly<Record<string, string>>,
  body: string | Uint8Array,
): Request | undefined {
  try {
    const url = `http://gateway.example${path.startsWith('/') ? path : `/${path}`}`;
    const sent = method === 'POST' || method === 'DELETE' ? { body: body as never } : {};
    return new Request(url, { method, headers, ...sent });
  } catch {
    return undefined;
  }
}
