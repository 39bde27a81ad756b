import { randomUUID } from 'node:crypto';
import { type Processor, Queue, type QueueOptions, Worker, type WorkerOptions } from 'bullmq';
import { Redis } from 'ioredis';
import { createClient } from 'redis';

/** The clients that BullMQ takes. */
export const CLIENTS = ['ioredis', 'node-redis'] as const;
export type ClientKind = (typeof CLIENTS)[number];

// A test may have frozen the time; a real server lives in the real one.
const { setTimeout: startRealTimer } = globalThis;
const realNow = Date.now;

/** BullMQ's parts on one server, and how to end them all. */
export class Bull {
  readonly #port: number;
  readonly #kind: ClientKind;
  readonly #endings: (() => Promise<unknown>)[] = [];

  constructor(port: number, kind: ClientKind = 'ioredis') {
    this.#port = port;
    this.#kind = kind;
  }

  newName(): string {
    return `jobs-${randomUUID()}`;
  }

  async queue<Data>(name: string, options: Partial<QueueOptions> = {}): Promise<Queue<Data>> {
    const queue = new Queue<Data>(name, { ...options, connection: await this.#connection() });
    this.#endings.unshift(() => queue.close());
    return queue;
  }

  async worker<Data, Result>(
    name: string,
    process: Processor<Data, Result>,
    options: Partial<WorkerOptions> = {},
  ): Promise<Worker<Data, Result>> {
    const worker = new Worker<Data, Result>(name, process, {
      concurrency: 10,
      drainDelay: 1,
      ...options,
      connection: await this.#connection(),
    });
    worker.on('error', () => {});
    this.#endings.unshift(() => worker.close());
    return worker;
  }

  /** A client to look into the server with. */
  async redis(): Promise<Redis> {
    const redis = new Redis(this.#port, { maxRetriesPerRequest: null });
    this.#endings.push(async () => redis.disconnect());
    return redis;
  }

  /** Ends what was opened, the newest first, connections last. */
  async end(): Promise<void> {
    for (const end of this.#endings.splice(0)) await end();
  }

  async #connection(): Promise<QueueOptions['connection']> {
    if (this.#kind === 'ioredis') return this.redis();
    const client = createClient({ url: `redis://127.0.0.1:${this.#port}` });
    client.on('error', () => {});
    await client.connect();
    this.#endings.push(async () => client.isOpen && client.destroy());
    return client as unknown as QueueOptions['connection'];
  }
}

/** Asks until it is so; what a real server does takes real time. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>, deadlineMs = 15_000): Promise<void> {
  for (const end = realNow() + deadlineMs; !(await isSo()); ) {
    if (realNow() > end) throw new Error(`${what}: not within ${deadlineMs} ms`);
    await new Promise<void>((resolve) => startRealTimer(resolve, 5));
  }
}

/** All that a server holds, as text. */
export async function everythingIn(redis: Redis): Promise<string> {
  const texts: string[] = [];
  for (const key of await redis.keys('*')) {
    const type = await redis.type(key);
    const held =
      type === 'hash'
        ? await redis.hgetall(key)
        : type === 'zset'
          ? await redis.zrange(key, '0', '-1')
          : type === 'list'
            ? await redis.lrange(key, 0, -1)
            : type === 'set'
              ? await redis.smembers(key)
              : type === 'stream'
                ? await redis.xrange(key, '-', '+')
                : await redis.get(key);
    texts.push(`${key} ${type} ${JSON.stringify(held)}`);
  }
  return texts.join('\n');
}
