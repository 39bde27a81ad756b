import { inspect } from 'node:util';
import * as oauth from 'openid-client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  bearer,
  type Credential,
  createLatchkey,
  isLatchkeyError,
  type Latchkey,
  type LatchkeyEventName,
  type LatchkeyEvents,
  type LatchkeyOptions,
} from '../../src/index.js';
import { selfSigned } from '../support/certificates.js';
import { freezeTime } from '../support/clock.js';
import { EVENT_NAMES } from '../support/heard.js';
import { eventually } from '../support/redis-fleet.js';
import { secretsIn } from '../support/secret-forms.js';
import { ENDPOINT_WORDS, type Misbehaviour, startTokenEndpoint, type TokenEndpoint } from '../support/token-endpoint.js';

type Refresh = NonNullable<LatchkeyOptions['refresh']>;
type Failed = LatchkeyEvents['refreshFailed'];

const SCOPE = { session: 's', provider: 'p' };
const REFRESH_MS = 1_000;
const FIRST_PAUSE_MS = 10_000;
const HOURS_MS = 12 * 3_600_000;

/** Where a gateway keeps a session's refresh token, and whom it asks. */
interface Kept {
  url: string;
  refreshToken: string;
}

interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
}

const post = ({ url, refreshToken }: Kept, signal: AbortSignal): Promise<Response> =>
  fetch(url, { method: 'POST', body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken }), signal });

function keep(kept: Kept, tokens: Tokens): Credential {
  const credential = bearer(tokens.access_token);
  kept.refreshToken = tokens.refresh_token;
  return credential;
}

/** With fetch, and whatever is thrown about an answer that is none. */
const withFetch = (throwFor: (response: Response) => Promise<never>): ((kept: Kept) => Refresh) => {
  return (kept) =>
    async (_lease, { signal }) => {
      const response = await post(kept, signal);
      if (!response.ok) await throwFor(response);
      const tokens = (await response.json()) as Tokens;
      return keep(kept, tokens);
    };
};

const CLIENTS: Readonly<Record<string, (kept: Kept) => Refresh>> = {
  'fetch, status and body on the error': withFetch(async (response) => {
    const body = await response.text();
    throw Object.assign(new Error(`refresh failed: ${response.status} ${body}`), { status: response.status, body });
  }),
  'fetch, the response on the error': withFetch(async (response) => {
    throw Object.assign(new Error('refresh failed'), { response });
  }),
  'fetch, the response as the cause': withFetch(async (response) => {
    throw new Error('refresh failed', { cause: response });
  }),
  'fetch, the response itself': withFetch(async (response) => {
    throw response;
  }),
  // As simple-oauth2 does.
  'fetch, an error as boom makes it': withFetch(async (response) => {
    const { status: statusCode } = response;
    const text = await response.text();
    const payload: unknown = text.startsWith('{') ? JSON.parse(text) : text;
    throw Object.assign(new Error(text), { isBoom: true, data: { payload }, output: { statusCode, headers: {}, payload: { statusCode } } });
  }),
  'openid-client': (kept) => {
    return async (_lease, { signal }) => {
      const server = { issuer: new URL('/', kept.url).href, token_endpoint: kept.url };
      const config = new oauth.Configuration(server, 'gateway', { client_secret: 'client-secret' });
      oauth.allowInsecureRequests(config);
      config[oauth.customFetch] = (url, options) => fetch(url, { ...options, signal } as RequestInit);
      const tokens = (await oauth.refreshTokenGrant(config, kept.refreshToken)) as Tokens;
      return keep(kept, tokens);
    };
  },
};

interface Meaning {
  readonly kind: Failed['kind'];
  readonly status?: number;
  readonly code?: unknown;
}

const PERMANENT: Partial<Record<Misbehaviour, Meaning>> = {
  invalid_grant: { kind: 'permanent', status: 400, code: 'invalid_grant' },
  invalid_client: { kind: 'permanent', status: 401, code: 'invalid_client' },
  'invalid_client and a challenge': { kind: 'permanent', status: 401, code: 'invalid_client' },
};

