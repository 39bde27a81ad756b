import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { moment } from './commands.js';

const LATENCY_MS = { least: 5, most: 60 };

/** A call as the upstream saw it; times by the clock that all processes share. */
export interface SeenCall {
  readonly process: string;
  readonly status: number;
  readonly leftAt: number;
  readonly arrivedAt: number;
  /** When the answer was begun. */
  readonly answeredAt: number;
}

export interface StormUpstream {
  readonly url: string;
  /** Calls with a credential that were answered, in the order of their answers. */
  readonly seen: readonly SeenCall[];
  /** The only token that is taken from now on. */
  accept(token: string): void;
  /** Rejections of this process's calls are answered after so long, not after 5 to 60 ms. */
  slow(process: string, ms: number): void;
  clear(): void;
  close(): Promise<void>;
}

/** A provider on the loopback interface that takes 5 to 60 ms for an answer, by a seeded hand. Decides as a call arrives. */
export async function startStormUpstream(): Promise<StormUpstream> {
  let accepted: string | undefined;
  const seen: SeenCall[] = [];
  const slow = new Map<string, number>();
  const latency = seededLatency(20_260_101);
  const server = createServer((request, response) => {
    const arrivedAt = moment();
    request.resume();
    const { authorization, 'x-process': from, 'x-left-at': leftAt } = request.headers;
    const process = String(from);
    if (authorization === undefined) return void response.end();
    const status = authorization === `Bearer ${accepted}` ? 200 : 401;
    void setTimeout((status === 401 ? slow.get(process) : undefined) ?? latency()).then(() => {
      seen.push({ process, status, leftAt: Number(leftAt), arrivedAt, answeredAt: moment() });
      const body = status === 200 ? '{"type":"message"}' : '{"type":"error","error":{"type":"authentication_error"}}';
      const headers = {
        'content-type': 'application/json',
        ...(status === 401 ? { 'www-authenticate': 'Bearer error="invalid_token"' } : {}),
      };
      response.writeHead(status, headers).end(body);
    });
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/messages`,
    seen,
    accept(token) {
      accepted = token;
    },
    slow: (process, ms) => void slow.set(process, ms),
    clear() {
      accepted = undefined;
      seen.length = 0;
      slow.clear();
    },
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** The same latencies in every run, handed out as calls arrive. */
function seededLatency(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return LATENCY_MS.least + (state / 2_147_483_647) * (LATENCY_MS.most - LATENCY_MS.least);
  };
}
