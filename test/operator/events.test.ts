import { getEventListeners } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { freezeTime } from '../support/clock.js';
import { secretsIn } from '../support/secret-forms.js';
import { AUTHORIZED, COOKIE, captureLarge, makeOperator, type Served, serveOperator, TOKEN } from './mounted.js';

const SECRET = 'sk-session-secret-one';
const MOST = 32;
interface Listening {
  readonly answer: IncomingMessage;
  /** What has come so far. */
  readonly text: () => string;
  /** Resolves once what has come holds it. */
  heard(part: string): Promise<void>;
  readonly ended: Promise<void>;
  leave(): void;
}

function listen(port: number, path: string, headers: Record<string, string> = AUTHORIZED): Promise<Listening> {
  return new Promise((resolve, reject) => {
    const asking = get({ host: '127.0.0.1', port, path, headers, agent: false });
    asking.on('error', reject);
    asking.on('response', (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      const ended = new Promise<void>((over) => answer.on('close', () => over()));
      answer.on('error', () => {});
      const heard = (part: string): Promise<void> => vi.waitFor(() => expect(text).toContain(part), { timeout: 5_000, interval: 5 });
      resolve({ answer, text: () => text, heard, ended, leave: () => void asking.destroy() });
    });
  });
}

describe('the event stream, over HTTP', () => {
  const servers: Served[] = [];
  const served = async (): Promise<Served> => {
    const server = await serveOperator(makeOperator());
    servers.push(server);
    return server;
  };

  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });

  it('tells what happens, as it happens, and no secret', async () => {
    const { port, latchkey } = await served();
    const stream = await listen(port, '/events');
    expect(stream.answer.statusCode).toBe(200);
    expect(stream.answer.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
    });
    latchkey.capture('ada', bearer(SECRET)).settle({ status: 401 });
    await stream.heard('"event":"rejected"');
    expect(stream.text()).toContain('event: entry\ndata: {');
    expect(stream.text()).not.toContain('event: state');
    expect(secretsIn(stream.text(), [SECRET, TOKEN])).toEqual([]);
  });

  it('gives a page everything first', async () => {
    const { port, latchkey } = await served();
    latchkey.capture('ada', bearer(SECRET));
    const stream = await listen(port, '/events?view=page');
    await stream.heard('event: state');
    expect(stream.text()).toContain('"session":"ada"');
    expect(secretsIn(stream.text(), [SECRET, TOKEN])).toEqual([]);
  });

  it.each(['view=', 'view=all', 'view=page&view=page', 'session=ada', 'view=page&x=1'])('knows no other view: ?%s', async (query) => {
    const { ask } = await served();
    expect((await ask(`/events?${query}`, { headers: AUTHORIZED })).status).toBe(400);
  });

  it('has 32 seats, and one again as soon as somebody leaves', async () => {
    const { port, ask } = await served();
    const streams = await Promise.all(Array.from({ length: MOST }, () => listen(port, '/events')));
    const full = await ask('/events', { headers: AUTHORIZED });
    expect([full.status, full.headers['retry-after'], full.body]).toEqual([503, '5', '{"error":"too many event streams"}']);
    expect((await ask('/events', { method: 'HEAD', headers: AUTHORIZED })).status).toBe(503);
    expect((await ask('/status', { headers: AUTHORIZED })).status).toBe(200);
    streams[0]?.leave();
    await vi.waitFor(async () => {
      const next = await listen(port, '/events');
      next.leave();
      expect(next.answer.statusCode).toBe(200);
    });
  });

  it('keeps no seat for those who have left before they were let in', async () => {
    let letIn = (): void => {};
    const open = new Promise<boolean>((resolve) => {
      letIn = () => resolve(true);
    });
    let asking = 0;
    const authorize = (): Promise<boolean> => {
      asking++;
      return open;
    };
    const server = await serveOperator(makeOperator({ authorize }));
    servers.push(server);
    const early = Array.from({ length: MOST }, () => get({ host: '127.0.0.1', port: server.port, path: '/events', agent: false }));
    for (const request of early) request.on('error', () => {});
    await vi.waitFor(() => expect(asking).toBe(MOST));
    const sockets = await new Promise<number>((resolve) => {
      let closed = 0;
      for (const request of early) {
        request.on('close', () => ++closed === MOST && resolve(closed));
        request.destroy();
      }
    });
    expect(sockets).toBe(MOST);
    // Answered once the server has noticed that the others are gone.
    await server.ask('/health');
    letIn();
    await open;
    expect((await listen(server.port, '/events')).answer.statusCode).toBe(200);
  });

  it('takes no seat for a HEAD', async () => {
    const { port, ask } = await served();
    for (let count = 0; count <= MOST; count++) await ask('/events', { method: 'HEAD', headers: AUTHORIZED });
    expect((await listen(port, '/events')).answer.statusCode).toBe(200);
  });

  it('ends all streams when it is closed, and begins none', async () => {
    const { port, operator, ask } = await served();
    const streams = await Promise.all([listen(port, '/events'), listen(port, '/events?view=page')]);
    operator.close();
    await Promise.all(streams.map(({ ended }) => ended));
    expect((await ask('/events', { headers: AUTHORIZED })).status).toBe(503);
    expect((await ask('/status', { headers: AUTHORIZED })).status).toBe(200);
  });

  it('is heard by nobody who is not let in', async () => {
    const { ask } = await served();
    expect((await ask('/events?view=page')).status).toBe(401);
    expect((await ask('/events', { headers: { accept: 'text/event-stream', cookie: `${COOKIE}=x` } })).status).toBe(401);
  });
});

