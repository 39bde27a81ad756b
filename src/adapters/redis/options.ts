import { type Driver, driverOf } from './client.js';

const KNOWN = ['client', 'namespace', 'seal', 'fingerprintKey', 'commandMs', 'syncMs'];
const NAMESPACE = /^[A-Za-z0-9._:-]{1,64}$/;
const DEFAULT_COMMAND_MS = 1_000;
const DEFAULT_SYNC_MS = 2_000;

/**
 * All but the keys, which are read where they are used.
 * @throws {TypeError} naming the option that is wrong.
 */
export function readRedisOptions(options: unknown): { driver: Driver; namespace: string; commandMs: number; syncMs: number } {
  if (typeof options !== 'object' || options === null) throw new TypeError('redisStore: `options` must be an object');
  for (const name of Object.keys(options)) {
    if (!KNOWN.includes(name)) throw new TypeError(`redisStore: unknown option \`${name}\``);
  }
  const { client, namespace, commandMs, syncMs } = options as Record<string, unknown>;
  const driver = driverOf(client);
  if (driver === undefined) throw new TypeError('redisStore: `client` must be a client of redis (node-redis) or ioredis, 5 or 6');
  if (typeof namespace !== 'string' || !NAMESPACE.test(namespace)) {
    throw new TypeError('redisStore: `namespace` must be a string of 1 to 64 letters, digits, dots, underscores, colons and hyphens');
  }
  return {
    driver,
    namespace,
    commandMs: duration('commandMs', commandMs, DEFAULT_COMMAND_MS),
    syncMs: duration('syncMs', syncMs, DEFAULT_SYNC_MS),
  };
}

function duration(name: string, value: unknown, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 1) {
    throw new TypeError(`redisStore: \`${name}\` must be a number of milliseconds, 1 or more`);
  }
  return value;
}
