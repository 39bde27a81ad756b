import { Redis } from 'ioredis';

/** What a store asks for; all else that the server does, it does inside of these. */
const SENT = ['eval', 'evalsha', 'ping'];
const SET_UP = ['info', 'hello', 'auth', 'select', 'subscribe', 'client|setinfo', 'client|setname', 'client|id'];

export interface Commands {
  readonly sent: number;
  /** Done by the scripts that were sent. */
  readonly inside: number;
}

/** Asks the server how many commands it has done. */
export class CommandCounter {
  readonly #redis: Redis;

  constructor(redisUrl: string) {
    this.#redis = new Redis(redisUrl);
  }

  async during(what: () => Promise<unknown>): Promise<Commands> {
    const before = await this.#count();
    await what();
    const after = await this.#count();
    return { sent: after.sent - before.sent, inside: after.inside - before.inside };
  }

  close(): void {
    this.#redis.disconnect();
  }

  async #count(): Promise<Commands> {
    const counted = { sent: 0, inside: 0 };
    for (const [, name = '', calls] of (await this.#redis.info('commandstats')).matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) {
      if (SENT.includes(name)) counted.sent += Number(calls);
      else if (!SET_UP.includes(name)) counted.inside += Number(calls);
    }
    return counted;
  }
}

export function add(a: Commands, b: Commands): Commands {
  return { sent: a.sent + b.sent, inside: a.inside + b.inside };
}
