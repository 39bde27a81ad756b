import type { Key } from '../fleet/seal.js';
import { createFleetStore } from '../fleet/store.js';
import type { Store } from '../ledger/store.js';
import { RedisCarrier } from './redis/carrier.js';
import { readRedisOptions } from './redis/options.js';
import type { RedisClient } from './redis/types.js';

export type { Key } from '../fleet/seal.js';
export { StoreError, type StoreErrorCode } from '../fleet/store-error.js';
export type { Store } from '../ledger/store.js';
export type { IoRedisClient, NodeRedisClient, RedisClient } from './redis/types.js';

/** Options of `redisStore`. */
export interface RedisStoreOptions {
  /**
   * A client of redis (node-redis) or ioredis, 5 or 6, that you connect and close. The store duplicates it for a connection that listens, and
   * closes that one itself. A client of a cluster will not do.
   */
  readonly client: RedisClient;
  /** Processes that give the same one share their state: 1 to 64 letters, digits, dots, underscores, colons and hyphens. */
  readonly namespace: string;
  /**
   * Seals the credentials that processes share: at least 32 bytes, or a string of at least 32 characters. A list is newest first: the first seals,
   * all open. Without it only verdicts are shared, and no credential ever leaves its process.
   */
  readonly seal?: Key | readonly Key[] | undefined;
  /** Turns scopes and fingerprints into the names that the store sees. Default: derived from the last key of `seal`, without which it must be given. */
  readonly fingerprintKey?: Key | undefined;
  /** How long one command may take, in milliseconds, before the store counts as down. Default 1 s. */
  readonly commandMs?: number | undefined;
  /** How often a process looks whether it has missed anything, in milliseconds. Default 2 s. */
  readonly syncMs?: number | undefined;
}

/**
 * State that several processes share on a Redis server, 5 or later: `createLatchkey({ store: redisStore({ … }) })`. One store serves one Latchkey.
 * @throws {TypeError} naming the option that is wrong.
 */
export function redisStore(options: RedisStoreOptions): Store {
  const { driver, namespace, commandMs, syncMs } = readRedisOptions(options);
  const { seal, fingerprintKey } = options;
  return createFleetStore({ carrier: new RedisCarrier({ driver, namespace, commandMs }), namespace, seal, fingerprintKey, syncMs });
}
