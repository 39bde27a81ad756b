import { createServer } from 'node:http';
import { type ClientHttp2Session, connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Latchkey } from '../../src/index.js';
import { freezeTime } from '../support/clock.js';
import { AUTHORIZED, captureLarge, listening, type Made, makeOperator, TOKEN } from './mounted.js';

const MOST = 32;

describe('a client that leaves, or takes nothing', () => {
  const endings: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of endings.splice(0)) await end();
  });

  const http1 = async (made: Made): Promise<{ port: number; held: () => number; isClosed: () => boolean }> => {
    let held = (): number => 0;
    let closed = false;
    const server = createServer((request, response) => {
      held = () => response.writableLength;
      response.on('close', () => {
        closed = true;
      });
      return made.operator.handle(request, response);
    });
    endings.push(() => server.close());
    endings.push(() => server.closeAllConnections());
    return { port: await listening(server), held: () => (closed ? 0 : held()), isClosed: () => closed };
  };
  const http2 = async (made: Made): Promise<{ port: number; session: () => ClientHttp2Session; isClosed: () => boolean }> => {
    let closed = false;
    const server = createHttp2Server((request, response) => {
      response.on('close', () => {
        closed = true;
      });
      return made.operator.handle(request, response);
    });
    endings.push(() => server.close());
    const port = await listening(server);
    const session = (): ClientHttp2Session => {
      const own = connectHttp2(`http://127.0.0.1:${port}`).on('error', () => {});
      endings.push(() => own.destroy());
      return own;
    };
    return { port, session, isClosed: () => closed };
  };
  /** Whoever comes next gets a seat. */
  const expectSeats = (operator: Made['operator']): Promise<void> =>
    vi.waitFor(async () => {
      const controller = new AbortController();
      const seats = await Promise.all(
        Array.from({ length: MOST }, () =>
          operator.fetch(new Request('http://gw.example/events', { headers: AUTHORIZED, signal: controller.signal })),
        ),
      );
      controller.abort();
      expect(seats.map(({ status }) => status)).toEqual(Array.from({ length: MOST }, () => 200));
    });
  const until = async (latchkey: Latchkey, isOver: () => boolean): Promise<void> => {
    for (let number = 0; number < 4_000 && !isOver(); number++) {
      captureLarge(latchkey, number);
      if (number % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  /** Who is asked about in turn, and is let in by `letIn`. */
  const hesitant = () => {
    const asked: (() => void)[] = [];
    const authorize = (): Promise<boolean> => new Promise((resolve) => asked.push(() => resolve(true)));
    return {
      made: makeOperator({ authorize }),
      asked: (count: number) => vi.waitFor(() => expect(asked).toHaveLength(count)),
      letIn: () => {
        for (const say of asked.splice(0)) say();
      },
      fetched: (operator: Made['operator']) => {
        const answer = operator.fetch(new Request('http://gw.example/events'));
        return vi
          .waitFor(() => expect(asked.length).toBeGreaterThan(0))
          .then(() => {
            for (const say of asked.splice(0)) say();
            return answer;
          });
      },
    };
  };

  it('is cut off on HTTP/1, and nothing is held for it', async () => {
    const made = makeOperator();
    const { port, held, isClosed } = await http1(made);
    const socket = connect(port, '127.0.0.1').pause();
    socket.write(`GET /events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`);
    await until(made.latchkey, () => held() > 1_000_000);
    expect(isClosed()).toBe(false);
    // It reads nothing, here and for ever.
    await until(made.latchkey, isClosed);
    expect([isClosed(), held()]).toEqual([true, 0]);
    socket.destroy();
    await expectSeats(made.operator);
    made.operator.close();
  });

  it('is cut off on HTTP/2', async () => {
    const made = makeOperator();
    const { session, isClosed } = await http2(made);
    session()
      .request({ ':path': '/events', ...AUTHORIZED })
      .on('error', () => {})
      .pause();
    await until(made.latchkey, isClosed);
    expect(isClosed()).toBe(true);
    await expectSeats(made.operator);
    made.operator.close();
  });

  it('does not keep a server from closing', async () => {
    const made = makeOperator();
    const { port, held, isClosed } = await http1(made);
    const socket = connect(port, '127.0.0.1').pause();
    socket.write(`GET /events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`);
    await until(made.latchkey, () => held() > 1_000_000);
    made.operator.close();
    await vi.waitFor(() => expect(isClosed()).toBe(true), { timeout: 5_000 });
    socket.destroy();
  });

  it('keeps no seat on HTTP/2 if it leaves before it is let in', async () => {
    const { made, asked, letIn, fetched } = hesitant();
    const { session } = await http2(made);
    const reset = session();
    const lost = session();
    const streams = Array.from({ length: MOST }, (_, index) =>
      (index % 2 === 0 ? reset : lost).request({ ':path': '/events' }).on('error', () => {}),
    );
    await asked(MOST);
    for (const stream of streams) stream.close(8);
    lost.destroy();
    // What comes later on the same connection has been read after that.
    await new Promise<void>(
      (resolve) =>
        void session()
          .request({ ':path': '/health' })
          .on('response', () => resolve()),
    );
    await new Promise<void>((resolve) => void reset.request({ ':path': '/health' }).on('response', () => resolve()));
    letIn();
    await new Promise((resolve) => setImmediate(resolve));
    for (let count = 0; count < MOST; count++) expect((await fetched(made.operator)).status).toBe(200);
    expect((await fetched(made.operator)).status).toBe(503);
    made.operator.close();
  });

  it.each(['before', 'after'])('keeps no seat for requests that it had sent ahead, if it leaves %s it is let in', async (when) => {
    const { made, asked, letIn, fetched } = hesitant();
    const warnings: unknown[] = [];
    const warned = (warning: Error): void => void warnings.push(warning);
    process.on('warning', warned);
    const { port, isClosed } = await http1(made);
    const socket: Socket = connect(port, '127.0.0.1');
    socket.write('GET /events HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(MOST));
    await asked(MOST);
    if (when === 'after') {
      letIn();
      await new Promise<void>((resolve) => socket.once('data', () => resolve()));
      expect((await fetched(made.operator)).status).toBe(503);
    }
    socket.destroy();
    if (when === 'after') await vi.waitFor(() => expect(isClosed()).toBe(true));
    else await new Promise((resolve) => socket.on('close', resolve));
    await fetch(`http://127.0.0.1:${port}/health`);
    letIn();
    await new Promise((resolve) => setImmediate(resolve));
    for (let count = 0; count < MOST; count++) expect((await fetched(made.operator)).status).toBe(200);
    process.off('warning', warned);
    expect(warnings).toEqual([]);
    made.operator.close();
  });

  it('leaves no listener on a connection that goes on', async () => {
    const made = makeOperator();
    const sockets = new Set<Socket>();
    const server = createServer((request, response) => {
      sockets.add(request.socket);
      return made.operator.handle(request, response);
    });
    endings.push(() => server.close());
    endings.push(() => server.closeAllConnections());
    const socket = connect(await listening(server), '127.0.0.1');
    const heard = async (part: string): Promise<void> => {
      let text = '';
      while (!text.includes(part)) text += await new Promise<Buffer>((resolve) => socket.once('data', resolve));
    };
    socket.write('GET /health HTTP/1.1\r\nHost: a\r\n\r\n');
    await heard('{"ok":true}');
    const [own] = sockets;
    const before = [own?.listenerCount('close'), own?.getMaxListeners()];
    socket.write(`GET /events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`);
    await heard('retry: ');
    made.operator.close();
    await heard('0\r\n\r\n');
    socket.write('GET /health HTTP/1.1\r\nHost: a\r\n\r\n');
    await heard('{"ok":true}');
    expect([sockets.size, own?.listenerCount('close'), own?.getMaxListeners()]).toEqual([1, ...before]);
    socket.destroy();
  });

  describe('of any server', () => {
    beforeEach(freezeTime);
    afterEach(() => void vi.useRealTimers());

    const request = { method: 'GET', url: '/events', headers: AUTHORIZED };
    const responder = () => {
      const calls: string[] = [];
      let closed = (): void => {};
      const response = {
        headersSent: false,
        writeHead: (status: number) => calls.push(`head ${status}`),
        write() {},
        end: () => calls.push('end'),
        destroy: () => calls.push('destroy'),
        on(event: string, listener: () => void) {
          if (event === 'close') closed = listener;
        },
      };
      return { response, calls, close: () => closed() };
    };

    it.each<[string, object, object]>([
      ['a response that is destroyed', { destroyed: true }, {}],
      ['a stream of HTTP/2 that is destroyed', { stream: { destroyed: true } }, {}],
      ['a connection that is destroyed', {}, { socket: { destroyed: true } }],
    ])('is known to have left by %s', async (_what, response, connection) => {
      const made = makeOperator();
      const { response: own, calls } = responder();
      for (let count = 0; count < MOST; count++) await made.operator.handle({ ...request, ...connection }, { ...own, ...response });
      expect([calls, vi.getTimerCount()]).toEqual([[], 0]);
      await expectSeats(made.operator);
      made.operator.close();
    });

    it('is cut off if it does not take the end in two seconds', async () => {
      const made = makeOperator();
      const [taking, stalled] = [responder(), responder()];
      for (const { response } of [taking, stalled]) await made.operator.handle(request, response);
      made.operator.close();
      taking.close();
      expect([taking.calls, stalled.calls, vi.getTimerCount()]).toEqual([['head 200', 'end'], ['head 200', 'end'], 1]);
      vi.advanceTimersByTime(1_999);
      expect(stalled.calls).toHaveLength(2);
      vi.advanceTimersByTime(1);
      expect([taking.calls.length, stalled.calls]).toEqual([2, ['head 200', 'end', 'destroy']]);
    });
  });

  it('keeps no seat if the answer cannot be begun', async () => {
    const made = makeOperator();
    const failure = new Error('the headers are wrong');
    const response = {
      ...{ headersSent: false, write() {}, end() {}, on() {} },
      writeHead: (): never => {
        throw failure;
      },
    };
    for (let count = 0; count < MOST; count++) await made.operator.handle({ method: 'GET', url: '/events', headers: AUTHORIZED }, response);
    expect(made.errors).toEqual(Array.from({ length: MOST }, () => failure));
    await expectSeats(made.operator);
    made.operator.close();
  });
});
