import { get, type IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { freezeTime } from '../support/clock.js';
import { secretsIn } from '../support/secret-forms.js';
import { AUTHORIZED, COOKIE, makeOperator, type Served, serveOperator, TOKEN } from './mounted.js';

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
    const answer = await at('/events');
    expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const reader = answer.body!.getReader();
    expect(await next(reader)).toBe('retry: 2000\n\n');
    latchkey.capture('ada', bearer(SECRET));
    expect(await next(reader)).toMatch(/^event: entry\ndata: \{.*"event":"captured".*\}\n\n$/);
    const timers = vi.getTimerCount();
    await reader.cancel();
    expect(vi.getTimerCount()).toBe(timers - 1);
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

  it('ends when the session that it was opened with is over, and not the one of a token', async () => {
    const { at, operator } = await open();
    const entered = await at('/login', { method: 'POST', body: new URLSearchParams({ token: TOKEN }) });
    const cookie = (entered.headers.get('set-cookie') ?? '').split(';')[0]!;
    await vi.advanceTimersByTimeAsync(7 * 3_600_000);
    const byCookie = (await at('/events', { headers: { cookie } })).body!.getReader();
    const byToken = (await at('/events')).body!.getReader();
    await vi.advanceTimersByTimeAsync(3_600_000 - 1);
    let isOver = false;
    void byCookie.closed.then(() => {
      isOver = true;
    });
    await vi.advanceTimersByTimeAsync(0);
    expect(isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    for (;;) if ((await next(byCookie)) === undefined) break;
    expect(await next(byToken)).toBe('retry: 2000\n\n');
    await vi.advanceTimersByTimeAsync(15_000);
    expect(await next(byToken)).toBeDefined();
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

  it('is ended if its reader leaves too much lying', async () => {
    const { at, latchkey, operator } = await open();
    const answer = await at('/events');
    const name = 'x'.repeat(1_000_000);
    for (let count = 0; count < 12; count++) latchkey.capture(`${count}${name}`, bearer(SECRET));
    const entries = (await answer.text()).match(/^event: entry$/gm) ?? [];
    expect(entries.length).toBeGreaterThan(4);
    expect(entries.length).toBeLessThan(12);
    operator.close();
  });
});
