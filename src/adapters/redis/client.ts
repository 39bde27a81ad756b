import type { IoRedisClient, NodeRedisClient, RedisClient } from './types.js';

/** What a connection for messages tells. */
interface ConnectionEvents {
  /** It has been made, for the first time or again. */
  ready(): void;
  /** It will not be made again by itself. */
  ended(): void;
  message(text: string): void;
}

/** A connection of our own, beside the user's, since one that listens does nothing else. */
export interface Connection {
  begin(channel: string, events: ConnectionEvents): void;
  subscribe(): Promise<unknown>;
  ping(): Promise<unknown>;
  /** At once, whatever the server is doing. */
  end(): void;
}

/** Either client as one. */
export interface Driver {
  /** What the client puts in front of every key. */
  readonly keyPrefix: string;
  /** The signal takes back a command that was not written yet, where the client can do so. */
  command(args: readonly string[], signal: AbortSignal): Promise<unknown>;
  connection(): Connection;
  /** Until it is called back, the loss of a connection crashes no process for want of a listener. */
  quiet(): () => void;
}

/** Undefined for what is neither. */
export function driverOf(client: unknown): Driver | undefined {
  if (isIoRedis(client)) return ioRedis(client);
  return isNodeRedis(client) ? nodeRedis(client) : undefined;
}

function isIoRedis(client: unknown): client is IoRedisClient {
  return has(client, ['call', 'duplicate', 'on', 'off']);
}

function isNodeRedis(client: unknown): client is NodeRedisClient {
  return has(client, ['sendCommand', 'duplicate', 'connect', 'on', 'off']);
}

function has(client: unknown, methods: readonly string[]): boolean {
  if (typeof client !== 'object' || client === null) return false;
  return methods.every((method) => typeof (client as Record<string, unknown>)[method] === 'function');
}

function ignore(): void {}

function quiet(client: RedisClient): () => void {
  // Its own, so that giving it back takes nobody else's away.
  const listener = (): void => {};
  client.on('error', listener);
  return () => void client.off('error', listener);
}

function nodeRedis(client: NodeRedisClient): Driver {
  return {
    keyPrefix: '',
    command: (args, abortSignal) => client.sendCommand([...args], { abortSignal }),
    connection: () => nodeRedisConnection(nodeRedisDuplicate(client)),
    quiet: () => quiet(client),
  };
}

/** One that never connects again by itself, and never asks by itself either: what the client waits with would keep the process alive. */
function nodeRedisDuplicate(client: NodeRedisClient): NodeRedisClient {
  if (!('options' in client)) return client.duplicate();
  return client.duplicate({ socket: { ...client.options?.socket, reconnectStrategy: false }, pingInterval: 0 });
}

function nodeRedisConnection(client: NodeRedisClient): Connection {
  let listening: { readonly channel: string; readonly listener: (message: string) => void };
  return {
    begin(channel, events) {
      listening = { channel, listener: (message) => events.message(String(message)) };
      client.on('error', () => {
        // It has given up: nothing else says so in version 5.
        if (client.isOpen === false) events.ended();
      });
      client.on('ready', () => events.ready());
      client.unref?.();
      client.connect().then(ignore, () => events.ended());
    },
    // With the same listener again where the client has resubscribed by itself: it is then told once, and nothing is sent.
    subscribe: () => client.subscribe(listening.channel, listening.listener),
    ping: () => client.ping(),
    end: () => void client.destroy(),
  };
}

function ioRedis(client: IoRedisClient): Driver {
  return {
    keyPrefix: client.options?.keyPrefix ?? '',
    command: ([name = '', ...args]) => client.call(name, ...args),
    connection: () => ioRedisConnection(client.duplicate(IOREDIS_OVERRIDE)),
    quiet: () => quiet(client),
  };
}

const IOREDIS_OVERRIDE = {
  // Its own resubscribing tells nobody when it is done.
  autoResubscribe: false,
  lazyConnect: false,
  // What it waits with before it connects again would keep the process alive.
  retryStrategy: () => null,
} as const;

function ioRedisConnection(client: IoRedisClient): Connection {
  let listening = '';
  return {
    begin(channel, events) {
      listening = channel;
      client.on('error', ignore);
      const unref = (): void => void client.stream?.unref?.();
      // It has a socket a little later. Until there is a connection Node counts it all the same; a handshake it does not.
      client.on('connecting', () => void setImmediate(unref));
      client.on('connect', unref);
      client.on('ready', () => events.ready());
      client.on('end', () => events.ended());
      client.on('message', (_, message) => events.message(String(message)));
    },
    subscribe: () => client.subscribe(listening),
    ping: () => client.ping(),
    end() {
      // Where nothing is left of the connection it would wait two seconds for its end, and the process with it.
      if (client.status !== 'end') client.disconnect();
    },
  };
}
