import { setImmediate, setTimeout } from 'node:timers/promises';
import * as Sentry from '@sentry/node';
import type { Attempt, Latchkey, Lease, Reporter, RunOptions, Scope, Stats } from '../../../src/index.js';
import { type ConnectedClient, connectClient } from './clients.js';
import {
  type Commands,
  type IdleResult,
  moment,
  type Opening,
  type Ran,
  type RunResult,
  type WorkersOrder,
  type WorkersResult,
} from './commands.js';
import type { Package } from './package.js';
import { refreshFromFile } from './refresh-callback.js';
import { Workers } from './workers.js';

const FLUSH_MS = 10_000;
const FLUSH_ROUNDS = 5;

/** A gateway's process: a Latchkey on a store, an error tracker, workers. */
export class Gateway implements Commands {
  readonly #package: Package;
  #latchkey: Latchkey | undefined;
  #client: ConnectedClient | undefined;
  #reporter: Reporter | undefined;
  #workers: Workers | undefined;

  constructor(parts: Package) {
    this.#package = parts;
  }

  async open({ redisUrl, client: kind, namespace, seal, fingerprintKey, dsn, options = {}, refresh }: Opening): Promise<void> {
    const { latchkey, redis } = this.#package;
    this.#client = await connectClient(kind, redisUrl);
    if (dsn !== undefined) this.#reporter ??= this.#startSentry(dsn);
    this.#latchkey = latchkey.createLatchkey({
      ...options,
      ...(dsn === undefined ? {} : { reporter: this.#reporter }),
      ...(refresh === undefined ? {} : { refresh: refreshFromFile(refresh, this.#package) }),
      ...(refresh?.isKeyed === true ? { refreshKey: () => refresh.file } : {}),
      store: redis.redisStore({ client: this.#client.client, namespace, seal, fingerprintKey }),
    });
    await this.#latchkey.ready();
  }

  async close(): Promise<void> {
    await this.#latchkey?.close();
    this.#client?.end();
    this.#latchkey = this.#client = undefined;
  }

  async stats(): Promise<Stats> {
    return this.#opened.stats();
  }

  async capture(scope: Scope, token: string): Promise<number> {
    const credential = this.#package.latchkey.bearer(token);
    const at = moment();
    this.#opened.capture(scope, credential);
    return at;
  }

  async settle(scope: Scope, status: number): Promise<number> {
    const found = this.#opened.resolve(scope);
    if (!found.ok) throw new Error(`nothing to settle: ${found.reason}`);
    const at = moment();
    found.lease.settle(status);
    return at;
  }

  async canRun(scopes: readonly Scope[]): Promise<readonly boolean[]> {
    return scopes.map((scope) => this.#opened.canRun(scope));
  }

  async reason(scope: Scope): Promise<string | undefined> {
    const found = this.#opened.resolve(scope);
    return found.ok ? undefined : found.reason;
  }

  async isLoaded(scopes: readonly Scope[]): Promise<readonly boolean[]> {
    return scopes.map((scope) => this.#opened.isLoaded(scope));
  }

  async load(scopes: readonly Scope[]): Promise<void> {
    await this.#opened.load(scopes);
  }

  async flush(): Promise<void> {
    // What had to wait for an answer goes after it.
    for (let round = 0; round < FLUSH_ROUNDS; round++) {
      await setImmediate();
      await this.#client?.ping();
    }
  }

  async whenRunnable(scope: Scope, timeoutMs: number): Promise<number> {
    await this.#opened.whenRunnable(scope, { timeoutMs });
    return moment();
  }

  async run(scope: Scope, whenBlocked: 'throw' | 'park'): Promise<RunResult> {
    const options: RunOptions = { whenBlocked, parkMs: 20_000 };
    return resultOf(this.#opened.run(scope, async (lease) => ranWith(lease), options));
  }

  async request(scope: Scope, url: string): Promise<RunResult> {
    const call: Attempt<Ran> = async (lease, { check }) => {
      await (await check(await fetch(url, { headers: lease.headers() }))).text();
      return ranWith(lease);
    };
    return resultOf(this.#opened.run(scope, call));
  }

  async seen(scope: Scope, canRun: boolean): Promise<number> {
    while (this.#opened.canRun(scope) !== canRun) await setImmediate();
    return moment();
  }

  async idle(scopes: readonly Scope[]): Promise<IdleResult> {
    const ran: Record<string, Ran> = {};
    const loop = this.#package.latchkey.createIdleLoop(this.#opened, {
      everyMs: 60_000,
      items: () => scopes,
      scope: (scope) => scope,
      task: async (scope, { run }) => {
        const made = await run(async (lease) => ranWith(lease));
        if (made !== undefined) ran[JSON.stringify(scope)] = made;
      },
    });
    const summary = await loop.tick();
    await loop.stop();
    return { summary, ran };
  }

  async pace(
    scope: Scope,
    token: string,
    { calls, everyMs, presentEvery }: { readonly calls: number; readonly everyMs: number; readonly presentEvery: number },
  ): Promise<void> {
    const startedAt = moment();
    for (let call = 0; call < calls; call++) {
      const wait = startedAt + call * everyMs - moment();
      if (wait > 0) await setTimeout(wait);
      if (call % presentEvery === presentEvery - 1) await this.capture(scope, token);
      await this.#opened.run(scope, async () => call);
    }
  }

  async call(order: Pick<WorkersOrder, 'scope' | 'url' | 'name'>): Promise<void> {
    await new Workers(this.#opened, { ...order, workers: 1, atOnce: 1, withinMs: 0 }).one();
  }

  async warmUp(url: string, calls: number): Promise<void> {
    await Promise.all(Array.from({ length: calls }, async () => (await fetch(url)).text()));
  }

  async startWorkers(order: WorkersOrder): Promise<void> {
    this.#workers = new Workers(this.#opened, order);
    await this.#workers.start();
  }

  async workers(): Promise<WorkersResult> {
    if (this.#workers === undefined) throw new Error('no workers were started');
    return this.#workers.ended();
  }

  async flushReports(): Promise<void> {
    if (this.#reporter !== undefined && !(await Sentry.flush(FLUSH_MS))) throw new Error('the reports did not go out in time');
  }

  get #opened(): Latchkey {
    if (this.#latchkey === undefined) throw new Error('not opened');
    return this.#latchkey;
  }

  /** The real SDK with its default integrations. One to a process, as in a gateway. */
  #startSentry(dsn: string): Reporter {
    const { latchkeyIntegration, sentryReporter } = this.#package.sentry;
    Sentry.init({ dsn, integrations: (defaults) => [latchkeyIntegration(), ...defaults] });
    return sentryReporter(Sentry);
  }
}

function ranWith({ credential, source }: Lease): Ran {
  return { fingerprint: credential.fingerprint, source };
}

async function resultOf(running: Promise<Ran | undefined>): Promise<RunResult> {
  try {
    const ran = await running;
    return ran === undefined ? { code: 'SKIPPED' } : { ran, at: moment() };
  } catch (error) {
    return { code: codeOf(error) };
  }
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code ?? error);
}