const TRANSIENT: Partial<Record<Misbehaviour, Meaning>> = {
  'HTML 400': { kind: 'transient', status: 400 },
  'HTML 401': { kind: 'transient', status: 401 },
  'HTML 503': { kind: 'transient', status: 503 },
  'a 500': { kind: 'transient', status: 500, code: 'server_error' },
  'a 429 with a code': { kind: 'transient', status: 429, code: 'invalid_request' },
  "a firewall's JSON 400": { kind: 'transient', status: 400 },
  "a firewall's JSON 403": { kind: 'transient', status: 403, code: 'forbidden' },
  'a reset': { kind: 'transient', code: expect.stringMatching(/^(?:ECONNRESET|UND_ERR_SOCKET)$/) },
};

let endpoint: TokenEndpoint;
let untrusted: TokenEndpoint;
let latchkey: Latchkey;
let events: { name: LatchkeyEventName; event: unknown }[];

beforeAll(async () => {
  endpoint = await startTokenEndpoint();
  untrusted = await startTokenEndpoint({ tls: await selfSigned('token endpoint') });
});
afterAll(async () => {
  await endpoint.close();
  await untrusted.close();
});
beforeEach(() => freezeTime());
afterEach(async () => {
  endpoint.misbehave(undefined);
  await latchkey.close();
  vi.useRealTimers();
});

/** A session whose access token the upstream does not take any more. */
function loggedIn(client: (kept: Kept) => Refresh, url = endpoint.url): Kept {
  const login = endpoint.login();
  const kept = { url, refreshToken: login.refreshToken };
  latchkey = createLatchkey({ refresh: client(kept), refreshMs: REFRESH_MS, expiry: { jwt: false } });
  events = [];
  for (const name of EVENT_NAMES) latchkey.on(name, (event) => void events.push({ name, event }));
  latchkey.capture(SCOPE, bearer(login.accessToken));
  endpoint.revoke(login.accessToken);
  return kept;
}

const heard = <Name extends LatchkeyEventName>(name: Name): LatchkeyEvents[Name][] =>
  events.filter((one) => one.name === name).map(({ event }) => event as LatchkeyEvents[Name]);

/** A worker's call, on a real socket. */
const call = (): Promise<string> =>
  latchkey.run(SCOPE, async (lease, { check }) => (await check(await fetch(endpoint.upstreamUrl, { headers: lease.headers() }))).text());

/** How many calls the upstream saw meanwhile, and how the worker's ended. */
async function calling(): Promise<{ sent: number; ended: unknown }> {
  const before = endpoint.seen.length;
  const ended = await call().catch((error: unknown) => error);
  return { sent: endpoint.seen.length - before, ended };
}

const codeOf = (ended: unknown): unknown => (isLatchkeyError(ended) ? ended.code : ended);

/** Neither tokens nor the endpoint's words are in what a gateway may log. */
function expectNothingTold(...told: unknown[]): void {
  const state = [latchkey.status(SCOPE), latchkey.snapshot(), latchkey.stats(), String(latchkey.explain(SCOPE))];
  const text = [...told, ...events, ...state].map((one) => `${inspect(one, { depth: 12, showHidden: true })}\n${JSON.stringify(one)}`);
  expect(secretsIn(text.join('\n'), [...endpoint.tokens, ENDPOINT_WORDS])).toEqual([]);
}

async function expectFailed(meaning: Meaning): Promise<void> {
  const first = await calling();
  expect(heard('refreshFailed')).toEqual([
    {
      scope: SCOPE,
      fingerprint: expect.any(String),
      status: undefined,
      code: undefined,
      ...meaning,
      next: meaning.kind === 'transient' ? Date.now() + FIRST_PAUSE_MS : undefined,
    },
  ]);
  const code = meaning.kind === 'transient' ? 'AUTH_RETRYING' : 'CREDENTIAL_REJECTED';
  expect({ ...first, ended: codeOf(first.ended) }).toEqual({ sent: 1, ended: code });
  const second = await calling();
  expect({ ...second, ended: codeOf(second.ended) }).toEqual({ sent: 0, ended: code });
  expect(latchkey.stats()).toMatchObject({ refreshes: 1, refreshesFailed: 1 });
  expect(latchkey.status(SCOPE)).toMatchObject(
    meaning.kind === 'transient'
      ? { state: 'refreshing', reason: 'rejected', next: Date.now() + FIRST_PAUSE_MS }
      : { state: 'blocked', reason: 'rejected', next: undefined },
  );
  expect(heard('incident')).toHaveLength(meaning.kind === 'transient' ? 0 : 1);
  expectNothingTold(first.ended, second.ended);
}

