import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { RedisCarrier, type RedisCarrierOptions } from '../../src/adapters/redis/carrier.js';
import { driverOf } from '../../src/adapters/redis/client.js';
import type { RedisClient } from '../../src/adapters/redis/types.js';
import type { Answer, Carrier, CarrierListener, Message, Name, Refusal } from '../../src/fleet/carrier.js';
import { MemoryStore } from '../support/memory-carrier.js';

export const IDLE_MS = 60_000;

/** A carrier and what it has told. */
export interface Listening {
  readonly carrier: Carrier;
  readonly messages: Message[];
  readonly released: [Name, string][];
  readonly gaps: { count: number };
}

/** One way to a store, by which several processes reach the same one. */
export interface Backend {
  /** Another process. */
  carrier(options?: { logLength?: number }): Promise<Carrier>;
  close(): Promise<void>;
}

export function memoryBackend(logLength?: number): Backend {
  const store = new MemoryStore({ clock: { now: () => Date.now() }, ...(logLength === undefined ? {} : { logLength }) });
  return { carrier: async () => store.carrier(), close: async () => {} };
}

export function nodeRedisBackend(url: string, namespace: string, logLength?: number): Backend {
  return redisBackend(
    async () => {
      const client = createClient({ url });
      client.on('error', () => {});
      await client.connect();
      return client;
    },
    async (client) => void client.destroy(),
    namespace,
    logLength,
  );
}

export function ioRedisBackend(url: string, namespace: string, logLength?: number): Backend {
  return redisBackend(
    async () => new Redis(url),
    async (client) => client.disconnect(),
    namespace,
    logLength,
  );
}

export function redisCarrier(client: RedisClient, options: Partial<RedisCarrierOptions> & { readonly namespace: string }): RedisCarrier {
  const driver = driverOf(client);
  if (driver === undefined) throw new Error('no client');
  return new RedisCarrier({ driver, commandMs: 5_000, ...options });
}

function redisBackend<Client extends RedisClient>(
  connect: () => Promise<Client>,
  disconnect: (client: Client) => Promise<void>,
  namespace: string,
  logLength: number | undefined,
): Backend {
  const clients: Client[] = [];
  return {
    async carrier() {
      const client = await connect();
      clients.push(client);
      return redisCarrier(client, { namespace, logLength });
    },
    async close() {
      for (const client of clients) await disconnect(client);
    },
  };
}

/** Opens it, and waits until it hears. */
export async function listening(carrier: Carrier, idleMs = IDLE_MS): Promise<Listening> {
  const heard: Listening = { carrier, messages: [], released: [], gaps: { count: 0 } };
  const listener: CarrierListener = {
    message: (message) => heard.messages.push(message),
    released: (lock, note) => heard.released.push([lock, note]),
    gap: () => void heard.gaps.count++,
  };
  carrier.open({ idleMs }, listener);
  await until(() => heard.gaps.count > 0);
  return heard;
}

/** Polls, since a server lives in real time. */
export async function until(condition: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  for (const end = Date.now() + ms; !(await condition()); ) {
    if (Date.now() > end) throw new Error('it did not come to pass in time');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export function answered(answer: Answer | Refusal): Answer {
  if ('refused' in answer) throw new Error(`refused: ${answer.refused}`);
  return answer;
}

/** A name of the store's, from a short one of the test's. */
export function name(short: string): Name {
  return Buffer.from(short).toString('hex').padEnd(32, '0').slice(0, 32);
}
