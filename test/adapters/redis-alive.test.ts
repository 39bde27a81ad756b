import { spawn } from 'node:child_process';
import { type AddressInfo, createServer } from 'node:net';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { driverOf } from '../../src/adapters/redis/client.js';
import type { NodeRedisClient, RedisClient } from '../../src/adapters/redis/types.js';
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.js';
import { IDLE_MS, listening, redisCarrier, until } from './redis-backends.js';

const ends: (() => unknown)[] = [];
// At the end, since some of the tests run at the same time.
afterAll(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A port of the loopback interface where nobody listens, or where somebody takes connections and says nothing. */
async function portOf(what: 'refusing' | 'silent'): Promise<number> {
  const server = createServer((socket) => void socket.on('error', () => {}).resume());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  if (what === 'refusing') await new Promise((resolve) => server.close(resolve));
  else ends.push(() => server.close());
  return port;
}

/** Runs a process that opens a carrier on a client, waits a little, ends its client (nothing else), and should then end by itself. */
async function endsByItself(client: string, meanwhile = ''): Promise<void> {
  const script = `
    import { createClient } from 'redis';
    import { Redis } from 'ioredis';
    import { RedisCarrier } from './src/adapters/redis/carrier.js';
    import { driverOf } from './src/adapters/redis/client.js';
    const client = ${client};
    client.on('error', () => {});
    const carrier = new RedisCarrier({ driver: driverOf(client), namespace: 'exits', commandMs: 200 });
    const gap = new Promise((resolve) => carrier.open({ idleMs: 1000 }, { message() {}, released() {}, gap: resolve }));
    carrier.hello().catch(() => {});
    ${meanwhile}
    await new Promise((resolve) => setTimeout(resolve, 1500));
    if (client.destroy) client.destroy();
    else client.disconnect();
    console.log('done');
  `;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  ends.push(() => child.kill('SIGKILL'));
  let out = '';
  child.stdout.on('data', (data: Buffer) => {
    out += data.toString();
  });
  await until(() => out.includes('done'), 15_000);
  // A client of ioredis's waits two seconds for the end of what it has lost already.
  await until(() => child.exitCode !== null, 6_000);
  expect(child.exitCode).toBe(0);
}

describe.concurrent('a store that cannot be reached does not keep the process alive', () => {
  it('by node-redis', async () => {
    const port = await portOf('refusing');
    const socket = `{ host: '127.0.0.1', port: ${port}, reconnectStrategy: () => 300 }`;
    await endsByItself(`createClient({ socket: ${socket} })`, 'client.connect().catch(() => {});');
  }, 30_000);

  it('by ioredis', async () => {
    await endsByItself(`new Redis(${await portOf('refusing')}, '127.0.0.1', { retryStrategy: () => 300 })`);
  }, 30_000);

  it('by node-redis, during a handshake that nobody answers', async () => {
    const port = await portOf('silent');
    await endsByItself(`createClient({ socket: { host: '127.0.0.1', port: ${port}, tls: true } })`, 'client.connect().catch(() => {});');
  }, 30_000);

  it('by ioredis, during a handshake that nobody answers', async () => {
    await endsByItself(`new Redis(${await portOf('silent')}, '127.0.0.1', { tls: {} })`);
  }, 30_000);
});

describe('a connection of the store’s own, beside the user’s', () => {
  it('does not connect again by itself, and has all else of node-redis’s options', () => {
    const asked: unknown[] = [];
    const socket = { host: 'redis.internal', port: 6380, tls: true, ca: 'an authority', reconnectStrategy: () => 50 };
    const options = { socket, password: 'password', database: 3, pingInterval: 1_000 };
    const client = { options, duplicate: (override: unknown) => asked.push(override) };
    const method = (): void => {};
    driverOf({ ...client, sendCommand: method, connect: method, on: method, off: method } as unknown as NodeRedisClient)?.connection();
    expect(asked).toEqual([{ socket: { ...socket, reconnectStrategy: false }, pingInterval: 0 }]);
    expect(socket.reconnectStrategy()).toBe(50);
  });
});

describeWithRedis('a store beside the user’s connection', () => {
  let server: RedisServer | undefined;
  afterEach(() => server?.stop());

  it.each([
    ['node-redis', (port: number) => createClient({ socket: { host: '127.0.0.1', port }, password: 'password', database: 3 })],
    ['node-redis by an address', (port: number) => createClient({ url: `redis://:password@127.0.0.1:${port}/3` })],
    ['ioredis', (port: number) => new Redis({ host: '127.0.0.1', port, password: 'password', db: 3 })],
    ['ioredis by an address', (port: number) => new Redis(`redis://:password@127.0.0.1:${port}/3`)],
  ])('listens with the same password, in the same database: %s', async (_, clientOf) => {
    server = await startRedis();
    const operator = new Redis(server.port);
    ends.push(() => operator.disconnect());
    await operator.config('SET', 'requirepass', 'password');
    const client = clientOf(server.port);
    ends.push(() => ('destroy' in client ? client.destroy() : client.disconnect()));
    client.on('error', () => {});
    if ('isOpen' in client) await client.connect();
    const carrier = redisCarrier(client as RedisClient, { namespace: 'beside' });
    const heard = await listening(carrier, IDLE_MS);
    ends.push(() => carrier.close());
    const { epoch, now } = await carrier.hello();
    const latest = String((now - Date.UTC(2020, 0, 1)) * 4_096).padStart(16, '0');
    await carrier.push(epoch, [{ kind: 'learn', identity: 'a'.repeat(32), fields: { f: latest } }], now, latest);
    await until(() => heard.messages.length > 0);
    const connections = String(await operator.client('LIST'))
      .split('\n')
      .filter((line) => line.includes(' db=3 '));
    expect(connections).toHaveLength(2);
  });
});
