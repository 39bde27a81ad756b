import type { Job, Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { createAuthProcessor } from '../../src/adapters/bullmq.js';
import { bearer, createLatchkey, isLatchkeyError, type Latchkey } from '../../src/index.js';
import { statusError } from '../support/attempts.js';
import { Bull, CLIENTS, until } from '../support/bullmq.js';
import { deferred } from '../support/deferred.js';
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.js';

interface Work {
  readonly session: string;
}

/** The upstream knows one token a session. */
class Upstream {
  readonly valid = new Map<string, string>();
  /** By job: how often it was done. */
  readonly done = new Map<string, number>();
  rejections = 0;

  async call(job: Job<Work>, token: string): Promise<string> {
    for (let round = 0; round < 3; round++) await new Promise<void>((resolve) => setImmediate(resolve));
    if (this.valid.get(job.data.session) !== token) {
      this.rejections++;
      throw statusError(401);
    }
    const id = job.id ?? '';
    this.done.set(id, (this.done.get(id) ?? 0) + 1);
    return `done ${id}`;
  }
}

for (const kind of CLIENTS) {
  describeWithRedis(`jobs of a BullMQ queue on ${kind}`, () => {
    let server: RedisServer;
    let bull: Bull;
    let latchkey: Latchkey;
    let upstream: Upstream;
    let queue: Queue<Work>;
    let name: string;

    beforeAll(async () => {
      server = await startRedis();
    });
    afterAll(() => server.stop());

    beforeEach(async () => {
      bull = new Bull(server.port, kind);
      name = bull.newName();
      latchkey = createLatchkey({ fallback: 'none' });
      upstream = new Upstream();
      queue = await bull.queue<Work>(name);
    });
    afterEach(async () => {
      await bull.end();
      await latchkey.close();
    });

    const fresh = (session: string, token: string): void => {
      upstream.valid.set(session, token);
      latchkey.capture(session, bearer(token));
    };
    const dead = (session: string, token: string): void => {
      latchkey.capture(session, bearer(token)).settle(401);
    };
    const start = async (options: { concurrency?: number } = {}) => {
      const processor = createAuthProcessor(latchkey, {
        queue,
        scope: (job: Job<Work>) => job.data.session,
        process: (job, { run }) => run((lease) => upstream.call(job, lease.credential.reveal())),
      });
      const worker = await bull.worker(name, processor.process, options);
      const told: unknown[] = [];
      worker.on('failed', (_, error) => void told.push(error));
      worker.on('error', (error) => void told.push(error));
      return { processor, told };
    };
    const counts = () => queue.getJobCounts('completed', 'delayed', 'failed', 'waiting', 'active');
    const completed = () => queue.getCompletedCount();

    it('1,000 jobs of 10 sessions: the 100 of the dead one wait with their attempts untouched, and are done once there is fresh auth', async () => {
      for (let session = 1; session < 10; session++) fresh(`s${session}`, `token-${session}`);
      dead('s0', 'dead-token');
      const jobs = Array.from({ length: 1_000 }, (_, at) => ({ name: 'work', data: { session: `s${at % 10}` } }));
      await queue.addBulk(jobs);
      const { processor, told } = await start({ concurrency: 20 });

      await until('900 done and 100 parked', async () => (await completed()) === 900 && (await queue.getDelayedCount()) === 100);
      expect(await counts()).toMatchObject({ completed: 900, delayed: 100, failed: 0, waiting: 0, active: 0 });
      const parked = await queue.getDelayed();
      expect(parked.every((job) => job.data.session === 's0' && job.attemptsMade === 0 && job.attemptsStarted === 1)).toBe(true);
      expect(upstream.rejections).toBe(0);
      expect(told).toEqual([]);
      await until('all waited for', () => processor.stats().parked === 100);
      expect(processor.stats()).toEqual({ parked: 100, scopes: 1, parkings: 100, released: 0, overflowed: 0, expired: 0, errors: 0 });

      const at = performance.now();
      fresh('s0', 'fresh-token');
      await until('all done', async () => (await completed()) === 1_000);
      expect(performance.now() - at).toBeLessThan(5_000);
      expect(upstream.done.size).toBe(1_000);
      expect([...upstream.done.values()].every((times) => times === 1)).toBe(true);
      expect(processor.stats()).toEqual({ parked: 0, scopes: 0, parkings: 100, released: 100, overflowed: 0, expired: 0, errors: 0 });
      const redis = await bull.redis();
      expect(await redis.exists(queue.toKey('latchkey:parked'), queue.toKey('latchkey:released'))).toBe(0);
      await processor.close();
    });

    it('150 token flips during 600 jobs lose none, and each is done exactly once', async () => {
      const sessions = Array.from({ length: 10 }, (_, at) => `s${at}`);
      for (const session of sessions) fresh(session, `${session}-0`);
      await queue.addBulk(Array.from({ length: 600 }, (_, at) => ({ name: 'work', data: { session: `s${at % 10}` } })));
      const { processor } = await start();
      for (let flip = 0; flip < 150; flip++) {
        const session = sessions[flip % 10] ?? '';
        // The upstream revokes it; the client brings the next one when some work has gone on.
        upstream.valid.set(session, `${session}-${flip + 1}`);
        const goal = Math.min(600, upstream.done.size + 3);
        await until('some work is done', () => upstream.done.size >= goal || processor.stats().parked >= 600 - upstream.done.size - 20);
        fresh(session, `${session}-${flip + 1}`);
      }
      await until('all done', async () => (await completed()) === 600);
      expect(await counts()).toMatchObject({ completed: 600, delayed: 0, failed: 0, waiting: 0, active: 0 });
      expect([...upstream.done.values()].filter((times) => times !== 1)).toEqual([]);
      expect(upstream.done.size).toBe(600);
      const done = await queue.getCompleted(0, -1);
      expect(done.every((job) => job.attemptsMade === 1)).toBe(true);
      // Something has happened.
      expect(upstream.rejections).toBeGreaterThan(20);
      expect(processor.stats().parkings).toBeGreaterThan(50);
      expect(processor.stats().errors).toBe(0);
      await processor.close();
    });

    it('a rejection in the middle of a job parks it; other sessions flow meanwhile', async () => {
      fresh('s1', 'token-1');
      latchkey.capture('s0', bearer('dead-on-use'));
      const { processor } = await start({ concurrency: 1 });
      const job = await queue.add('work', { session: 's0' }, { attempts: 3 });
      await until('it is parked', async () => (await queue.getDelayedCount()) === 1 && processor.stats().parked === 1);
      expect(upstream.rejections).toBe(1);
      const other = await queue.add('work', { session: 's1' });
      await until('the other one is done', () => other.isCompleted());
      expect((await queue.getJob(job.id ?? ''))?.attemptsMade).toBe(0);
      fresh('s0', 'fresh');
      await until('it is done', () => job.isCompleted());
      expect((await queue.getJob(job.id ?? ''))?.attemptsMade).toBe(1);
      expect(upstream.done.get(job.id ?? '')).toBe(1);
      await processor.close();
    });

    it('fresh auth that comes while a job is being parked gives it back at once', async () => {
      dead('s0', 'dead');
      const [moving, moved] = [deferred(), deferred()];
      const processor = createAuthProcessor(latchkey, {
        queue,
        scope: (job: Job<Work>) => job.data.session,
        process: (job, { run }) => run((lease) => upstream.call(job, lease.credential.reveal())),
      });
      await bull.worker(name, async (job: Job<Work>, token, signal) => {
        const { moveToDelayed } = job;
        job.moveToDelayed = async (...args) => {
          moving.resolve();
          await moved.promise;
          await moveToDelayed.apply(job, args);
        };
        return processor.process(job, token, signal);
      });
      const job = await queue.add('work', { session: 's0' });
      await moving.promise;
      fresh('s0', 'fresh');
      moved.resolve();
      await until('it is done', () => job.isCompleted());
      expect(processor.stats()).toMatchObject({ parkings: 1, released: 1 });
      await processor.close();
    });

    it('more parked jobs than may be: the next one fails for good and says why', async () => {
      dead('s0', 'dead');
      const processor = createAuthProcessor(latchkey, {
        queue,
        scope: (job: Job<Work>) => ({ session: job.data.session, purpose: 'curation' }),
        process: async () => 'never',
        maxParked: 2,
      });
      const worker = await bull.worker(name, processor.process, { concurrency: 1 });
      const failures: unknown[] = [];
      worker.on('failed', (_, error) => void failures.push(error));
      await queue.addBulk([1, 2, 3].map(() => ({ name: 'work', data: { session: 's0' }, opts: { attempts: 5 } })));
      await until('one has failed', () => failures.length === 1);
      expect(await counts()).toMatchObject({ completed: 0, delayed: 2, failed: 1, waiting: 0, active: 0 });
      const [failure] = failures;
      expect(isLatchkeyError(failure)).toBe(true);
      expect(failure).toMatchObject({ code: 'PARK_OVERFLOW', scope: { session: 's0', purpose: 'curation' }, status: 401 });
      const [failed] = await queue.getFailed();
      expect(failed?.failedReason).toMatch(
        /^2 jobs of this queue are parked already, and there is no usable credential for its session, purpose: it is rejected \(401\) since 20/,
      );
      expect(failed?.attemptsMade).toBe(1);
      expect(processor.stats()).toMatchObject({ parked: 2, overflowed: 1 });
      await processor.close();
    });
  });
}
