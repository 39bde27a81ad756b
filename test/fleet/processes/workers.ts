import { setTimeout } from 'node:timers/promises';
import type { Latchkey } from '../../../src/index.js';
import { moment, type WorkersOrder, type WorkersResult } from './commands.js';

const PARK_MS = 30_000;
const WATCH_EVERY_MS = 1;

/** Workers that have one job each, for which they wait until there is fresh auth. */
export class Workers {
  readonly #latchkey: Latchkey;
  readonly #order: WorkersOrder;
  readonly #jobs: Promise<void>[] = [];
  readonly #doneAt: number[] = [];
  readonly #failures: string[] = [];
  #blockedAt: number | undefined;
  #freedAt: number | undefined;
  #watching: NodeJS.Timeout | undefined;

  constructor(latchkey: Latchkey, order: WorkersOrder) {
    this.#latchkey = latchkey;
    this.#order = order;
  }

  /** Resolves when all have started. */
  async start(): Promise<void> {
    const { workers, atOnce, withinMs } = this.#order;
    this.#watch();
    for (let started = 0; started < atOnce; started++) this.#jobs.push(this.#work());
    const late = workers - atOnce;
    const starts = Array.from({ length: late }, async (_, index) => {
      await setTimeout(((index + 1) * withinMs) / late);
      this.#jobs.push(this.#work());
    });
    await Promise.all(starts);
  }

  async ended(): Promise<WorkersResult> {
    await Promise.all(this.#jobs);
    clearInterval(this.#watching);
    return { doneAt: this.#doneAt, failures: this.#failures, blockedAt: this.#blockedAt, freedAt: this.#freedAt };
  }

  /** One job, which must not fail. */
  async one(): Promise<void> {
    await this.#work();
    if (this.#failures.length > 0) throw new Error(this.#failures[0]);
  }

  async #work(): Promise<void> {
    const { scope, url, name } = this.#order;
    try {
      await this.#latchkey.run(
        scope,
        async (lease, { check }) => {
          const headers = { ...lease.headers(), 'x-process': name, 'x-left-at': String(moment()) };
          return (await check(await fetch(url, { headers }))).text();
        },
        { whenBlocked: 'park', parkMs: PARK_MS },
      );
      this.#doneAt.push(moment());
    } catch (error) {
      this.#failures.push(String(error));
    }
  }

  /** Looks by itself, so that what is learnt does not hang on what a run is told. */
  #watch(): void {
    let could = true;
    this.#watching = setInterval(() => {
      const can = this.#latchkey.canRun(this.#order.scope);
      if (can === could) return;
      could = can;
      if (can) this.#freedAt = moment();
      else this.#blockedAt = moment();
    }, WATCH_EVERY_MS);
  }
}
