import { afterAll, beforeAll } from 'vitest';
import type { ClientKind } from '../support/redis-fleet.js';
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.js';
import { describeContract } from './contract/contract.js';
import { redisContractFleet, singleFleet } from './contract/fleet.js';

describeContract('one process without a store', singleFleet);

const RUNS: readonly (readonly [number, ClientKind])[] = [
  [2, 'redis'],
  [2, 'ioredis'],
  [4, 'redis'],
  [4, 'ioredis'],
];

describeWithRedis('one state on a Redis server', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  // What is published has to do: nobody looks whether it has missed anything.
  const store = { syncMs: 600_000 };
  for (const [processes, client] of RUNS) {
    describeContract(`${processes} processes, ${client}`, (options = {}) =>
      redisContractFleet({ processes, client, server, options, store }),
    );
  }
});
