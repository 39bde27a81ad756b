import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Redis } from 'ioredis';

export interface StoredKey {
  readonly key: string;
  readonly type: string;
  /** Milliseconds; -1 for ever. */
  readonly ttl: number;
  readonly value: string;
}

/** Writes down all that a Redis server is told, holds and says, byte by byte as far as it can be seen. */
export class RedisRecorder {
  readonly #reader: Redis;
  readonly #monitor: Listener;
  readonly #messages: Listener;
  /** Every key as it was whenever `look` was called. */
  readonly seen: StoredKey[] = [];

  private constructor(reader: Redis, monitor: Listener, messages: Listener) {
    this.#reader = reader;
    this.#monitor = monitor;
    this.#messages = messages;
  }

  static async start(port: number): Promise<RedisRecorder> {
    const [monitor, messages] = await Promise.all([Listener.open(port, 'MONITOR'), Listener.open(port, 'PSUBSCRIBE *')]);
    return new RedisRecorder(new Redis(port), monitor, messages);
  }

  /** Every command so far, those of scripts included, a line each. */
  get commands(): string {
    return this.#monitor.text;
  }

  /** Every message of every channel so far. */
  get messages(): string {
    return this.#messages.text;
  }

  /** Reads every key there is now. */
  async look(): Promise<StoredKey[]> {
    const keys: StoredKey[] = [];
    for (let cursor = '0', done = false; !done; ) {
      const [next, page] = await this.#reader.scan(cursor, 'COUNT', 500);
      for (const key of page) {
        const type = await this.#reader.type(key);
        const value = await this.#read(key, type);
        // One that is gone in between was there a moment ago.
        if (value !== undefined) keys.push({ key, type, ttl: await this.#reader.pttl(key), value });
      }
      cursor = next;
      done = next === '0';
    }
    this.seen.push(...keys);
    return keys;
  }

  /** Resolves when the server has been heard out. */
  async settled(): Promise<void> {
    const mark = `settled-${Math.random()}`;
    await this.#reader.publish('recorder', mark);
    await Promise.all([this.#monitor.until(mark), this.#messages.until(mark)]);
  }

  close(): void {
    this.#reader.disconnect();
    this.#monitor.close();
    this.#messages.close();
  }

  async #read(key: string, type: string): Promise<string | undefined> {
    switch (type) {
      case 'string':
        return (await this.#reader.get(key)) ?? undefined;
      case 'hash':
        return JSON.stringify(await this.#reader.hgetall(key));
      case 'zset':
        return JSON.stringify(await this.#reader.zrange(key, '0', '-1', 'WITHSCORES'));
      case 'set':
        return JSON.stringify(await this.#reader.smembers(key));
      case 'list':
        return JSON.stringify(await this.#reader.lrange(key, 0, -1));
      case 'stream':
        return JSON.stringify(await this.#reader.xrange(key, '-', '+'));
      case 'none':
        return undefined;
      default:
        throw new Error(`no way to read a ${type}`);
    }
  }
}

/** A connection of which everything that comes is kept. */
class Listener {
  readonly #socket: Socket;
  #text = '';

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1').on('data', (text: string) => {
      this.#text += text;
    });
  }

  static async open(port: number, command: string): Promise<Listener> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const listener = new Listener(socket);
    socket.write(`${command}\r\n`);
    await once(socket, 'data');
    return listener;
  }

  get text(): string {
    return this.#text;
  }

  async until(mark: string): Promise<void> {
    while (!this.#text.includes(mark)) await once(this.#socket, 'data');
  }

  close(): void {
    this.#socket.destroy();
  }
}
