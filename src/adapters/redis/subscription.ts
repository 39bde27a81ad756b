import { startTimer } from '../../clock.js';
import type { Connection, Driver } from './client.js';

/** A connection that nothing is sent over may be dead for long before anybody notices: some routers forget it within a minute. */
export const HEARTBEAT_MS = 10_000;
const RETRY_MS = 1_000;

export interface SubscriptionOptions {
  readonly driver: Driver;
  readonly channel: string;
  /** How long an answer is waited for, and how often a silent connection is asked for one, in milliseconds. */
  readonly commandMs: number;
  readonly heartbeatMs: number;
}

export interface SubscriptionListener {
  message(text: string): void;
  /** What was published before may have been missed; from now on nothing is. */
  gap(): void;
}

/** Listens to a channel over connections of its own, for as long as it is open: one that is lost for good is followed by another. */
export class Subscription {
  readonly #options: SubscriptionOptions;
  readonly #listener: SubscriptionListener;
  #connection: Connection | undefined;
  #timer: { cancel(): void } | undefined;
  #closed = false;

  constructor(options: SubscriptionOptions, listener: SubscriptionListener) {
    this.#options = options;
    this.#listener = listener;
  }

  open(): void {
    try {
      const connection = this.#options.driver.connection();
      this.#connection = connection;
      connection.begin(this.#options.channel, {
        ready: () => this.#subscribe(connection),
        ended: () => this.#replace(connection),
        message: (text) => {
          if (this.#connection === connection) this.#listener.message(text);
        },
      });
    } catch {
      this.#replace(this.#connection);
    }
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#end();
  }

  #subscribe(connection: Connection): void {
    if (this.#connection !== connection) return;
    this.#expect(connection, connection.subscribe, () => {
      this.#listener.gap();
      this.#beat(connection);
    });
  }

  #beat(connection: Connection): void {
    this.#timer = startTimer(this.#options.heartbeatMs, () => this.#expect(connection, connection.ping, () => this.#beat(connection)));
  }

  /** What is not answered in time is not waited for: the next connection may do better. */
  #expect(connection: Connection, ask: () => Promise<unknown>, onAnswer: () => void): void {
    this.#timer?.cancel();
    const timer = startTimer(this.#options.commandMs, () => this.#replace(connection));
    this.#timer = timer;
    attempt(ask).then(
      () => {
        if (this.#connection !== connection || this.#timer !== timer) return;
        timer.cancel();
        onAnswer();
      },
      // The client may be about to connect again: until the time is up it has another chance.
      () => {},
    );
  }

  #replace(connection: Connection | undefined): void {
    if (this.#closed || this.#connection !== connection) return;
    this.#timer?.cancel();
    this.#end();
    this.#timer = startTimer(RETRY_MS, () => this.open());
  }

  #end(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    try {
      connection?.end();
    } catch {
      // It was gone already.
    }
  }
}

async function attempt(ask: () => Promise<unknown>): Promise<unknown> {
  return await ask();
}
