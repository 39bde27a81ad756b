import { Redis } from 'ioredis';
import { createClient } from 'redis';
import type { RedisClient } from '../../../src/adapters/redis.js';

export interface ConnectedClient {
  readonly client: RedisClient;
  /** Resolves once what was sent before it has been done. */
  ping(): Promise<unknown>;
  end(): void;
}

/** A client as a gateway would make it. */
export async function connectClient(kind: 'node-redis' | 'ioredis', url: string): Promise<ConnectedClient> {
  if (kind === 'ioredis') {
    const client = new Redis(url);
    client.on('error', () => {});
    return { client, ping: () => client.ping(), end: () => client.disconnect() };
  }
  const client = createClient({ url });
  client.on('error', () => {});
  await client.connect();
  return { client, ping: () => client.ping(), end: () => client.destroy() };
}
