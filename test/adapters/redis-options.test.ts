import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { describe, expect, it } from 'vitest';
import { type RedisClient, type RedisStoreOptions, redisStore, StoreError } from '../../src/adapters/redis.js';

const SECRET = 'a secret of more than thirty-two characters';
const client = createClient();
const good = { client, namespace: 'shop:eu-1.prod_x', seal: SECRET };

function made(options: Record<string, unknown>): () => unknown {
  return () => redisStore({ ...good, ...options } as unknown as RedisStoreOptions);
}

describe('redisStore', () => {
  it('takes a client of either kind, connected or not, and asks nothing of it yet', () => {
    const clients: RedisClient[] = [client, createClient({ RESP: 2 }), new Redis({ lazyConnect: true })];
    for (const one of clients) expect(redisStore({ ...good, client: one })).toHaveProperty('attach');
    expect(client.listenerCount('error')).toBe(0);
    expect(redisStore({ client, namespace: 'n', fingerprintKey: new Uint8Array(32), commandMs: 1, syncMs: 10.5 })).toHaveProperty('attach');
  });

  it('names what is wrong', () => {
    expect(() => redisStore(undefined as unknown as RedisStoreOptions)).toThrow(new TypeError('redisStore: `options` must be an object'));
    expect(made({ nameSpace: 'x' })).toThrow(new TypeError('redisStore: unknown option `nameSpace`'));
    for (const wrong of [undefined, null, 'redis://localhost', {}, { sendCommand() {} }, { call() {}, on() {} }, () => {}]) {
      expect(made({ client: wrong })).toThrow(
        new TypeError('redisStore: `client` must be a client of redis (node-redis) or ioredis, 5 or 6'),
      );
    }
    for (const wrong of [undefined, '', 'a b', 'x'.repeat(65), '{x}', 'ü', 'x\n', 5]) {
      expect(made({ namespace: wrong })).toThrow(/^redisStore: `namespace` must be a string of 1 to 64 letters/);
    }
    for (const wrong of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, '5', null]) {
      expect(made({ commandMs: wrong })).toThrow(new TypeError('redisStore: `commandMs` must be a number of milliseconds, 1 or more'));
      expect(made({ syncMs: wrong })).toThrow(new TypeError('redisStore: `syncMs` must be a number of milliseconds, 1 or more'));
    }
  });

  it('wants a key, and quotes none', () => {
    expect(made({ seal: undefined })).toThrow(TypeError);
    const short = 'too short a secret';
    for (const options of [{ seal: short }, { fingerprintKey: short }]) {
      expect(made(options)).toThrow(TypeError);
      expect(made(options)).not.toThrow(short);
    }
  });

  it('exports the error that a store fails with', () => {
    expect(new StoreError('STORE_DOWN', 'gone')).toMatchObject({ name: 'StoreError', code: 'STORE_DOWN', message: 'gone' });
  });
});
