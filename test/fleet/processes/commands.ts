import type { LatchkeyOptions, Scope, Stats, TickSummary } from '../../../src/index.js';
import type { RefreshOrder } from './refresh-callback.js';

/** How a process joins a fleet. Everything here goes through a pipe as JSON. */
export interface Opening {
  readonly redisUrl: string;
  readonly client: 'node-redis' | 'ioredis';
  readonly namespace: string;
  readonly seal?: string | undefined;
  readonly fingerprintKey?: string | undefined;
  /** Where its error tracker sends to; without one nothing is reported. */
  readonly dsn?: string | undefined;
  readonly options?:
    | Pick<LatchkeyOptions, 'tenancy' | 'fallback' | 'canary' | 'canaryMs' | 'proofMs' | 'idleMs' | 'expiry' | 'refreshMs'>
    | undefined;
  /** Without one nothing is refreshed. */
  readonly refresh?: RefreshOrder | undefined;
}

/** What a run was made with: never the value. */
export interface Ran {
  readonly fingerprint: string;
  readonly source: string;
}

/** What came of a command that asks for one run. */
export type RunResult = { readonly ran: Ran; readonly at: number } | { readonly code: string };

export interface WorkersOrder {
  readonly scope: Scope;
  readonly workers: number;
  readonly url: string;
  /** Goes along with each call, so that the upstream can tell the processes apart. */
  readonly name: string;
  /** So many start at once, the others one by one within so many milliseconds. */
  readonly atOnce: number;
  readonly withinMs: number;
}

/** All times are milliseconds of the clock that the processes of a machine share. */
export interface WorkersResult {
  /** When each job was done. */
  readonly doneAt: readonly number[];
  readonly failures: readonly string[];
  /** When it was last seen that the scope cannot work any more, and that it can again. */
  readonly blockedAt: number | undefined;
  readonly freedAt: number | undefined;
}

export interface IdleResult {
  readonly summary: TickSummary;
  readonly ran: Readonly<Record<string, Ran>>;
}

/** What a process of a fleet can be told to do. */
export interface Commands {
  /** Resolves once the store has answered. A process may open one after the other. */
  open(opening: Opening): Promise<void>;
  close(): Promise<void>;
  stats(): Promise<Stats>;
  /** When it was captured: the moment before. */
  capture(scope: Scope, token: string): Promise<number>;
  /** Takes a lease and settles it: when. */
  settle(scope: Scope, status: number): Promise<number>;
  /** Asked as things stand. */
  canRun(scopes: readonly Scope[]): Promise<readonly boolean[]>;
  /** The reason, where the scope cannot work. */
  reason(scope: Scope): Promise<string | undefined>;
  isLoaded(scopes: readonly Scope[]): Promise<readonly boolean[]>;
  load(scopes: readonly Scope[]): Promise<void>;
  /** Resolves once the store has been told of all that this process did before. */
  flush(): Promise<void>;
  whenRunnable(scope: Scope, timeoutMs: number): Promise<number>;
  /** One run of an attempt that is accepted at once. */
  run(scope: Scope, whenBlocked: 'throw' | 'park'): Promise<RunResult>;
  /** Asks until the scope can or cannot work: when that was so. */
  seen(scope: Scope, canRun: boolean): Promise<number>;
  /** One tick of an idle loop over these scopes. */
  idle(scopes: readonly Scope[]): Promise<IdleResult>;
  /** So many runs, one every so many milliseconds; the credential is presented again before each `presentEvery`-th. */
  pace(
    scope: Scope,
    token: string,
    order: { readonly calls: number; readonly everyMs: number; readonly presentEvery: number },
  ): Promise<void>;
  /** One call of the upstream, as a worker's. */
  call(order: Pick<WorkersOrder, 'scope' | 'url' | 'name'>): Promise<void>;
  /** One run of a call of the upstream. */
  request(scope: Scope, url: string): Promise<RunResult>;
  /** Calls beside Latchkey, so many at once: the first ones of a process take long. */
  warmUp(url: string, calls: number): Promise<void>;
  /** Resolves when all workers have started. */
  startWorkers(order: WorkersOrder): Promise<void>;
  /** Resolves when all have ended. */
  workers(): Promise<WorkersResult>;
  /** What was reported has arrived. */
  flushReports(): Promise<void>;
}

export type Request = { readonly id: number; readonly command: keyof Commands; readonly values: readonly unknown[] };
export type Reply = { readonly id: number; readonly value?: unknown; readonly error?: string };

/** Milliseconds of a clock that all processes of a machine read alike. */
export function moment(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
