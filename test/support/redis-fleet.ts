import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { expect } from 'vitest';
import { type RedisClient, type RedisStoreOptions, redisStore, StoreError, type StoreErrorCode } from '../../src/adapters/redis.js';
import { createLatchkey, type Latchkey, type LatchkeyOptions, type Scope } from '../../src/index.js';
import { type Known, known } from './known.js';
import { type RedisServer, startRedis } from './redis-server.js';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.js';

// A test may have frozen the time; a real server lives in the real one.
const { setTimeout: startRealTimer } = globalThis;
const realNow = Date.now;

export const SEAL = 'a sealing secret of 32 characters or more';

const POLL_MS = 5;
const RECONNECT_MS = 50;

export type ClientKind = 'redis' | 'ioredis';

type StoreOptions = Partial<Omit<RedisStoreOptions, 'client'>>;

export interface RedisFleetOptions {
  readonly processes: number;
  readonly client: ClientKind;
  /** One that others use too, and that outlives the fleet. Default: a server of its own. */
  readonly server?: RedisServer;
  readonly options?: LatchkeyOptions;
  readonly store?: StoreOptions;
  /** Each process has a way to the server that can be cut. */
  readonly proxied?: boolean;
}

/** What stands for a process: a Latchkey with a client, and thus connections, of its own. */
export interface FleetProcess {
  readonly latchkey: Latchkey;
  /** What `store` events said, in order. */
  readonly states: readonly ('up' | 'down')[];
  /** Why the store was down, and what else was told of it, in order. */
  readonly reasons: readonly StoreErrorCode[];
  readonly problems: readonly StoreErrorCode[];
  /** Its way to the server. @throws {Error} if the fleet is not `proxied`. */
  readonly way: TcpProxy;
  close(): Promise<void>;
}

export class RedisFleet {
  readonly server: RedisServer;
  readonly processes: FleetProcess[] = [];
  readonly #options: RedisFleetOptions;
  readonly #namespace = `fleet-${process.pid}-${Math.random().toString(36).slice(2)}`;

  constructor(server: RedisServer, options: RedisFleetOptions) {
    this.server = server;
    this.#options = options;
  }

  get namespace(): string {
    return this.#options.store?.namespace ?? this.#namespace;
  }

  get latchkeys(): Latchkey[] {
    return this.processes.map(({ latchkey }) => latchkey);
  }

  /** One more process, with options of its own beside the fleet's. */
  async add(options: LatchkeyOptions = {}, storeOptions: StoreOptions = {}): Promise<FleetProcess> {
    const way = this.#options.proxied === true ? await startTcpProxy(this.server.port) : undefined;
    const { client, end } = connectClient(this.#options.client, way?.port ?? this.server.port);
    const store = redisStore({ client, namespace: this.namespace, seal: SEAL, ...this.#options.store, ...storeOptions });
    const latchkey = createLatchkey({ ...this.#options.options, ...options, store });
    const states: ('up' | 'down')[] = [];
    const [reasons, problems]: StoreErrorCode[][] = [[], []];
    latchkey.on('store', ({ state, error }) => {
      states.push(state);
      if (error instanceof StoreError) reasons?.push(error.code);
    });
    latchkey.on('error', ({ origin, error }) => {
      if (origin === 'store' && error instanceof StoreError) problems?.push(error.code);
    });
    const added: FleetProcess = {
      latchkey,
      states,
      reasons: reasons ?? [],
      problems: problems ?? [],
      get way() {
        if (way === undefined) throw new Error('the fleet is not proxied');
        return way;
      },
      async close() {
        await latchkey.close({ timeoutMs: 200 });
        end();
        await way?.close();
      },
    };
    this.processes.push(added);
    return added;
  }

  async ready(): Promise<void> {
    await Promise.all(this.latchkeys.map((latchkey) => latchkey.ready()));
  }

  /** Waits until all processes have a store and see these scopes alike; what they see then. */
  async converge(...scopes: Scope[]): Promise<Known> {
    const facts = (): Known[] => this.latchkeys.map((latchkey) => known(latchkey, scopes));
    await eventually(async () => {
      for (const latchkey of this.latchkeys) expect(latchkey.stats().store).toBe('up');
      await Promise.all(this.latchkeys.map((latchkey) => latchkey.load(scopes)));
      const [first, ...rest] = facts();
      for (const other of rest) expect(other).toEqual(first);
    });
    return facts()[0]!;
  }

  async close(): Promise<void> {
    // Or what waits for an answer waits for its deadline.
    if (this.#options.server === undefined) this.server.resume();
    await Promise.all(this.processes.map((one) => one.close()));
    if (this.#options.server === undefined) await this.server.stop();
  }
}

/** Several Latchkeys of one test on one real Redis server, each as if it were a process of its own. */
export async function startRedisFleet(options: RedisFleetOptions): Promise<RedisFleet> {
  const fleet = new RedisFleet(options.server ?? (await startRedis()), options);
  for (let index = 0; index < options.processes; index++) await fleet.add();
  await fleet.ready();
  return fleet;
}

/** As a gateway's own client: connecting by itself, for as long as it takes. */
function connectClient(kind: ClientKind, port: number): { client: RedisClient; end: () => void } {
  const url = `redis://127.0.0.1:${port}`;
  if (kind === 'ioredis') {
    const client = new Redis(url, { retryStrategy: () => RECONNECT_MS });
    client.on('error', () => {});
    return { client, end: () => client.disconnect() };
  }
  const client = createClient({ url, socket: { reconnectStrategy: () => RECONNECT_MS } });
  client.on('error', () => {});
  client.connect().catch(() => {});
  return { client, end: () => client.destroy() };
}

/** Polls until a check neither throws nor returns false, since a server lives in real time; what it threw last is thrown in the end. */
export async function eventually(check: () => unknown, { withinMs = 10_000 }: { readonly withinMs?: number } = {}): Promise<void> {
  for (const until = realNow() + withinMs; ; ) {
    try {
      if ((await check()) !== false) return;
      if (realNow() > until) throw new Error(`it did not come to pass within ${withinMs} ms`);
    } catch (error) {
      if (realNow() > until) throw error;
    }
    await pause(POLL_MS);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => startRealTimer(resolve, ms));
}

/** Rejections that nobody handled, from now on. */
export function unhandledRejections(): { readonly seen: readonly unknown[]; stop(): void } {
  const seen: unknown[] = [];
  const listener = (reason: unknown): void => void seen.push(reason);
  process.on('unhandledRejection', listener);
  return { seen, stop: () => void process.off('unhandledRejection', listener) };
}
