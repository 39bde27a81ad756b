import { spawn } from 'node:child_process';
import { inspect } from 'node:util';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RedisCarrier, RedisCarrierOptions } from '../../src/adapters/redis/carrier.js';
import type { RedisClient } from '../../src/adapters/redis/types.js';
import type { StoreChange } from '../../src/fleet/carrier.js';
import { StoreError } from '../../src/fleet/store-error.js';
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { answered, IDLE_MS, type Listening, listening, name, redisCarrier, until } from './redis-backends.js';

const NAMESPACE = 'space-of-these-tests';
const META = `{${NAMESPACE}}:lk:meta`;
const SECRET = 'sealed-value-that-nobody-may-quote';
const STAMP = '0000000000000001';

/** A user's client, made without any care for its errors. */
interface User {
  readonly client: RedisClient;
  /** Resolves once it is connected, however long that takes. */
  connect(): Promise<unknown>;
  listeners(): number;
  destroy(): void;
  ask(command: string, ...args: string[]): Promise<unknown>;
}

function nodeRedis(port: number, socket: { readonly reconnectStrategy?: false | number } = {}): User {
  const client = createClient({ socket: { host: '127.0.0.1', port, ...socket } });
  return {
    client,
    connect: () => client.connect(),
    listeners: () => client.listenerCount('error'),
    destroy() {
      // Version 5 throws where there is nothing to destroy.
      if (client.isOpen) client.destroy();
    },
    ask: (...command) => client.sendCommand(command),
  };
}

function ioRedis(port: number, options: { readonly keyPrefix?: string } = {}): User {
  const client = new Redis(port, '127.0.0.1', { lazyConnect: true, retryStrategy: () => 50, ...options });
  return {
    client,
    connect: () => client.connect(),
    listeners: () => client.listenerCount('error'),
    destroy: () => client.disconnect(),
    ask: (command, ...args) => client.call(command, ...args),
  };
}

const USERS = [
  ['node-redis', nodeRedis],
  ['ioredis', ioRedis],
] as const;

async function failureOf(promise: Promise<unknown>): Promise<StoreError> {
  const error: unknown = await promise.then(
    () => undefined,
    (rejected: unknown) => rejected,
  );
  expect(error).toBeInstanceOf(StoreError);
  for (const told of [inspect(error, { depth: 10, showHidden: true }), String((error as Error).stack), JSON.stringify(error)]) {
    expect(told).not.toContain(SECRET);
    expect(told).not.toContain(NAMESPACE);
  }
  return error as StoreError;
}

function pushSecret(carrier: RedisCarrier, epoch: string): Promise<unknown> {
  const learn = { kind: 'learn', identity: name('a'), fields: { f: `${STAMP}${SECRET}` } } as const;
  return carrier.push(epoch, [learn], Date.now(), STAMP);
}

