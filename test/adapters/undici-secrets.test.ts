import { inspect } from 'node:util';
import { Agent, interceptors, request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AuthInterceptorOptions, createAuthInterceptor } from '../../src/adapters/undici.js';
import { apiKey, bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { hearAll } from '../support/heard.js';
import { type Answer, scriptedUpstream, type Upstream } from '../support/upstream.js';

const SECRETS = ['secret-first-1234567890', 'secret-second-1234567890', 'secret-cookie-1234567890', 'secret-sent-1234567890'] as const;
const [FIRST, SECOND, COOKIE, SENT] = SECRETS;

/** Everything of a value that a log may print. */
function printed(value: unknown): string {
  const { cause, message, stack } = (value ?? {}) as Error;
  return [inspect(value, { depth: 12, showHidden: true }), JSON.stringify(value), String(value), message, stack, inspect(cause)].join('\n');
}

describe('no value of a credential or a cookie', () => {
  let upstream: Upstream;
  let latchkey: Latchkey;
  let agent: Agent;
  let answer: Answer;
  const failureOf = async (path: string, options: Partial<AuthInterceptorOptions>): Promise<unknown> => {
    const auth = createAuthInterceptor(latchkey, { scope: 's', origins: [upstream.url], ...options });
    const dispatcher = agent.compose(interceptors.redirect({ maxRedirections: 2 }), auth);
    const outcome = await request(upstream.url + path, { dispatcher, headers: { cookie: SENT } }).catch((error: unknown) => error);
    if (!(outcome instanceof Error)) throw new Error('the request did not fail as it should');
    return outcome;
  };

  beforeEach(async () => {
    answer = { status: 401, headers: { 'set-cookie': `session=${COOKIE}` }, body: `{"token":"${FIRST}","other":"${SECOND}"}` };
    upstream = await scriptedUpstream(() => answer);
    latchkey = createLatchkey({ canary: 'off' });
    agent = new Agent();
  });
  afterEach(async () => {
    await agent.destroy();
    await upstream.close();
  });

  it.each<[string, Partial<AuthInterceptorOptions>, () => void, string]>([
    ['a blocked request', {}, () => latchkey.resolve('s').ok && latchkey.evict('s'), 'CREDENTIAL_MISSING'],
    ['one that parked after its 401', { whenBlocked: 'park', parkMs: 20 }, () => {}, 'PARK_TIMEOUT'],
    ['one that ran out of time', { whenBlocked: 'park', timeoutMs: 50 }, () => {}, 'TIMEOUT'],
  ])('in the error and the events of %s', async (_, options, prepare, code) => {
    const heard = hearAll(latchkey);
    latchkey.capture('s', bearer(FIRST));
    latchkey.capture('s', bearer(SECOND));
    prepare();
    const error = await failureOf('/', options);
    expect(error).toMatchObject({ code });
    expect(heard.length).toBeGreaterThan(0);
    for (const secret of SECRETS) expect(printed([error, heard, latchkey.snapshot()]) + printed(error)).not.toContain(secret);
  });

  it.each<[string, Answer, string]>([
    ['a redirect that would take a key along', { status: 302, headers: { location: `/to?${'x'.repeat(5)}` } }, 'x-api-key'],
    ['a connection that breaks', (received) => void received.socket.destroy(), 'other side closed'],
  ])('in the error of %s', async (_, given, message) => {
    answer = given;
    latchkey.capture('s', apiKey(FIRST));
    const error = await failureOf('/', {});
    expect(String(error)).toContain(message);
    for (const secret of SECRETS) expect(printed(error)).not.toContain(secret);
  });

  it('in what a handler may print: the controller, and the interceptor', async () => {
    latchkey.capture('s', bearer(FIRST));
    const auth = createAuthInterceptor(latchkey, { scope: 's', origins: [upstream.url] });
    const seen: string[] = [];
    await new Promise<void>((resolve) => {
      agent.compose(auth).dispatch(
        { origin: upstream.url, path: '/', method: 'GET', headers: { cookie: SENT } },
        {
          onRequestStart: (controller, context) => void seen.push(printed(controller), printed(context)),
          onResponseStart: (controller, status) => void seen.push(printed(controller), String(status)),
          onResponseEnd: () => resolve(),
          onResponseError: () => resolve(),
        },
      );
    });
    expect(seen).toContain('401');
    for (const secret of SECRETS) expect(seen.join('\n') + printed(auth)).not.toContain(secret);
  });

  it('in the TypeErrors of its options', () => {
    for (const origins of [[`https://user:${FIRST}@api.example.com`], [`https://api.example.com/?key=${FIRST}`]]) {
      let error: unknown;
      try {
        createAuthInterceptor(latchkey, { scope: 's', origins });
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toBeInstanceOf(TypeError);
      expect(printed(error)).not.toContain(FIRST);
    }
  });
});