/** The next try comes by itself, and nobody has to do anything. */
async function expectRecovered(): Promise<void> {
  await vi.advanceTimersByTimeAsync(FIRST_PAUSE_MS);
  await eventually(() => latchkey.canRun(SCOPE));
  expect(codeOf((await calling()).ended)).toBe('{"ok":true}');
  expect(heard('refreshed')).toHaveLength(1);
  expect(latchkey.status(SCOPE).state).toBe('ready');
  expectNothingTold();
}

describe.each(Object.entries(CLIENTS))('refresh with %s', (name, client) => {
  it('an access token that is turned away is replaced, and the run succeeds', async () => {
    loggedIn(client);
    expect(await calling()).toEqual({ sent: 2, ended: '{"ok":true}' });
    expect(latchkey.stats()).toMatchObject({ refreshes: 1, refreshed: 1, refreshesFailed: 0, openIncidents: 0 });
    expectNothingTold();
  });

  it.each(Object.entries(PERMANENT))('%s ends it: nothing is tried again until a client brings another', async (how, meaning) => {
    loggedIn(client);
    endpoint.misbehave(how as Misbehaviour);
    await expectFailed(meaning);
    endpoint.misbehave(undefined);
    const asked = endpoint.calls;
    await vi.advanceTimersByTimeAsync(HOURS_MS);
    expect(codeOf((await calling()).ended)).toBe('CREDENTIAL_REJECTED');
    expect(endpoint.calls).toBe(asked);

    latchkey.capture(SCOPE, bearer(endpoint.login().accessToken));
    expect(await calling()).toEqual({ sent: 1, ended: '{"ok":true}' });
    expect(heard('recovered')).toHaveLength(1);
  });

  it.each(Object.entries(TRANSIENT))('%s passes: it is tried again, and succeeds', async (how, meaning) => {
    loggedIn(client);
    endpoint.misbehave(how as Misbehaviour);
    await expectFailed(meaning);
    endpoint.misbehave(undefined);
    await expectRecovered();
  });

  it('an answer that cannot be read passes, and its words are told to nobody', async () => {
    loggedIn(client);
    endpoint.misbehave('an unparsable 200');
    await expectFailed({ kind: 'transient', code: name === 'openid-client' ? 'OAUTH_PARSE_ERROR' : undefined });
    endpoint.misbehave(undefined);
    await expectRecovered();
  });

  it('an answer without a token passes', async () => {
    loggedIn(client);
    endpoint.misbehave('a 200 without a token');
    await expectFailed({ kind: 'transient', code: name === 'openid-client' ? 'OAUTH_INVALID_RESPONSE' : undefined });
    endpoint.misbehave(undefined);
    await expectRecovered();
  });

  it('no answer at all takes no longer than the try may, and passes', async () => {
    loggedIn(client);
    endpoint.misbehave('no answer');
    const asked = endpoint.calls;
    const first = calling();
    await eventually(() => endpoint.calls === asked + 1);
    await vi.advanceTimersByTimeAsync(REFRESH_MS);
    expect(codeOf((await first).ended)).toBe('AUTH_RETRYING');
    expect(heard('refreshFailed')).toMatchObject([{ kind: 'transient', status: undefined }]);
    expectNothingTold((await first).ended);
    endpoint.misbehave(undefined);
    await expectRecovered();
  });

  it('a host that does not exist passes', async () => {
    const kept = loggedIn(client, 'http://token-endpoint.invalid/token');
    await expectFailed({ kind: 'transient', code: expect.stringMatching(/^(?:ENOTFOUND|EAI_AGAIN)$/) });
    kept.url = endpoint.url;
    await expectRecovered();
  });

  it('a certificate that nobody vouches for ends it', async () => {
    loggedIn(client, untrusted.url);
    await expectFailed({ kind: 'permanent', code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
    expect(untrusted.calls).toBe(0);
  });

  it('a refresh token that was spent elsewhere ends it, and only it', async () => {
    const kept = loggedIn(client);
    const spent = kept.refreshToken;
    await post(kept, new AbortController().signal);
    const reused = endpoint.reused;
    await expectFailed({ kind: 'permanent', status: 400, code: 'invalid_grant' });
    expect(endpoint.reused).toBe(reused + 1);
    expect(endpoint.isAlive({ accessToken: '', refreshToken: spent })).toBe(false);
  });
});