describe('the event stream of a Response', () => {
  beforeEach(freezeTime);
  afterEach(() => {
    vi.useRealTimers();
  });

  const open = async (init: RequestInit = { headers: AUTHORIZED }) => {
    const made = makeOperator();
    const at = (path: string, own: RequestInit = init): Promise<Response> =>
      made.operator.fetch(new Request(`http://gw.example${path}`, own));
    return { ...made, at };
  };
  const next = async (reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string | undefined> => {
    const { done, value } = await reader.read();
    return done ? undefined : new TextDecoder().decode(value);
  };

  it('tells what happens until its reader cancels', async () => {
    const { at, latchkey, operator } = await open();
    const timers = vi.getTimerCount();
    const request = new Request('http://gw.example/events', { headers: AUTHORIZED });
    const answer = await operator.fetch(request);
    expect(getEventListeners(request.signal, 'abort')).toHaveLength(1);
    expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const reader = answer.body!.getReader();
    expect(await next(reader)).toBe('retry: 2000\n\n');
    latchkey.capture('ada', bearer(SECRET));
    expect(await next(reader)).toMatch(/^event: entry\ndata: \{.*"event":"captured".*\}\n\n$/);
    const held = vi.getTimerCount();
    await reader.cancel();
    // The latchkey's own, for what it has captured meanwhile, stays.
    expect([held, vi.getTimerCount()]).toEqual([timers + 4, timers + 1]);
    expect(getEventListeners(request.signal, 'abort')).toEqual([]);
    const others = await Promise.all(Array.from({ length: MOST }, () => at('/events')));
    expect(others.map(({ status }) => status)).toEqual(Array.from({ length: MOST }, () => 200));
    expect((await at('/events')).status).toBe(503);
    operator.close();
    await latchkey.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('ends, and frees its seat, when its request is aborted', async () => {
    const { at, operator } = await open();
    const controller = new AbortController();
    const streams = await Promise.all(
      Array.from({ length: MOST }, () => at('/events', { headers: AUTHORIZED, signal: controller.signal })),
    );
    expect((await at('/events')).status).toBe(503);
    controller.abort();
    expect((await at('/events')).status).toBe(200);
    await expect(streams[0]?.text()).resolves.toBe('retry: 2000\n\n');
    expect((await at('/events', { headers: AUTHORIZED, signal: controller.signal })).body).toBeNull();
    operator.close();
  });

  const over = async (reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> => {
    let text = '';
    for (let part = await next(reader); part !== undefined; part = await next(reader)) text += part;
    return text;
  };
  /** Whether a stream is at its end, which is read up to now. */
  const watch = (answer: Response): { readonly text: () => string; readonly isOver: () => boolean } => {
    let text = '';
    let isOver = false;
    void (async () => {
      for await (const part of answer.body!.pipeThrough(new TextDecoderStream())) text += part;
      isOver = true;
    })();
    return { text: () => text, isOver: () => isOver };
  };

  it('ends when the session that it was opened with is over', async () => {
    const { at, operator } = await open();
    const entered = await at('/login', { method: 'POST', body: new URLSearchParams({ token: TOKEN }) });
    const cookie = (entered.headers.get('set-cookie') ?? '').split(';')[0]!;
    await vi.advanceTimersByTimeAsync(8 * 3_600_000 - 60_000);
    const byCookie = watch(await at('/events', { headers: { cookie } }));
    await vi.advanceTimersByTimeAsync(60_000 - 1);
    expect(byCookie.isOver()).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await vi.waitFor(() => expect(byCookie.isOver()).toBe(true));
    operator.close();
  });

  it.each([
    ['a token', 300_000, {}],
    ['a cookie', 300_000, {}],
    ['a rule', 60_000, { authorize: () => 'anna' }],
  ])('lets in by %s for %i ms, and then asks again: who has lost access hears no more', async (by, ms, options) => {
    const { operator, latchkey } = makeOperator(options);
    const asked = (path: string, init: RequestInit): Promise<Response> => operator.fetch(new Request(`http://gw.example${path}`, init));
    const entered = await asked('/login', { method: 'POST', body: new URLSearchParams({ token: TOKEN }) });
    const cookie = (entered.headers.get('set-cookie') ?? '').split(';')[0]!;
    const stream = watch(await asked('/events?view=page', { headers: by === 'a cookie' ? { cookie } : AUTHORIZED }));
    await vi.advanceTimersByTimeAsync(ms - 1);
    expect([stream.isOver(), stream.text().includes('retry: 250')]).toEqual([false, false]);
    await vi.advanceTimersByTimeAsync(1);
    await vi.waitFor(() => expect(stream.isOver()).toBe(true));
    expect(stream.text()).toMatch(/\nretry: 250\n\n$/);
    latchkey.capture('later', bearer(SECRET));
    expect(stream.text()).not.toContain('later');
    operator.close();
  });

  it('keeps no seat for a Response that nobody reads', async () => {
    const { at, operator, latchkey } = await open();
    const read = (await at('/events')).body!.getReader();
    await read.read();
    const unread = await Promise.all(Array.from({ length: MOST - 1 }, () => at('/events?view=page')));
    await vi.advanceTimersByTimeAsync(9_999);
    expect((await at('/events')).status).toBe(503);
    await vi.advanceTimersByTimeAsync(1);
    expect((await Promise.all(unread.map(() => at('/events')))).map(({ status }) => status)).toEqual(unread.map(() => 200));
    await expect(unread[0]?.text()).rejects.toThrow('the listener does not take what it is sent');
    // Whoever has read once is there.
    latchkey.capture('ada', bearer(SECRET));
    expect(await next(read)).toContain('event: entry');
    operator.close();
  });

  it('tells `onError` of a state that cannot be put into words', async () => {
    const { at, operator, errors } = await open();
    const tooLarge = new RangeError('Invalid string length');
    vi.spyOn(JSON, 'stringify').mockImplementationOnce(() => {
      throw tooLarge;
    });
    const answer = await at('/events?view=page');
    vi.restoreAllMocks();
    await expect(answer.text()).rejects.toThrow();
    expect(errors).toEqual([tooLarge]);
    operator.close();
  });

  it('tells `onError` why a page is shown nothing', async () => {
    const failure = new Error('no snapshot');
    const latchkey: Latchkey = {
      ...createLatchkey(),
      snapshot: () => {
        throw failure;
      },
    };
    const { operator, errors } = makeOperator({}, latchkey);
    const stream = watch(await operator.fetch(new Request('http://gw.example/events?view=page', { headers: AUTHORIZED })));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(errors).toEqual([failure]);
    expect(stream.isOver()).toBe(false);
    operator.close();
  });

  it('leaves no timer and no listener behind when the operator is closed', async () => {
    const latchkey = createLatchkey();
    let listeners = 0;
    const on: Latchkey['on'] = (event, listener) => {
      const off = latchkey.on(event, listener);
      listeners++;
      return () => {
        listeners--;
        off();
      };
    };
    const { operator } = makeOperator({}, { ...latchkey, on });
    const entered = await operator.fetch(
      new Request('http://gw.example/login', { method: 'POST', body: new URLSearchParams({ token: TOKEN }) }),
    );
    const cookie = (entered.headers.get('set-cookie') ?? '').split(';')[0]!;
    const answer = await operator.fetch(new Request('http://gw.example/events?view=page', { headers: { cookie } }));
    expect(listeners).toBeGreaterThan(0);
    expect(vi.getTimerCount()).toBeGreaterThan(0);
    operator.close();
    expect([listeners, vi.getTimerCount()]).toEqual([0, 0]);
    expect(await answer.text()).toContain('event: state');
  });

  it('begins nothing that nobody would end, whenever the operator is closed', async () => {
    for (let steps = 0; steps < 30; steps++) {
      const { at, operator } = await open();
      const asked = at('/events');
      for (let step = 0; step < steps; step++) await Promise.resolve();
      operator.close();
      const answer = await asked;
      expect([steps, vi.getTimerCount()]).toEqual([steps, 0]);
      await answer.text();
    }
  });

  it('is cut off if its reader leaves too much lying', async () => {
    const { at, latchkey, operator } = await open();
    const reader = (await at('/events')).body!.getReader();
    await next(reader);
    const seats = await Promise.all(Array.from({ length: MOST - 1 }, () => at('/events')));
    expect(seats.map(({ status }) => status)).toEqual(seats.map(() => 200));
    expect((await at('/events')).status).toBe(503);
    for (const { body } of seats) await body?.cancel();
    for (let count = 0; count < 200; count++) captureLarge(latchkey, count);
    expect(await next(reader)).toContain('event: entry');
    for (let count = 200; count < 600; count++) captureLarge(latchkey, count);
    await expect(over(reader)).rejects.toThrow('the listener does not take what it is sent');
    operator.close();
  });
});
