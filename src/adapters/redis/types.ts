/** What is used of a node-redis client, 5 or 6. */
export interface NodeRedisClient {
  sendCommand(args: string[], options?: { readonly abortSignal?: AbortSignal }): Promise<unknown>;
  duplicate(override?: { readonly socket: object; readonly pingInterval: number }): NodeRedisClient;
  connect(): Promise<unknown>;
  subscribe(channel: string, listener: (message: string) => unknown): Promise<unknown>;
  ping(): Promise<unknown>;
  destroy(): unknown;
  unref?(): void;
  readonly isOpen?: boolean | undefined;
  readonly options?: { readonly socket?: object | undefined } | undefined;
  on(event: string, listener: (...values: unknown[]) => void): unknown;
  off(event: string, listener: (...values: unknown[]) => void): unknown;
}

/** What is used of an ioredis client, 5 or 6. */
export interface IoRedisClient {
  call(command: string, ...args: string[]): Promise<unknown>;
  duplicate(override?: {
    readonly autoResubscribe?: boolean;
    readonly lazyConnect?: boolean;
    readonly retryStrategy?: () => null;
  }): IoRedisClient;
  subscribe(channel: string): Promise<unknown>;
  ping(): Promise<unknown>;
  disconnect(): unknown;
  readonly status?: string | undefined;
  readonly options: { readonly keyPrefix?: string | undefined };
  readonly stream?: { unref?(): unknown } | undefined;
  on(event: string, listener: (...values: unknown[]) => void): unknown;
  off(event: string, listener: (...values: unknown[]) => void): unknown;
}

/** A client that the user has made, connects and closes. */
export type RedisClient = NodeRedisClient | IoRedisClient;
