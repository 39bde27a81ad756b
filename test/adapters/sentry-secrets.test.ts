import { randomBytes } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as Sentry from '@sentry/node';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { beforeSendLog, latchkeyIntegration, sentryReporter } from '../../src/adapters/sentry.js';
import { createLatchkey, credentialFromHeaders } from '../../src/index.js';
import { formsOf, type StartedSentry, startSentry } from '../support/sentry-client.js';

let sentry: StartedSentry | undefined;

async function start(options?: Parameters<typeof startSentry>[0]): Promise<StartedSentry> {
  sentry = await startSentry(options);
  return sentry;
}

// Before the SDK wraps it: what is logged here is for breadcrumbs only.
beforeEach(() => void vi.spyOn(console, 'log').mockImplementation(() => {}));
afterEach(async () => {
  await sentry?.close();
  sentry = undefined;
});

/** Made at run time: the SDK sends the lines of source around each frame. */
const secret = (): string => randomBytes(18).toString('base64');

async function serve(listener: RequestListener, use: (url: string) => Promise<unknown>): Promise<void> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

interface Secrets {
  readonly bearer: string;
  readonly cookie: string;
  readonly header: string;
  readonly query: string;
  readonly body: string;
}

/** A request that carries secrets wherever one can, to a gateway that puts them wherever a careless one would. */
async function carelessRequest(secrets: Secrets): Promise<void> {
  const latchkey = createLatchkey({ fallback: 'none', reporter: sentryReporter(Sentry) });
  const listener: RequestListener = async (request, response) => {
    const authorization = request.headers.authorization ?? '';
    let body = '';
    for await (const chunk of request) body += chunk;
    Sentry.setExtra('body', body);
    Sentry.addBreadcrumb({ message: `sent ${authorization}`, data: { authorization, nested: { headers: { ...request.headers } } } });
    Sentry.setExtra('raw', request.rawHeaders);
    Sentry.setExtra('request', { headers: request.headers, url: request.url });
    Sentry.setContext('upstream', {
      token: secrets.bearer,
      apiKey: secrets.header,
      url: `https://api/?key=${encodeURIComponent(secrets.query)}`,
    });
    Sentry.setTag('auth', authorization);
    Sentry.setUser({ id: 'u1', token: secrets.bearer });
    console.log('calling with', { token: secrets.bearer }, { headers: { authorization } });
    const credential = credentialFromHeaders({ authorization });
    if (credential !== undefined) latchkey.capture({ session: 's1', provider: 'anthropic' }, credential);
    await latchkey
      .run({ session: 's1', provider: 'anthropic' }, () =>
        Promise.reject(Object.assign(new Error(`401 for ${authorization}`), { status: 401 })),
      )
      .catch((error: unknown) => Sentry.captureException(error));
    Sentry.captureException(
      new Error(`upstream refused ${authorization}`, { cause: new Error(`with token=${encodeURIComponent(secrets.query)}`) }),
    );
    Sentry.captureMessage(`failed: ${JSON.stringify({ api_key: secrets.header, 'set-cookie': `sid=${secrets.cookie}` })}`);
    response.end('ok');
  };
  await serve(listener, (url) =>
    fetch(`${url}/v1/messages?key=${encodeURIComponent(secrets.query)}&page=2`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${secrets.bearer}`,
        cookie: `sid=${encodeURIComponent(secrets.cookie)}`,
        'x-api-key': secrets.header,
        'x-upstream-token': secrets.header,
        'x-request-id': 'request-one',
        'content-type': 'application/json',
      },
      body: JSON.stringify({ api_key: secrets.body, model: 'a-model' }),
    }).then((answer) => answer.text()),
  );
}

describe('what goes to Sentry', () => {
  const newSecrets = (): Secrets => ({ bearer: secret(), cookie: secret(), header: secret(), query: secret(), body: secret() });
  const leaked = ({ bodies }: StartedSentry, secrets: Secrets): string[] =>
    Object.entries(secrets).flatMap(([name, value]) =>
      formsOf(value as string).some((form) => bodies.join('\n').includes(form)) ? [name] : [],
    );

  it('without the integration holds what the request carried (so that the tests below can fail)', async () => {
    const started = await start({ integrations: (defaults) => defaults });
    const secrets = newSecrets();
    await carelessRequest(secrets);
    await started.flush();
    expect(leaked(started, secrets)).toEqual(['bearer', 'cookie', 'header', 'query', 'body']);
  });

  it.each<[string, NonNullable<Parameters<typeof startSentry>[0]>]>([
    ['events', {}],
    ['transactions', { tracesSampleRate: 1, traceLifecycle: 'static' }],
    ['streamed spans', { tracesSampleRate: 1 }],
  ])('case 61: holds no credential of the request, with %s', async (_what, options) => {
    const started = await start(options);
    const secrets = newSecrets();
    await carelessRequest(secrets);
    await started.flush();

    expect(leaked(started, secrets)).toEqual([]);
    // What is no secret is still there.
    const named = started.errors().map((event) => event.exception?.values.at(-1)?.type ?? event.message?.slice(0, 7));
    expect(named).toEqual(['WorkerAuthError', 'Error', 'failed:']);
    const [, refused] = started.errors();
    expect(refused?.request?.headers?.['x-request-id']).toBe('request-one');
    expect(JSON.stringify(refused?.request)).toContain('page=2');
    expect(refused?.exception?.values.map(({ value }) => value)).toEqual(['with token=[redacted]', 'upstream refused Bearer [redacted]']);
    expect(refused?.user?.['id']).toBe('u1');
  });

  it('case 61: a gateway takes its own values out with `redact`, in any text', async () => {
    const own = secret();
    const redact = (text: string) => text.replaceAll(own, '(own)');
    const { flush, errors, bodies } = await start({ integrations: (defaults) => [latchkeyIntegration({ redact }), ...defaults] });
    Sentry.captureException(new Error(`hello ${own}`), { extra: { list: [`a ${own}`], [`by ${own}`]: 1 } });
    await flush();
    expect(errors()[0]?.exception?.values[0]?.value).toBe('hello (own)');
    expect(errors()[0]?.extra).toEqual({ list: ['a (own)'], 'by (own)': 1 });
    expect(bodies.join()).not.toContain(own);
  });

  it('case 61: local variables, and what the caller still holds is left as it was', async () => {
    const { flush, errors } = await start({ normalizeDepth: 0 });
    const value = secret();
    const extra = { deep: { apiKey: value, list: [`Bearer ${value}`] } };
    const variables = { token: value, count: 3, header: `Bearer ${value}` };
    const exception = { values: [{ type: 'Error', value: 'x', stacktrace: { frames: [{ function: 'call', vars: variables }] } }] };
    Sentry.captureEvent({ exception, extra, breadcrumbs: [{ message: `Bearer ${value}` }] });
    await flush();
    expect(errors()[0]?.extra).toEqual({ deep: { apiKey: '[redacted]', list: ['Bearer [redacted]'] } });
    expect(errors()[0]?.exception?.values[0]?.stacktrace).toMatchObject({
      frames: [{ vars: { token: '[redacted]', count: 3, header: 'Bearer [redacted]' } }],
    });
    expect(extra).toEqual({ deep: { apiKey: value, list: [`Bearer ${value}`] } });
    expect(variables.token).toBe(value);
  });

  it('case 62: structured logs are scrubbed by beforeSendLog', async () => {
    const { flush, bodies, items } = await start({ enableLogs: true, beforeSendLog } as never);
    const value = secret();
    Sentry.logger.warn(`calling with Bearer ${value}`, { token: value, request: { headers: { 'x-some-key': value } }, attempt: 2 });
    Sentry.logger.warn(Sentry.logger.fmt`rejected: Bearer ${value}`);
    await flush();
    expect(items.some(({ type }) => type === 'log')).toBe(true);
    expect(bodies.join()).toContain('calling with Bearer [redacted]');
    expect(bodies.join()).toContain('rejected: Bearer [redacted]');
  });

  it('case 62: beforeSendLog never throws, and leaves what the caller holds', () => {
    const attributes = Object.freeze({
      token: 'abc',
      get broken(): string {
        throw new Error('no');
      },
    });
    const log = Object.freeze({ level: 'info' as const, message: 'with Bearer abcdef', attributes });
    expect(beforeSendLog(log)).toEqual({
      level: 'info',
      message: 'with Bearer [redacted]',
      attributes: { token: '[redacted]', broken: '[unreadable]' },
    });
    const unprintable = { message: Object.create(null) as unknown };
    expect(beforeSendLog(unprintable)).toBe(unprintable);
    expect(beforeSendLog({ message: 'plain' })).toEqual({ message: 'plain' });
  });
});
