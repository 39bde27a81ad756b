import { Agent, type Dispatcher, interceptors, request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAuthInterceptor } from '../../src/adapters/undici.js';
import { apiKey, bearer, type Credential, createLatchkey, type Latchkey } from '../../src/index.js';
import { scriptedUpstream, type Upstream } from '../support/upstream.js';

describe('a redirect', () => {
  let home: Upstream;
  /** The same machine by another name, so another origin. */
  let foreign: Upstream;
  let foreignUrl: string;
  let latchkey: Latchkey;
  let agent: Agent;
  const outside = (): Dispatcher => agent.compose(auth(), interceptors.redirect({ maxRedirections: 3 }));
  const inside = (): Dispatcher => agent.compose(interceptors.redirect({ maxRedirections: 3 }), auth());
  const auth = () => createAuthInterceptor(latchkey, { scope: 's', origins: [home.url] });
  const credentialsSent = ({ requests }: Upstream): unknown[] =>
    requests.map(({ headers }) => headers['authorization'] ?? headers['x-api-key'] ?? 'none');

  beforeEach(async () => {
    foreign = await scriptedUpstream(() => ({ status: 401, body: 'not here' }));
    foreignUrl = foreign.url.replace('127.0.0.1', 'localhost');
    home = await scriptedUpstream(({ path }) => {
      if (path === '/away') return { status: 307, headers: { location: `${foreignUrl}/landed` } };
      if (path === '/dead') return { status: 307, headers: { location: `${home.url}/401` } };
      if (path === '/near') return { status: 302, headers: { location: '/fine' } };
      return { status: path === '/401' ? 401 : 200, body: 'home' };
    });
    latchkey = createLatchkey();
    agent = new Agent();
  });
  afterEach(async () => {
    await agent.destroy();
    await home.close();
    await foreign.close();
  });

  const CREDENTIALS: [string, Credential, string][] = [
    ['a bearer', bearer('token'), 'Bearer token'],
    ['an API key', apiKey('key'), 'key'],
  ];

  describe('followed outside of the interceptor', () => {
    it.each(CREDENTIALS)('to another origin takes nothing along, and a 401 from there judges nothing: %s', async (_, credential, value) => {
      latchkey.capture('s', credential);
      const { statusCode, body } = await request(`${home.url}/away`, { dispatcher: outside(), method: 'POST', body: 'work' });
      expect([statusCode, await body.text()]).toEqual([401, 'not here']);
      expect([credentialsSent(home), credentialsSent(foreign)]).toEqual([[value], ['none']]);
      expect(foreign.requests[0]).toMatchObject({ path: '/landed', body: 'work' });
      expect(latchkey.stats()).toMatchObject({ rejected: 0, retried: 0 });
      expect(latchkey.canRun('s')).toBe(true);
    });

    it.each(CREDENTIALS)('within the origin carries the credential on, and a 401 is a verdict: %s', async (_, credential, value) => {
      latchkey.capture('s', credential);
      expect((await request(`${home.url}/near`, { dispatcher: outside() })).statusCode).toBe(200);
      expect((await request(`${home.url}/dead`, { dispatcher: outside() })).statusCode).toBe(401);
      expect(credentialsSent(home)).toEqual([value, value, value, value]);
      expect(latchkey.stats().rejected).toBe(1);
    });

    it('takes a body factory along', async () => {
      latchkey.capture('s', bearer('token'));
      const body = (() => 'made') as unknown as string;
      await request(`${home.url}/away`, { dispatcher: outside(), method: 'POST', body });
      expect(foreign.requests[0]?.body).toBe('made');
    });
  });

  describe('followed inside of the interceptor', () => {
    it('to another origin leaves a bearer behind, and a 401 from there judges nothing', async () => {
      latchkey.capture('s', bearer('token'));
      latchkey.capture('other', bearer('spare'));
      const { statusCode, body } = await request(`${home.url}/away`, { dispatcher: inside() });
      expect([statusCode, await body.text()]).toEqual([401, 'not here']);
      expect([credentialsSent(home), credentialsSent(foreign)]).toEqual([['Bearer token'], ['none']]);
      expect(latchkey.stats()).toMatchObject({ rejected: 0, accepted: 0, retried: 0 });
    });

    it('within the origin carries a bearer on: a 401 is a verdict, and the whole is sent again', async () => {
      latchkey.capture('s', bearer('token'));
      latchkey.capture('other', bearer('spare'));
      const { statusCode, context } = await request(`${home.url}/dead`, { dispatcher: inside() });
      expect(statusCode).toBe(401);
      expect(home.requests.map(({ path }) => path)).toEqual(['/dead', '/401', '/dead', '/401']);
      expect(credentialsSent(home)).toEqual(['Bearer token', 'Bearer token', 'Bearer spare', 'Bearer spare'].map(String));
      expect(latchkey.stats().rejected).toBe(2);
      expect((context as { history: URL[] }).history.map(String)).toEqual([`${home.url}/dead`, `${home.url}/401`]);
    });

    it.each(['/away', '/near'])('never takes an API key along (undici would, to any origin): %s', async (path) => {
      latchkey.capture('s', apiKey('key'));
      const error: unknown = await request(home.url + path, { dispatcher: inside() }).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(TypeError);
      expect(String(error)).toMatch(/createAuthInterceptor: .*`x-api-key`.* compose the redirect interceptor after this one/);
      expect([credentialsSent(home), credentialsSent(foreign)]).toEqual([['key'], []]);
      expect(latchkey.stats()).toMatchObject({ rejected: 0, accepted: 0, retried: 0 });
      expect(latchkey.canRun('s')).toBe(true);
    });
  });
});
