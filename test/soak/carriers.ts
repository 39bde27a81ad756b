import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { redisStore } from '../../src/adapters/redis.js';
import { createFleetStore } from '../../src/fleet/store.js';
import type { Store } from '../../src/ledger/store.js';
import { type MemoryCarrier, MemoryStore } from '../support/memory-carrier.js';
import type { RedisServer } from '../support/redis-server.js';
import type { Random } from './random.js';
import { pause } from './runs.js';

const SEAL = 'a sealing secret of 32 characters or more';
const SYNC_MS = 100;

/** What a group shares, and what can go wrong with it. */
export interface Shared {
  /** For one more process. */
  store(by: number): Promise<{ readonly store: Store; end(): Promise<void> }>;
  /** Something goes wrong, and is put right after a while. */
  readonly troubles: readonly { readonly name: string; make(): Promise<void> }[];
  /** Nothing is lost or late from here on. */
  heal(): void;
}

/** In memory, with a network in the hands of the soak. */
export function sharedMemory(random: Random): Shared {
  const memory = new MemoryStore({ clock: { now: () => Date.now() }, logLength: 500 });
  const carriers = new Set<MemoryCarrier>();
  const any = (): MemoryCarrier => random.of([...carriers]);
  let isOver = false;
  const forAWhile = async (): Promise<void> => pause(random.between(20, 700));
  const heal = (): void => {
    memory.down = false;
    for (const carrier of carriers) {
      carrier.down = false;
      carrier.losesAnswers = false;
      carrier.auto = true;
      carrier.deliverAll();
    }
  };
  const settle = (carrier: MemoryCarrier): void => {
    for (let left = carrier.pending.length; left > 0; left--) {
      const index = random.below(carrier.pending.length);
      if (random.chance(0.2)) carrier.duplicate(index);
      if (random.chance(0.15)) carrier.drop(index);
      else carrier.deliver(index);
    }
  };
  return {
    async store(by) {
      const carrier = memory.carrier();
      carriers.add(carrier);
      const store = createFleetStore({ carrier, namespace: 'soak', seal: SEAL, syncMs: SYNC_MS, process: by % 2_048 });
      return { store, end: async () => void carriers.delete(carrier) };
    },
    heal() {
      isOver = true;
      heal();
    },
    troubles: [
      {
        name: 'store outage',
        async make() {
          if (isOver) return;
          memory.down = true;
          await forAWhile();
          memory.down = false;
        },
      },
      {
        name: 'one process cut off',
        async make() {
          const carrier = any();
          if (isOver) return;
          carrier.down = true;
          await forAWhile();
          carrier.down = false;
        },
      },
      {
        name: 'lost answers',
        async make() {
          const carrier = any();
          if (isOver) return;
          carrier.losesAnswers = true;
          await forAWhile();
          carrier.losesAnswers = false;
        },
      },
      {
        name: 'messages late, lost and doubled',
        async make() {
          const carrier = any();
          if (isOver) return;
          carrier.auto = false;
          await forAWhile();
          settle(carrier);
          carrier.auto = true;
          carrier.deliverAll();
        },
      },
      {
        name: 'store emptied',
        async make() {
          if (!isOver) memory.reset();
        },
      },
    ],
  };
}

/** A real server, that is killed, restarted empty, and paused. */
export function sharedRedis(random: Random, server: RedisServer): Shared {
  let isOver = false;
  let isBusy = false;
  const alone = (make: () => Promise<void>) => async () => {
    if (isOver || isBusy) return;
    isBusy = true;
    try {
      await make();
    } finally {
      isBusy = false;
    }
  };
  return {
    async store(by) {
      const namespace = 'soak';
      if (by % 2 === 0) {
        const client = new Redis(server.port, '127.0.0.1', { retryStrategy: () => 50, maxRetriesPerRequest: null });
        client.on('error', () => {});
        return { store: redisStore({ client, namespace, seal: SEAL, syncMs: SYNC_MS }), end: async () => client.disconnect() };
      }
      const client = createClient({ url: server.url, socket: { reconnectStrategy: 50 } });
      client.on('error', () => {});
      await client.connect();
      return { store: redisStore({ client, namespace, seal: SEAL, syncMs: SYNC_MS }), end: async () => client.destroy() };
    },
    heal() {
      isOver = true;
    },
    troubles: [
      {
        name: 'redis killed and restarted',
        make: alone(async () => {
          await server.kill();
          await pause(random.between(50, 1_500));
          await server.restart();
        }),
      },
      {
        name: 'redis paused',
        make: alone(async () => {
          server.pause();
          await pause(random.between(50, 1_500));
          server.resume();
        }),
      },
    ],
  };
}
