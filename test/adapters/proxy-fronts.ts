import { createServer, type IncomingMessage, type ServerResponse, request as sendRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ServerType, serve } from '@hono/node-server';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import { type ProxiedRequest, redirectTarget, type UnauthorizedMonitor } from '../../src/adapters/proxy.js';

/** A transparent proxy of a few lines, in front of one upstream. It turns away by itself what bears `x-turn-away`. */
export interface Front {
  readonly url: string;
  close(): Promise<void>;
}

export type StartFront = (monitor: UnauthorizedMonitor<ProxiedRequest>, upstream: string) => Promise<Front>;

const TURNED_AWAY = { status: 401, headers: { 'www-authenticate': 'Bearer realm="gateway"' }, body: 'the gateway does not know you' };

/** The upstream's answer; redirects are followed where that is safe. */
function ask(url: URL, request: IncomingMessage): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { host: _, ...headers } = request.headers;
    const outgoing = sendRequest(url, { method: request.method ?? 'GET', headers });
    outgoing.on('response', (answer) => {
      const status = answer.statusCode ?? 0;
      const target = status >= 300 && status < 400 ? redirectTarget(url, answer.headers.location ?? '') : undefined;
      if (target === undefined) resolve(answer);
      else ask(target, request).then(resolve, reject);
    });
    outgoing.on('error', reject);
    request.pipe(outgoing);
  });
}

async function forward(
  monitor: UnauthorizedMonitor<ProxiedRequest>,
  upstream: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const exchange = monitor.open(request);
  if (request.headers['x-turn-away'] !== undefined) {
    response.writeHead(TURNED_AWAY.status, TURNED_AWAY.headers).end(TURNED_AWAY.body);
    return;
  }
  try {
    const answer = await ask(new URL(request.url ?? '/', upstream), request);
    exchange.answered(answer);
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, answer.rawHeaders);
    answer.pipe(response);
  } catch (error) {
    exchange.failed(error);
    response.writeHead(502).end('unreachable');
  }
}

const nodeFront: StartFront = async (monitor, upstream) => {
  const server = createServer((request, response) => void forward(monitor, upstream, request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return frontOf(server);
};

const expressFront: StartFront = async (monitor, upstream) => {
  const app = express();
  app.disable('x-powered-by');
  app.use((request, response) => forward(monitor, upstream, request, response));
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return frontOf(server);
};

const honoFront: StartFront = async (monitor, upstream) => {
  const app = new Hono();
  app.all('*', async (context) => {
    const request = context.req.raw;
    const exchange = monitor.open(request);
    if (request.headers.has('x-turn-away')) return new Response(TURNED_AWAY.body, TURNED_AWAY);
    const { pathname, search } = new URL(request.url);
    const headers = new Headers(request.headers);
    headers.delete('host');
    headers.delete('connection');
    try {
      let url = new URL(pathname + search, upstream);
      let answer = await fetch(url, { method: request.method, headers, redirect: 'manual' });
      for (let target = redirectTarget(url, answer.headers.get('location') ?? ''); target; ) {
        url = target;
        answer = await fetch(url, { method: request.method, headers, redirect: 'manual' });
        target = redirectTarget(url, answer.headers.get('location') ?? '');
      }
      exchange.answered(answer);
      return new Response(answer.body, { status: answer.status, statusText: answer.statusText, headers: answer.headers });
    } catch (error) {
      exchange.failed(error);
      return new Response('unreachable', { status: 502 });
    }
  });
  const server = await new Promise<ServerType>((resolve) => {
    const listening = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, () => resolve(listening));
  });
  return frontOf(server);
};

const fastifyFront: StartFront = async (monitor, upstream) => {
  const app = fastify();
  app.all('*', async (request, reply) => {
    const exchange = monitor.open(request);
    if (request.headers['x-turn-away'] !== undefined) {
      return reply.code(TURNED_AWAY.status).headers(TURNED_AWAY.headers).send(TURNED_AWAY.body);
    }
    try {
      const answer = await ask(new URL(request.url, upstream), request.raw);
      exchange.answered(answer);
      return reply
        .code(answer.statusCode ?? 502)
        .headers(answer.headers)
        .send(answer);
    } catch (error) {
      exchange.failed(error);
      return reply.code(502).send('unreachable');
    }
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return frontOf(app.server);
};

export const FRONTS: readonly (readonly [name: string, start: StartFront])[] = [
  ['node:http', nodeFront],
  ['express', expressFront],
  ['hono', honoFront],
  ['fastify', fastifyFront],
];

function frontOf(server: ServerType): Front {
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        if ('closeAllConnections' in server) server.closeAllConnections();
      }),
  };
}

export interface Received {
  readonly status: number;
  /** Without those that belong to one connection, and the date. */
  readonly headers: Record<string, unknown>;
  readonly body: string;
}

/** What a client receives, with nothing interpreted. */
export function receive(url: string, headers: Record<string, string> = {}): Promise<Received> {
  return new Promise((resolve, reject) => {
    const outgoing = sendRequest(url, { headers, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        const { date: _d, connection: _c, 'keep-alive': _k, 'transfer-encoding': _t, 'content-length': _l, ...rest } = answer.headers;
        resolve({ status: answer.statusCode ?? 0, headers: rest, body: Buffer.concat(chunks).toString() });
      });
      answer.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}
