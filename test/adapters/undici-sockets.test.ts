import { Agent, type Dispatcher, request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OutgoingRequest } from '../../src/adapters/outgoing.js';
import { type AuthInterceptorOptions, createAuthInterceptor } from '../../src/adapters/undici.js';
import { bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { settled } from '../support/clock.js';
import { deferred } from '../support/deferred.js';
import { type Answer, scriptedUpstream, type Upstream } from '../support/upstream.js';
import { until } from './undici-until.js';

/** One connection, so that an answer that is held back could keep everybody waiting. */
describe('a connection shared with an answer that is held back', () => {
  let upstream: Upstream;
  let latchkey: Latchkey;
  let agent: Agent;
  let others: Agent;
  let answer: (request: { path: string; authorization: string | undefined }) => Answer;
  const composed = (options: Partial<AuthInterceptorOptions> = {}, over = agent): Dispatcher =>
    over.compose(createAuthInterceptor(latchkey, { scope: 's', origins: [upstream.url], ...options }));

  beforeEach(async () => {
    upstream = await scriptedUpstream(({ path, headers }) => answer({ path, authorization: headers['authorization'] }));
    latchkey = createLatchkey({ limits: { parked: 1 } });
    agent = new Agent({ connections: 1 });
    others = new Agent();
  });
  afterEach(async () => {
    await agent.destroy();
    await others.destroy();
    await upstream.close();
  });

  it('serves others while a failed call waits for its repeat', async () => {
    latchkey.capture('s', bearer('token'));
    answer = ({ path }) =>
      path === '/busy' ? { status: 503, headers: { 'retry-after': '30' }, body: 'no' } : { status: 200, body: 'fine' };
    const waiting = request(`${upstream.url}/busy`, { dispatcher: composed({ transient: { retries: 1 } }) });
    await until(() => upstream.requests.length === 1);
    const { body } = await request(`${upstream.url}/free`, { dispatcher: agent, headersTimeout: 5_000 });
    expect(await body.text()).toBe('fine');
    expect(upstream.connections).toBe(1);
    await latchkey.close();
    await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it.each([
    ['short', 'no'],
    ['long', 'x'.repeat(1_000_000)],
  ])('gets a %s 401 back when there is no seat to wait for another credential, and is free', async (_length, text) => {
    const gate = deferred();
    answer = ({ path, authorization }) => {
      if (path === '/free') return { status: 200, body: 'fine' };
      if (authorization === 'Bearer dead') return { status: 401, body: text };
      return (_request, response) => void gate.promise.then(() => response.end('done'));
    };
    latchkey.capture('s', bearer('dead'));
    latchkey.capture('other', bearer('live'));
    const slow = composed({ scope: 'other' }, others);
    const seats = [request(upstream.url, { dispatcher: slow }), request(upstream.url, { dispatcher: slow })];
    await until(() => latchkey.stats().waiting === 1);
    const { statusCode, body } = await request(upstream.url, { dispatcher: composed() });
    expect([statusCode, await body.text()]).toEqual([401, text]);
    const free = await request(`${upstream.url}/free`, { dispatcher: agent, headersTimeout: 5_000 });
    expect(await free.body.text()).toBe('fine');
    gate.resolve();
    for (const { body } of await Promise.all(seats)) await body.dump();
  });

  it('is free again when a run fails with an answer in hand', async () => {
    let isBroken = false;
    const now = (): number => {
      if (isBroken) throw new Error('the clock broke');
      return Date.now();
    };
    latchkey = createLatchkey({ clock: { now } });
    latchkey.capture('s', bearer('dead'));
    answer = ({ path }) => {
      isBroken = path !== '/free';
      return path === '/free' ? { status: 200, body: 'fine' } : { status: 401, body: 'x'.repeat(1_000_000) };
    };
    await expect(request(upstream.url, { dispatcher: composed() })).rejects.toThrow('the clock broke');
    const free = await request(`${upstream.url}/free`, { dispatcher: agent, headersTimeout: 5_000 });
    expect(await free.body.text()).toBe('fine');
  });

  it('a rule sees the query that was given by itself', async () => {
    latchkey.capture('s', bearer('token'));
    answer = () => ({ status: 200 });
    const asked: string[] = [];
    const scope = ({ url }: OutgoingRequest): string => {
      asked.push(url.href);
      return 's';
    };
    await (await request(`${upstream.url}/a`, { dispatcher: composed({ scope }), query: { tenant: 'x y' } })).body.dump();
    await (await request(`${upstream.url}/b?c=d`, { dispatcher: composed({ scope }) })).body.dump();
    expect(asked).toEqual([`${upstream.url}/a?tenant=x%20y`, `${upstream.url}/b?c=d`]);
    expect(upstream.requests[0]?.path).toBe('/a?tenant=x%20y');
  });

  it('a failed answer waits for a handler that paused before it came', async () => {
    latchkey.capture('s', bearer('token'));
    let written = 0;
    answer = () => (_request, response) => {
      response.writeHead(404);
      const write = (): void => {
        do written += 65_536;
        while (response.write(Buffer.alloc(65_536)) && written < 64_000_000);
        if (written < 64_000_000) response.once('drain', write);
        else response.end();
      };
      write();
    };
    let read = 0;
    let controller: Dispatcher.DispatchController | undefined;
    const ended = deferred();
    composed().dispatch(
      { origin: upstream.url, path: '/', method: 'GET' },
      {
        onRequestStart(given) {
          controller = given;
          given.pause();
        },
        onResponseData(_, chunk) {
          read += chunk.length;
        },
        onResponseEnd: () => ended.resolve(),
        onResponseError: (_, error) => ended.reject(error),
      },
    );
    await until(() => written > 0);
    for (let before = -1; before !== written; await settled(200)) before = written;
    expect(read).toBe(0);
    expect(written).toBeLessThan(32_000_000);
    controller?.resume();
    await ended.promise;
    expect(read).toBe(written);
  });

  it('a short 401 is told in the order that undici has, also to a handler that pauses and resumes at its head', async () => {
    latchkey.capture('s', bearer('dead'));
    answer = () => ({ status: 401, body: 'no' });
    const told = async (dispatcher: Dispatcher): Promise<string[]> => {
      const events: string[] = [];
      const ended = deferred();
      dispatcher.dispatch(
        { origin: upstream.url, path: '/', method: 'GET' },
        {
          onRequestStart: () => void events.push('start'),
          onResponseStart(controller) {
            events.push('head begins');
            controller.pause();
            controller.resume();
            events.push('head ends');
          },
          onResponseData: () => void events.push('data'),
          onResponseEnd() {
            events.push('end');
            ended.resolve();
          },
          onResponseError: (_, error) => ended.reject(error),
        },
      );
      await ended.promise;
      return events;
    };
    expect(await told(composed())).toEqual(await told(others));
  });

  it('a handler that will not have its upgrade is told so as by undici itself', async () => {
    latchkey.capture('s', bearer('token'));
    answer = () => (received) => void received.socket.write('HTTP/1.1 101 Switching\r\nupgrade: ws\r\nconnection: upgrade\r\n\r\n');
    const told = async (dispatcher: Dispatcher): Promise<string[]> => {
      const events: string[] = [];
      dispatcher.dispatch(
        { origin: upstream.url, path: '/', method: 'GET', upgrade: 'ws' },
        {
          onRequestStart: () => void events.push('start'),
          onRequestUpgrade() {
            events.push('upgrade');
            throw new Error('no thanks');
          },
          onResponseError: (_, error) => void events.push(error.message),
        },
      );
      await until(() => events.length === 3);
      await settled();
      return events;
    };
    expect(await told(composed())).toEqual(['start', 'upgrade', 'no thanks']);
    expect(await told(others)).toEqual(['start', 'upgrade', 'no thanks']);
  });
});
