import type { Job, JobsOptions, Queue, WorkerOptions } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { type AuthProcessor, type AuthProcessorOptions, createAuthProcessor, type JobContext } from '../../src/adapters/bullmq.js';
import { bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { Bull, until } from '../support/bullmq.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';

export interface Work {
  readonly session: string;
}
export type Process = (job: Job<Work>, context: JobContext) => Promise<string>;

/** A queue on a server of its own, and what a test does with it. Everything is new for each test but the server. */
export class Bench {
  bull!: Bull;
  latchkey!: Latchkey;
  queue!: Queue<Work>;
  /** To look into the server with. */
  redis!: Redis;
  name = '';
  /** What processors told of. */
  errors: unknown[] = [];
  /** The ids of jobs whose `process` was called. */
  calls: string[] = [];
  closings: (() => Promise<void>)[] = [];

  constructor() {
    let server: RedisServer;
    beforeAll(async () => {
      server = await startRedis();
    });
    afterAll(() => server.stop());
    beforeEach(async () => {
      this.bull = new Bull(server.port);
      this.name = this.bull.newName();
      this.latchkey = createLatchkey({ fallback: 'none' });
      this.redis = await this.bull.redis();
      this.queue = await this.bull.queue<Work>(this.name);
      this.errors = [];
      this.calls = [];
      this.closings = [() => this.latchkey.close()];
    });
    afterEach(async () => {
      await this.bull.end();
      for (const close of this.closings) await close();
    });
  }

  dead(session = 's0', whose = this.latchkey): void {
    whose.capture(session, bearer('dead-token')).settle(401);
  }

  made(options: Partial<AuthProcessorOptions<Job<Work>, string>> = {}, whose = this.latchkey): AuthProcessor<Job<Work>, string> {
    const processor = createAuthProcessor(whose, {
      queue: this.queue,
      scope: (job: Job<Work>) => job.data.session,
      process: async (job, { run }) => {
        this.calls.push(job.id ?? '');
        return run(() => `done ${job.id}`);
      },
      onError: (error) => void this.errors.push(error),
      ...options,
    });
    this.closings.unshift(() => processor.close());
    return processor;
  }

  working(processor: AuthProcessor<Job<Work>, string>, options: Partial<WorkerOptions> = {}) {
    return this.bull.worker(this.name, processor.process, options);
  }

  add(options: JobsOptions = {}, session = 's0') {
    return this.queue.add('work', { session }, options);
  }

  recorded(): Promise<number> {
    return this.redis.hlen(this.queue.toKey('latchkey:parked'));
  }

  parked(count: number): Promise<void> {
    return until(`${count} parked`, async () => (await this.queue.getDelayedCount()) === count && (await this.recorded()) === count);
  }
}