describeWithRedis('a carrier on Redis, when something fails', () => {
  let server: RedisServer;
  let proxy: TcpProxy;
  let unhandled: unknown[];
  const ends: (() => unknown)[] = [];
  const onUnhandled = (error: unknown): void => void unhandled.push(error);

  beforeEach(async () => {
    unhandled = [];
    process.on('unhandledRejection', onUnhandled);
    process.on('uncaughtException', onUnhandled);
    server = await startRedis();
    proxy = await startTcpProxy(server.port);
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
    await proxy.close();
    await server.stop();
    await new Promise((resolve) => setImmediate(resolve));
    process.removeListener('unhandledRejection', onUnhandled);
    process.removeListener('uncaughtException', onUnhandled);
    expect(unhandled).toEqual([]);
  });

  const carrierOf = (user: User, options: Partial<RedisCarrierOptions> = {}): RedisCarrier => {
    const carrier = redisCarrier(user.client, { namespace: NAMESPACE, ...options });
    ends.push(
      () => user.destroy(),
      () => carrier.close(),
    );
    return carrier;
  };
  const connected = async (user: User, options?: Partial<RedisCarrierOptions>): Promise<Listening & { carrier: RedisCarrier }> => {
    const carrier = carrierOf(user, options);
    const [heard] = await Promise.all([listening(carrier), user.connect()]);
    return { ...heard, carrier };
  };
  const works = async (carrier: RedisCarrier): Promise<boolean> => {
    try {
      const { epoch } = await carrier.hello();
      return 'records' in (await carrier.push(epoch, [{ kind: 'learn', identity: name('w'), fields: { f: STAMP } }], Date.now(), STAMP));
    } catch {
      return false;
    }
  };
  const published = async (carrier: RedisCarrier, count: number): Promise<void> => {
    const { epoch } = await carrier.hello();
    const f = String(count).padStart(16, '0');
    answered(await carrier.push(epoch, [{ kind: 'learn', identity: name('p'), fields: { f } }], Date.now(), STAMP));
  };

  describe.each(USERS)('by %s', (_, userOf) => {
    it('waits for a server that is not up yet', async () => {
      await server.kill();
      const user = userOf(server.port);
      const carrier = carrierOf(user, { commandMs: 100 });
      const gaps = { count: 0 };
      carrier.open({ idleMs: IDLE_MS }, { message: () => {}, released: () => {}, gap: () => void gaps.count++ });
      user.connect().catch(() => {});
      expect(await failureOf(carrier.hello())).toMatchObject({ code: 'STORE_DOWN' });
      expect(gaps.count).toBe(0);
      await server.restart();
      await until(() => gaps.count > 0);
      await until(() => works(carrier));
    });

    it('fails while the server is gone, and finds it empty afterwards', async () => {
      const user = userOf(server.port);
      const { carrier, gaps, messages } = await connected(user, { commandMs: 200 });
      const { epoch } = await carrier.hello();
      await server.kill();
      expect(await failureOf(pushSecret(carrier, epoch))).toMatchObject({ code: 'STORE_DOWN' });
      await server.restart();
      await until(() => gaps.count > 1);
      await until(async () => (await carrier.load([]).catch(() => undefined)) !== undefined);
      expect(await pushSecret(carrier, epoch)).toEqual({ refused: 'epoch' });
      expect(await carrier.load([])).toMatchObject({ epoch: '', seq: 0, records: [] });
      const next = await carrier.hello();
      expect(next.epoch).not.toBe(epoch);
      await published(carrier, 1);
      await until(() => messages.length > 0);
      expect(messages[0]).toMatchObject({ epoch: next.epoch, seq: 1 });
    });

    it('has a deadline for a server that answers nothing, and forgets its late answers', async () => {
      const { carrier } = await connected(userOf(server.port), { commandMs: 100 });
      const { epoch } = await carrier.hello();
      server.pause();
      const since = Date.now();
      const error = await failureOf(pushSecret(carrier, epoch));
      expect(error).toMatchObject({ code: 'STORE_DOWN', message: 'no answer within 100 ms' });
      expect(Date.now() - since).toBeLessThan(2_000);
      server.resume();
      await until(() => works(carrier));
    });

    it('lets a burst wait, and keeps no more than ten thousand commands waiting', async () => {
      const { carrier } = await connected(userOf(server.port), { commandMs: 300 });
      await carrier.hello();
      server.pause();
      const asked = Array.from({ length: 10_120 }, () => carrier.load([]).catch((error: StoreError) => error.message));
      const messages = await Promise.all(asked);
      expect(messages.filter((message) => message === 'too many commands are unanswered')).toHaveLength(20);
      expect(messages.filter((message) => message === 'no answer within 300 ms')).toHaveLength(10_100);
      // A hundred are not answered yet, however long ago anybody stopped waiting: the next one is not even sent.
      expect(await failureOf(carrier.load([]))).toMatchObject({ message: 'no answer within 300 ms' });
      server.resume();
      await until(() => works(carrier));
    });

    it('comes back after the network does, and says that it may have missed something', async () => {
      const other = await connected(userOf(server.port));
      const { carrier, gaps, messages } = await connected(userOf(proxy.port), { commandMs: 200 });
      proxy.cut();
      expect(await failureOf(carrier.load([]))).toMatchObject({ code: 'STORE_DOWN' });
      await published(other.carrier, 1);
      proxy.restore();
      await until(() => gaps.count > 1);
      expect(messages).toEqual([]);
      await published(other.carrier, 2);
      await until(() => messages.length > 0);
      expect(messages.map((message) => message.seq)).toEqual([2]);
      await until(() => works(carrier));
    });

    it('replaces a connection that has silently died', async () => {
      const { gaps, messages, carrier } = await connected(userOf(proxy.port), { commandMs: 100, heartbeatMs: 50 });
      await carrier.hello();
      const before = gaps.count;
      proxy.hold();
      await until(() => proxy.connections < 2);
      expect(gaps.count).toBe(before);
      proxy.restore();
      await until(() => gaps.count > before);
      await until(() => works(carrier));
      await until(() => messages.length > 0);
    });

    it('sends its scripts again to a server that has forgotten them', async () => {
      const user = userOf(server.port);
      const { carrier } = await connected(user);
      const { epoch } = await carrier.hello();
      await user.ask('SCRIPT', 'FLUSH');
      expect(await carrier.hello()).toMatchObject({ epoch });
      await user.ask('SCRIPT', 'FLUSH');
      expect(await works(carrier)).toBe(true);
    });

    it('does not touch what another version has written', async () => {
      const user = userOf(server.port);
      const { carrier } = await connected(user);
      const { epoch } = await carrier.hello();
      await user.ask('HSET', META, 'format', '2');
      const calls = [
        carrier.hello(),
        pushSecret(carrier, epoch),
        carrier.load([]),
        carrier.changedSince(0),
        carrier.lock('l', 'o', 1_000),
        carrier.unlock('l', 'o', SECRET),
        carrier.enter('g', 'm', SECRET, 1_000),
        carrier.leave('g', 'm'),
      ];
      for (const call of calls) expect(await failureOf(call)).toMatchObject({ code: 'STORE_FORMAT' });
      expect(await user.ask('DBSIZE')).toBe(1);
    });

    it('quotes nothing of what the server complains about', async () => {
      const user = userOf(server.port);
      const { carrier } = await connected(user);
      const { epoch } = await carrier.hello();
      await user.ask('CONFIG', 'SET', 'maxmemory', '1');
      expect(await failureOf(pushSecret(carrier, epoch))).toMatchObject({
        code: 'STORE_DOWN',
        message: 'the store cannot be reached: OOM',
      });
      await user.ask('CONFIG', 'SET', 'maxmemory', '0');
      await user.ask('DEL', META);
      await user.ask('SET', META, SECRET);
      expect(await failureOf(pushSecret(carrier, epoch))).toMatchObject({ code: 'STORE_DOWN' });
      await user.ask('ACL', 'SETUSER', 'default', '-evalsha', '-eval');
      expect(await failureOf(pushSecret(carrier, epoch))).toMatchObject({ message: 'the store cannot be reached: NOPERM' });
    });

    it('hears nothing in what others publish on its channel', async () => {
      const user = userOf(server.port);
      const { carrier, messages, released } = await connected(user);
      for (const text of ['', 'null', '{}', '["m"]', '["m",1,2,3,4]', '["r",1]', '["m","e","x","l",[]]', 'no json', '["q"]']) {
        await user.ask('PUBLISH', `{${NAMESPACE}}:lk:changes`, text);
      }
      await published(carrier, 1);
      await until(() => messages.length > 0);
      expect([messages.length, released]).toEqual([1, []]);
    });

    it('survives the loss of a connection that nobody listens to, for as long as it is open', async () => {
      const user = userOf(server.port);
      const before = user.listeners();
      const { carrier } = await connected(user, { commandMs: 200 });
      expect(user.listeners()).toBe(before + 1);
      await server.kill();
      await until(() => works(carrier).then((ok) => !ok));
      await carrier.close();
      expect(user.listeners()).toBe(before);
      user.destroy();
    });

    it('closes its own connection and leaves the user’s open', async () => {
      const user = userOf(server.port);
      const { carrier } = await connected(user);
      const clients = async (): Promise<number> =>
        String(await user.ask('CLIENT', 'LIST'))
          .trim()
          .split('\n').length;
      expect(await clients()).toBe(2);
      await carrier.close();
      await carrier.close();
      await until(async () => (await clients()) === 1);
      expect(String(await user.ask('PING'))).toBe('PONG');
      expect(await failureOf(carrier.hello())).toMatchObject({ code: 'STORE_DOWN', message: 'the store is closed' });
    });

    it('closes at once while the server answers nothing, and what is waited for fails', async () => {
      const { carrier } = await connected(userOf(server.port));
      const { epoch } = await carrier.hello();
      server.pause();
      const push = pushSecret(carrier, epoch);
      const failed = failureOf(push);
      await carrier.close();
      expect(await failed).toMatchObject({ message: 'the store is closed' });
      server.resume();
    });

    it('keeps everything for a while only, in one slot of a cluster', async () => {
      const user = userOf(server.port);
      const { carrier } = await connected(user);
      const { epoch } = await carrier.hello();
      const [tenant, session, provider, identity] = ['t', 's', 'p', 'i'].map(name) as [string, string, string, string];
      const captured = Date.now();
      answered(
        await carrier.push(
          epoch,
          [
            { kind: 'learn', identity, fields: { f: STAMP } },
            { kind: 'present', tenant, session, provider, identity, at: STAMP, captured, own: 'own', lent: 'lent' },
            { kind: 'pin', tenant, field: 'x.p', value: STAMP },
          ],
          captured,
          STAMP,
        ),
      );
      await carrier.lock(name('l'), 'owner', 30_000);
      await carrier.enter(name('g'), 'member', 'tag', 30_000);
      const life: Record<string, number> = {};
      for (const key of (await user.ask('KEYS', '*')) as string[]) life[String(key)] = Number(await user.ask('PTTL', String(key)));
      const prefix = `{${NAMESPACE}}:lk:`;
      const least: Record<string, number> = {
        [`${prefix}meta`]: 2 * IDLE_MS,
        [`${prefix}log`]: 2 * IDLE_MS,
        [`${prefix}i:${identity}`]: 2 * IDLE_MS,
        [`${prefix}s:${session}`]: IDLE_MS,
        [`${prefix}t:${tenant}`]: 2 * IDLE_MS,
        [`${prefix}h:${tenant}:${identity}`]: 2 * IDLE_MS,
        [`${prefix}l:${name('l')}`]: 30_000,
        [`${prefix}m:${name('g')}`]: 30_000,
        [`${prefix}m:${name('g')}:tag`]: 30_000,
      };
      expect(Object.keys(life).sort()).toEqual(Object.keys(least).sort());
      for (const [key, ms] of Object.entries(least)) {
        expect(life[key]).toBeLessThanOrEqual(ms);
        expect(life[key]).toBeGreaterThan(ms - 10_000);
      }
    });

    it('prolongs an identity’s life with that of a slot that points at it', async () => {
      const user = userOf(server.port);
      const { carrier } = await connected(user);
      const { epoch } = await carrier.hello();
      const [tenant, session, other, own, lent, fresh] = ['t', 's', 'other', 'own', 'lent', 'fresh'].map(name) as [
        string,
        string,
        string,
        string,
        string,
        string,
      ];
      const present = (by: string, provider: string, identity: string, at: number): StoreChange => {
        const stamp = String(at).padStart(16, '0');
        const who = { tenant, session: by, provider: name(provider), identity };
        return { kind: 'present', ...who, at: stamp, captured: Date.now(), own: '', lent: '' };
      };
      const push = async (...changes: StoreChange[]): Promise<unknown> => answered(await carrier.push(epoch, changes, Date.now(), STAMP));
      const learn = [own, lent, fresh].map((identity) => ({ kind: 'learn', identity, fields: { f: STAMP } }) as const);
      await push(...learn, present(session, 'p', own, 1), present(other, 'p', lent, 2));
      const keys = [own, lent, fresh].map((identity) => `{${NAMESPACE}}:lk:i:${identity}`);
      for (const key of keys) await user.ask('PEXPIRE', key, '5000');
      await push(present(session, 'q', fresh, 3));
      for (const key of keys) expect(Number(await user.ask('PTTL', key))).toBeGreaterThan(IDLE_MS);
    });

    it('leaves nothing of what is over', async () => {
      const user = userOf(server.port);
      const { carrier } = await connected(user);
      const { epoch } = await carrier.hello();
      const present = (identity: string, at: string): StoreChange => {
        const who = { tenant: name('t'), session: name('s'), provider: name('p'), identity: name(identity) };
        return { kind: 'present', ...who, at, captured: Date.now(), own: '', lent: '' };
      };
      answered(await carrier.push(epoch, [present('i', STAMP), present('j', STAMP.replace('1', '2'))], Date.now(), STAMP));
      await carrier.enter('g', 'm', 'tag', 60_000);
      await carrier.leave('g', 'm');
      await carrier.lock('l', 'o', 60_000);
      await carrier.unlock('l', 'o', '');
      const keys = ((await user.ask('KEYS', '*')) as string[]).map((key) => String(key).replace(`{${NAMESPACE}}:lk:`, '')).sort();
      expect(keys).toEqual([`h:${name('t')}:${name('j')}`, 'log', 'meta', `s:${name('s')}`, `t:${name('t')}`]);
    });

    it('raises the version of a record that was there before, even if it expired in between', async () => {
      const user = userOf(server.port);
      const { carrier } = await connected(user);
      await published(carrier, 1);
      await published(carrier, 2);
      const { epoch } = await carrier.hello();
      await user.ask('DEL', `{${NAMESPACE}}:lk:i:${name('p')}`);
      const learn = { kind: 'learn', identity: name('p'), fields: { f: STAMP } } as const;
      expect(answered(await carrier.push(epoch, [learn], Date.now(), STAMP)).records[0]?.version).toBe(3);
    });

    it('does not claim to know what changed if the server has dropped the log', async () => {
      const user = userOf(server.port);
      const { carrier } = await connected(user);
      await published(carrier, 1);
      await user.ask('DEL', `{${NAMESPACE}}:lk:log`);
      expect(await carrier.changedSince(0)).toBeUndefined();
    });
  });

  it('takes back from node-redis what was not written before its deadline', async () => {
    const { carrier } = await connected(nodeRedis(proxy.port, { reconnectStrategy: 500 }), { commandMs: 150 });
    expect(await carrier.lock('known to the server', 'one', 60_000)).toBe(0);
    proxy.cut();
    await until(() =>
      carrier.load([]).then(
        () => false,
        (error: StoreError) => error.message === 'no answer within 150 ms',
      ),
    );
    expect(await failureOf(carrier.lock('lock', 'too late', 60_000))).toMatchObject({ message: 'no answer within 150 ms' });
    proxy.restore();
    await until(() => works(carrier));
    expect(await carrier.lock('lock', 'other', 60_000)).toBe(0);
  });

  it('puts ioredis’s prefix before its channel, as ioredis does before its keys', async () => {
    const { carrier, messages } = await connected(ioRedis(server.port, { keyPrefix: 'app:' }));
    await published(carrier, 1);
    await until(() => messages.length > 0);
    const plain = nodeRedis(server.port);
    ends.push(() => plain.destroy());
    await plain.connect();
    const keys = ((await plain.ask('KEYS', '*')) as string[]).sort();
    expect(keys).toEqual([`app:{${NAMESPACE}}:lk:i:${name('p')}`, `app:{${NAMESPACE}}:lk:log`, `app:${META}`]);
  });

  it('listens again where the user’s client gives up for good', async () => {
    const user = nodeRedis(proxy.port, { reconnectStrategy: false });
    const { gaps } = await connected(user);
    proxy.cut();
    await until(() => proxy.connections === 0);
    proxy.restore();
    await until(() => gaps.count > 1);
  });

  it('contains a client that throws', async () => {
    const thrown = (): never => {
      throw new Error(`${SECRET} went wrong`);
    };
    const client = {
      call: thrown,
      duplicate: thrown,
      subscribe: thrown,
      ping: thrown,
      disconnect: thrown,
      options: {},
      on: () => {},
      off: () => {},
    };
    const carrier = redisCarrier(client, { namespace: NAMESPACE });
    carrier.open({ idleMs: IDLE_MS }, { message: () => {}, released: () => {}, gap: () => {} });
    expect(await failureOf(carrier.hello())).toMatchObject({ code: 'STORE_DOWN', message: 'the store cannot be reached' });
    await carrier.close();
  });

  it('does not keep the process alive', async () => {
    const script = `
      import { createClient } from 'redis';
      import { Redis } from 'ioredis';
      import { RedisCarrier } from './src/adapters/redis/carrier.js';
      import { driverOf } from './src/adapters/redis/client.js';
      const one = createClient({ url: '${server.url}' });
      await one.connect();
      const two = new Redis('${server.url}');
      for (const client of [one, two]) {
        const carrier = new RedisCarrier({ driver: driverOf(client), namespace: 'exits', commandMs: 1000 });
        await new Promise((gap) => carrier.open({ idleMs: 1000 }, { message() {}, released() {}, gap }));
        await carrier.hello();
      }
      one.destroy();
      two.disconnect();
      console.log('done');
    `;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    ends.push(() => child.kill('SIGKILL'));
    let out = '';
    child.stdout.on('data', (data: Buffer) => {
      out += data.toString();
    });
    await until(() => child.exitCode !== null, 15_000);
    expect([child.exitCode, out.trim()]).toEqual([0, 'done']);
  });
});
