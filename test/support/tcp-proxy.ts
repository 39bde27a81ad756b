import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

// A test may have frozen the time; the network lives in the real one.
const { setTimeout: startRealTimer, clearTimeout: stopRealTimer } = globalThis;
const realNow = Date.now;

export interface TcpProxy {
  readonly port: number;
  /** Connections that a client has open now. */
  readonly connections: number;
  /** Connections are broken, and new ones too. */
  cut(): void;
  /** Connections stay, and nothing comes through. */
  hold(): void;
  /** Everything takes so long, in each direction. */
  delay(ms: number): void;
  /** What was held comes through, new connections are taken, nothing is delayed. */
  restore(): void;
  close(): Promise<void>;
}

/** Stands between a client and a server of the loopback interface, so that a test can take the network away. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  const state = { cut: false, held: false, delayMs: 0 };
  const server = createServer((client) => {
    if (state.cut) return void client.destroy();
    const pair = new Pair(client, connect(targetPort, '127.0.0.1'), state, () => pairs.delete(pair));
    pairs.add(pair);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const destroyAll = (): void => {
    for (const pair of pairs) pair.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return [...pairs].filter((pair) => pair.isOpen).length;
    },
    cut() {
      state.cut = true;
      destroyAll();
    },
    hold() {
      state.held = true;
    },
    delay(ms) {
      state.delayMs = ms;
    },
    restore() {
      state.cut = state.held = false;
      state.delayMs = 0;
      for (const pair of pairs) pair.flow();
    },
    async close() {
      destroyAll();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** What is on its way from one side to the other, in order. */
interface Chunk {
  readonly to: Socket;
  readonly data: Buffer | undefined;
  readonly due: number;
}

class Pair {
  readonly #sockets: readonly [Socket, Socket];
  readonly #state: { readonly held: boolean; readonly delayMs: number };
  readonly #waiting: Chunk[] = [];
  readonly #onClose: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(client: Socket, target: Socket, state: { readonly held: boolean; readonly delayMs: number }, onClose: () => void) {
    this.#sockets = [client, target];
    this.#state = state;
    this.#onClose = onClose;
    const relay = (from: Socket, to: Socket): void => {
      from.setNoDelay(true);
      from.on('data', (data: Buffer) => this.#take(to, data));
      from.on('end', () => this.#take(to, undefined));
      from.on('error', () => this.destroy());
      from.on('close', () => {
        // Held, nobody learns that the other side has gone either.
        if (!this.#state.held) this.#gone();
      });
    };
    relay(client, target);
    relay(target, client);
  }

  get isOpen(): boolean {
    return !this.#sockets[0].destroyed;
  }

  destroy(): void {
    stopRealTimer(this.#timer);
    this.#waiting.length = 0;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Passes on what is due. */
  flow(): void {
    stopRealTimer(this.#timer);
    this.#timer = undefined;
    if (this.#state.held) return;
    const now = realNow();
    while (this.#waiting[0] !== undefined && this.#waiting[0].due <= now) {
      const { to, data } = this.#waiting.shift()!;
      if (data === undefined) to.end();
      else if (!to.destroyed) to.write(data);
    }
    const next = this.#waiting[0];
    // One side went while nothing came through.
    if (next === undefined && this.#sockets.some((socket) => socket.destroyed)) this.#gone();
    if (next !== undefined) this.#timer = startRealTimer(() => this.flow(), next.due - now);
  }

  #gone(): void {
    this.destroy();
    this.#onClose();
  }

  #take(to: Socket, data: Buffer | undefined): void {
    this.#waiting.push({ to, data, due: realNow() + this.#state.delayMs });
    this.flow();
  }
}
