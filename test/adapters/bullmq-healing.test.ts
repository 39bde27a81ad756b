import { FlowProducer, type Job, type JobsOptions, type Queue, type WorkerOptions } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type AuthProcessorOptions, createAuthProcessor, type JobContext } from '../../src/adapters/bullmq.js';
import { bearer, createLatchkey, isLatchkeyError, type Latchkey, LatchkeyError } from '../../src/index.js';
import { statusError } from '../support/attempts.js';
import { Bull, everythingIn, until } from '../support/bullmq.js';
import { manualClock } from '../support/clock.js';
import { deferred } from '../support/deferred.js';
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.js';

interface Work {
  readonly session: string;
}
type Process = (job: Job<Work>, context: JobContext) => Promise<string>;

describeWithRedis('parked jobs of a BullMQ queue', () => {
  let server: RedisServer;
  let bull: Bull;
  let latchkey: Latchkey;
  let queue: Queue<Work>;
  let redis: Redis;
  let name: string;
  let errors: unknown[];
  let calls: string[];
  let closings: (() => Promise<void>)[];

  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  beforeEach(async () => {
    bull = new Bull(server.port);
    name = bull.newName();
    latchkey = createLatchkey({ fallback: 'none' });
    redis = await bull.redis();
    queue = await bull.queue<Work>(name);
    errors = [];
    calls = [];
    closings = [() => latchkey.close()];
  });
  afterEach(async () => {
    await bull.end();
    for (const close of closings) await close();
  });

  const dead = (session = 's0', whose = latchkey): void => void whose.capture(session, bearer('dead-token')).settle(401);
  const processing: Process = async (job, { run }) => {
    calls.push(job.id ?? '');
    return run(() => `done ${job.id}`);
  };
  const made = (options: Partial<AuthProcessorOptions<Job<Work>, string>> = {}, whose = latchkey) => {
    const processor = createAuthProcessor(whose, {
      queue,
      scope: (job: Job<Work>) => job.data.session,
      process: processing,
      onError: (error) => void errors.push(error),
      ...options,
    });
    closings.unshift(() => processor.close());
    return processor;
  };
  const working = (processor: ReturnType<typeof made>, options: Partial<WorkerOptions> = {}) =>
    bull.worker(name, processor.process, options);
  const add = (options: JobsOptions = {}, session = 's0') => queue.add('work', { session }, options);
  const parked = (count: number) =>
    until(`${count} parked`, async () => (await queue.getDelayedCount()) === count && (await recorded()) === count);
  const recorded = (): Promise<number> => redis.hlen(queue.toKey('latchkey:parked'));

  it('those of a process that is gone are released by another one, which looks when it is made', async () => {
    dead();
    const first = made();
    const worker = await working(first);
    const jobs = [await add(), await add()];
    await parked(2);
    // Nothing of the first one is there any more to release them.
    await worker.close();
    await first.close();
    await latchkey.close();

    const later = createLatchkey();
    closings.push(() => later.close());
    dead('s0', later);
    const loaded: unknown[] = [];
    const loading: Latchkey = { ...later, load: async (scopes) => void loaded.push(...scopes) };
    const second = made({}, loading);
    await until('it knows of them', () => second.stats().parked === 2);
    expect(loaded).toEqual([{ session: 's0' }, { session: 's0' }]);
    expect(second.stats()).toMatchObject({ scopes: 1, parkings: 0 });
    await working(second);
    later.capture('s0', bearer('fresh'));
    for (const job of jobs) await until('it is done', () => job.isCompleted());
    expect(calls.sort()).toEqual(jobs.map(({ id }) => id).sort());
    expect(second.stats()).toMatchObject({ parked: 0, released: 2, errors: 0 });
    expect(await recorded()).toBe(0);
  });

  it('those that another process parks are found by the next look, and forgotten when somebody else has released them', async () => {
    dead();
    const first = made();
    const worker = await working(first);
    const other = createLatchkey();
    closings.push(() => other.close());
    dead('s0', other);
    const second = made({ lookMs: 20 }, other);
    await add();
    await parked(1);
    await until('the second knows', () => second.stats().parked === 1);
    latchkey.capture('s0', bearer('fresh'));
    await until('it is done', async () => (await queue.getCompletedCount()) === 1);
    await until('the second knows that too', () => second.stats().parked === 0);
    expect([first.stats().released, second.stats().released]).toEqual([1, 0]);
    await worker.close();
    expect(errors).toEqual([]);
  });

  it('one that nobody knows of looks by itself after `recheckMs`', async () => {
    dead();
    // There is one place, which is its own.
    const processor = made({ recheckMs: 150, maxParked: 1 });
    const worker = await working(processor);
    const job = await add({ attempts: 2 });
    await until('it has looked in vain', () => processor.stats().parkings >= 2);
    // Nobody has rejected it: it goes back at once when its time comes.
    expect(await redis.hvals(queue.toKey('latchkey:parked'))).toEqual([expect.stringMatching(/^\d+\|0\|0\|\{"session":"s0"\}$/)]);
    expect((await queue.getJob(job.id ?? ''))?.attemptsMade).toBe(0);
    await worker.close();
    await processor.close();
    const other = made({ recheckMs: 150 });
    // As if a process had died between taking the job and giving it back.
    await redis.del(queue.toKey('latchkey:parked'));
    latchkey.capture('s0', bearer('fresh'));
    await working(other);
    await until('it is done', () => job.isCompleted());
    expect(other.stats().released).toBe(0);
  });

  it('one that was parked for too long fails for good, counted from its first parking', async () => {
    const clock = manualClock();
    dead();
    const processor = made({ recheckMs: 40, maxParkedMs: 60_000, clock });
    const worker = await working(processor);
    const failures: unknown[] = [];
    worker.on('failed', (_, error) => void failures.push(error));
    const job = await add({ attempts: 5 });
    await until('it is parked anew', () => processor.stats().parkings >= 2);
    clock.advance(59_000);
    const before = processor.stats().parkings;
    await until('and again', () => processor.stats().parkings > before + 1);
    clock.advance(1_000);
    await until('it has failed', () => failures.length === 1);
    const [failure] = failures;
    expect(isLatchkeyError(failure)).toBe(true);
    expect(failure).toMatchObject({ code: 'PARK_TIMEOUT', scope: { session: 's0' }, status: 401 });
    const failed = await queue.getJob(job.id ?? '');
    expect(failed?.failedReason).toMatch(
      /^the job has waited since 2026-01-01T00:00:00.000Z, and there is no usable credential for its session: it is rejected \(401\) since /,
    );
    expect(failed?.attemptsMade).toBe(1);
    expect(processor.stats()).toMatchObject({ expired: 1, parked: 0 });
    expect(await recorded()).toBe(0);

    // By hand it begins anew.
    await failed?.retry();
    await parked(1);
  });

  it('a release does not start the age anew; the end of the job does', async () => {
    const clock = manualClock();
    dead();
    const processor = made({ maxParkedMs: 60_000, clock });
    const worker = await working(processor, { concurrency: 1 });
    const job = await add();
    await parked(1);
    clock.advance(50_000);
    await worker.pause();
    const capture = latchkey.capture('s0', bearer('short-lived'));
    await until('it is released', () => processor.stats().released === 1);
    capture.settle(401);
    await worker.resume();
    await until('it is parked again', () => processor.stats().parkings === 2);
    // It comes when its time is over, not a quarter of an hour later.
    expect((await queue.getDelayed())[0]?.delay).toBe(10_000);
    await worker.pause();
    latchkey.capture('s0', bearer('as-short-lived'));
    await until('it is released again', () => processor.stats().released === 2);
    latchkey.capture('s0', bearer('as-short-lived')).settle(401);
    clock.advance(10_000);
    await worker.resume();
    await until('it has failed', () => job.isFailed());
    expect((await queue.getJob(job.id ?? ''))?.failedReason).toMatch(/^the job has waited since 2026-01-01T00:00:00.000Z/);
  });

  it('one that is rejected again and again although its scope can run comes back more and more slowly', async () => {
    // The scope can borrow, and the run may not.
    const lending = createLatchkey();
    closings.push(() => lending.close());
    lending.capture('somebody', bearer('global'));
    const process: Process = async (job, { run }) => {
      calls.push(job.id ?? '');
      return run(() => 'never', { fallback: 'none' });
    };
    const processor = made({ process }, lending);
    await working(processor);
    const job = await add();
    await until('it has been released for the fourth time', () => processor.stats().released === 4);
    expect(calls.length).toBe(4);
    const delayed = await queue.getJob(job.id ?? '');
    expect(await delayed?.isDelayed()).toBe(true);
    expect(delayed?.delay).toBeGreaterThan(500);
    expect(delayed?.delay).toBeLessThanOrEqual(1_000);
    lending.capture('s0', bearer('own'));
    await until('it is done', () => job.isCompleted());
    expect(calls.length).toBe(5);
  });

  it('everything else that leaves the processor is passed on, the same object, and uses up an attempt', async () => {
    latchkey.capture('s0', bearer('good'));
    const thrown = [
      new Error('of its own'),
      statusError(500),
      new LatchkeyError('TIMEOUT', 'took too long', { scope: { session: 's0' } }),
      new TypeError('scope: `session` is empty'),
    ];
    const processor = made({
      process: async (job) => {
        throw thrown[job.attemptsMade];
      },
    });
    const worker = await working(processor);
    const failures: unknown[] = [];
    worker.on('failed', (_, error) => void failures.push(error));
    await add({ attempts: 4 });
    await until('it has failed', () => failures.length === 4);
    expect(failures.every((failure, at) => failure === thrown[at])).toBe(true);
    expect(processor.stats()).toMatchObject({ parkings: 0 });
  });

  it('a run that waited in vain, or found no place to wait in, parks its job', async () => {
    for (const code of ['PARK_TIMEOUT', 'PARK_OVERFLOW'] as const) {
      const capture = latchkey.capture('s0', bearer(`token-${code}`));
      const processor = made({
        process: async () => {
          capture.settle(401);
          throw new LatchkeyError(code, 'no place', { scope: { session: 's0' } });
        },
      });
      const worker = await working(processor);
      const job = await add();
      await parked(1);
      await worker.close();
      await processor.close();
      await job.remove();
    }
  });

  it('a scope that is none fails its job, and so does a rule that throws', async () => {
    const processor = made({ scope: (job) => (job.data.session === '' ? { session: '' } : JSON.parse('{')) });
    await working(processor);
    const jobs = [await add({}, ''), await add({}, 's0')];
    for (const job of jobs) await until('it has failed', () => job.isFailed());
    expect((await queue.getJob(jobs[0]?.id ?? ''))?.failedReason).toBe('scope: `session` is empty');
    expect(processor.stats().parkings).toBe(0);
  });

  it('a job whose Latchkey is closed, before it or in its middle, goes back without using up an attempt', async () => {
    latchkey.capture('s0', bearer('good'));
    const [begun, closed] = [deferred(), deferred()];
    const processor = made({
      recheckMs: 60,
      process: async (job, { run }) => {
        calls.push(job.id ?? '');
        begun.resolve();
        await closed.promise;
        return run(() => 'never');
      },
    });
    await working(processor);
    const job = await add({ attempts: 1 });
    await begun.promise;
    await latchkey.close();
    closed.resolve();
    const now = () => queue.getJob(job.id ?? '');
    await until('it comes and goes', async () => ((await now())?.attemptsStarted ?? 0) > 3);
    expect((await now())?.attemptsMade).toBe(0);
    expect(await recorded()).toBe(0);
    expect(calls.length).toBe(1);
  });

  it('a closed processor hands back what still comes', async () => {
    latchkey.capture('s0', bearer('good'));
    const processor = made();
    await processor.close();
    await working(processor);
    const job = await add({ attempts: 1 });
    await until('it is back', () => job.isDelayed());
    const handedBack = await queue.getJob(job.id ?? '');
    expect(handedBack?.attemptsMade).toBe(0);
    expect(handedBack?.delay).toBeLessThanOrEqual(5_000);
    expect(calls).toEqual([]);
    expect(await recorded()).toBe(0);
  });

  it('nothing is released once the processor is closed', async () => {
    dead();
    const processor = made();
    await working(processor);
    await add();
    await parked(1);
    const waiting = [latchkey.stats().waiting];
    await processor.close();
    await processor.close();
    waiting.push(latchkey.stats().waiting);
    latchkey.capture('s0', bearer('fresh'));
    await latchkey.whenRunnable('s0');
    expect(await queue.getDelayedCount()).toBe(1);
    expect(processor.stats()).toMatchObject({ parked: 0, released: 0 });
    expect(waiting).toEqual([1, 0]);
  });

  it('jobs that are removed while they are parked are forgotten', async () => {
    dead();
    const processor = made({ lookMs: 20 });
    await working(processor);
    const job = await add();
    await parked(1);
    await job.remove();
    await until('the record is gone', async () => (await recorded()) === 0);
    await until('it is not waited for', () => processor.stats().scopes === 0);
    const more = await add();
    await parked(1);
    await more.remove();
    latchkey.capture('s0', bearer('fresh'));
    await until('nothing is left', async () => processor.stats().parked === 0 && (await recorded()) === 0);
    expect(errors).toEqual([]);
  });

  it('one that is found to be gone when its turn comes is forgotten then', async () => {
    dead();
    const processor = made();
    await working(processor);
    const job = await add();
    await parked(1);
    await job.remove();
    latchkey.capture('s0', bearer('fresh'));
    await until(
      'nothing is left',
      async () => (await redis.exists(queue.toKey('latchkey:parked'), queue.toKey('latchkey:released'))) === 0,
    );
    expect(processor.stats()).toMatchObject({ parked: 0, released: 0 });
  });

  it('those that somebody without this processor has done are forgotten, and leave room', async () => {
    dead();
    const processor = made({ lookMs: 20, maxParked: 1 });
    const worker = await working(processor);
    const job = await add();
    await parked(1);
    await worker.close();
    await bull.worker(name, async () => 'done');
    await (await queue.getJob(job.id ?? ''))?.promote();
    await until('the record is gone', async () => (await recorded()) === 0);
    expect(await job.isCompleted()).toBe(true);
  });

  it('one that is taken before it lies in the delayed set is recorded again', async () => {
    dead();
    const elsewhere = createLatchkey();
    closings.push(() => elsewhere.close());
    elsewhere.capture('s0', bearer('fresh'));
    const [moving, moved] = [deferred(), deferred()];
    const processor = made();
    await bull.worker(name, async (job: Job<Work>, token, signal) => {
      const { moveToDelayed } = job;
      job.moveToDelayed = async (...args) => {
        moving.resolve();
        await moved.promise;
        await moveToDelayed.apply(job, args);
      };
      return processor.process(job, token, signal);
    });
    const job = await add();
    await moving.promise;
    const quick = made({}, elsewhere);
    await until('it is taken', async () => (await redis.hlen(queue.toKey('latchkey:released'))) === 1);
    await quick.close();
    moved.resolve();
    await parked(1);
    latchkey.capture('s0', bearer('fresh'));
    await until('it is done', () => job.isCompleted());
    expect(errors).toEqual([]);
  });

  it('a job that works for another scope too waits for the one that is blocked', async () => {
    latchkey.capture('s0', bearer('good'));
    latchkey.capture('s1', bearer('dead')).settle(401);
    const process: Process = async (job, { run, scope }) => {
      calls.push(job.id ?? '');
      await run(() => scope.session);
      return latchkey.run({ session: 's1', purpose: 'curation' }, () => 'done');
    };
    const processor = made({ process });
    await working(processor);
    const job = await add();
    await parked(1);
    expect(await redis.hvals(queue.toKey('latchkey:parked'))).toEqual([
      expect.stringMatching(/^\d+\|\d+\|1\|\{"session":"s1","purpose":"curation"\}$/),
    ]);
    latchkey.capture('s0', bearer('another'));
    expect(calls.length).toBe(1);
    latchkey.capture('s1', bearer('fresh'));
    await until('it is done', () => job.isCompleted());
    expect(calls.length).toBe(2);
  });

  it('a scope of another Latchkey, which is none here, counts as the job’s own', async () => {
    const other = createLatchkey({ tenancy: 'multi' });
    closings.push(() => other.close());
    other.capture({ tenant: 't', session: 's0' }, bearer('good'));
    const process: Process = async () => {
      throw new LatchkeyError('CREDENTIAL_MISSING', 'none', { scope: { session: 'of another' } });
    };
    const processor = made({ process, scope: (job) => ({ tenant: 't', session: job.data.session }) }, other);
    await working(processor);
    await add();
    await until('it is released for the fourth time', () => processor.stats().released === 4);
    expect(await redis.hvals(queue.toKey('latchkey:released'))).toEqual([expect.stringMatching(/\|4\|\{"tenant":"t","session":"s0"\}$/)]);
  });

  it('a job that an operator promotes is done, or parked again, and loses nothing', async () => {
    dead();
    const processor = made();
    await working(processor);
    const job = await add();
    await parked(1);
    await (await queue.getJob(job.id ?? ''))?.promote();
    await until('it is parked again', () => processor.stats().parkings === 2);
    await parked(1);
    latchkey.capture('s0', bearer('fresh'));
    await until('it is done', () => job.isCompleted());
    expect(calls).toEqual([job.id]);
    expect(errors).toEqual([]);
  });

  it('jobs go back in the order in which they were parked, with their priorities', async () => {
    dead();
    const processor = made();
    const worker = await working(processor, { concurrency: 1 });
    const plain: (string | undefined)[] = [];
    for (let at = 0; at < 60; at++) plain.push((await add()).id);
    const last = await add({ priority: 9 });
    const first = await add({ priority: 2 });
    await parked(62);
    await worker.pause();
    latchkey.capture('s0', bearer('fresh'));
    await until('all are released', () => processor.stats().released === 62);
    const ids = (jobs: readonly Job[]) => jobs.map(({ id }) => id);
    expect(ids(await queue.getWaiting(0, -1)).reverse()).toEqual([...plain].reverse());
    expect(ids(await queue.getPrioritized())).toEqual([first.id, last.id]);
  });

  it('a paused queue gets its jobs back and keeps them', async () => {
    dead();
    const processor = made();
    await working(processor);
    const job = await add();
    await parked(1);
    await queue.pause();
    latchkey.capture('s0', bearer('fresh'));
    await until('it is released', () => processor.stats().released === 1);
    expect(calls).toEqual([]);
    await queue.resume();
    await until('it is done', () => job.isCompleted());
  });

  it('a scheduled job is parked, and the schedule goes on', async () => {
    dead();
    await working(made());
    await queue.upsertJobScheduler('nightly', { every: 600_000 }, { name: 'work', data: { session: 's0' } });
    await until(
      'the first is parked, the second is scheduled',
      async () => (await queue.getDelayedCount()) === 2 && (await recorded()) === 1,
    );
    latchkey.capture('s0', bearer('fresh'));
    await until('the first is done', async () => (await queue.getCompletedCount()) === 1);
    expect(await queue.getDelayedCount()).toBe(1);
    expect(calls.length).toBe(1);
  });

  it('a parent waits for its parked child', async () => {
    dead();
    latchkey.capture('s1', bearer('good'));
    await working(made());
    const flows = new FlowProducer({ connection: await bull.redis() });
    const { job } = await flows.add({
      name: 'parent',
      queueName: name,
      data: { session: 's1' },
      children: [{ name: 'child', queueName: name, data: { session: 's0' } }],
    });
    await parked(1);
    expect(await job.isWaitingChildren()).toBe(true);
    latchkey.capture('s0', bearer('fresh'));
    await until('the parent is done', () => job.isCompleted());
    expect(calls.length).toBe(2);
    await flows.close();
  });

  it('a lost lock is told to BullMQ, and the job is not parked by who lost it', async () => {
    dead();
    const processor = made();
    const worker = await bull.worker(name, async (job: Job<Work>, token, signal) => {
      await redis.del(`${queue.toKey(job.id ?? '')}:lock`);
      return processor.process(job, token, signal);
    });
    const told: Error[] = [];
    worker.on('error', (error) => void told.push(error));
    await add();
    await until('the worker hears of it', () => told.length > 0);
    expect(told[0]?.message).toMatch(/^Missing lock/);
    expect(await queue.getDelayedCount()).toBe(0);
    expect(await queue.getActiveCount()).toBe(1);
    // The job is still active: closing gracefully has nothing to wait for.
    await worker.close(true);
  });

  it('no credential gets into Redis, whatever happens to the job', async () => {
    const token = 'sk-very+secret/token value'.replaceAll(' ', '_');
    const processor = made({
      maxParked: 1,
      process: async (_, { run }) =>
        run((lease) => {
          throw Object.assign(statusError(401), { message: `no: ${lease.credential.reveal()}`, config: { headers: lease.headers() } });
        }),
    });
    await working(processor, { concurrency: 1 });
    latchkey.capture('s0', bearer(token));
    await add({}, 's0');
    await parked(1);
    await add({}, 's0');
    await until('one overflows', async () => (await queue.getFailedCount()) === 1);
    const held = await everythingIn(redis);
    expect(held).toContain('latchkey:parked');
    expect(held).toContain('jobs of this queue are parked already');
    for (const spelling of [token, encodeURIComponent(token), Buffer.from(token).toString('base64')]) expect(held).not.toContain(spelling);
  });

  it('`maxParked` holds over all processes, and what is released makes room', async () => {
    dead('s0');
    dead('s1');
    const processors = [made({ maxParked: 20 }), made({ maxParked: 20 }), made({ maxParked: 20 })];
    for (const processor of processors) await working(processor);
    await queue.addBulk(Array.from({ length: 50 }, (_, at) => ({ name: 'work', data: { session: `s${at % 2}` } })));
    await until('30 have failed', async () => (await queue.getFailedCount()) === 30);
    await parked(20);
    expect(processors.reduce((sum, processor) => sum + processor.stats().overflowed, 0)).toBe(30);
    latchkey.capture('s0', bearer('fresh'));
    await until('half of them are done', async () => {
      const done = await queue.getCompletedCount();
      return done > 0 && done + (await recorded()) === 20;
    });
    const left = await recorded();
    await queue.addBulk(Array.from({ length: 20 - left }, () => ({ name: 'work', data: { session: 's1' } })));
    await parked(20);
    expect(await queue.getFailedCount()).toBe(30);
  });

  it('3,000 parked jobs are released within seconds, and nothing of them is left', async () => {
    dead();
    const processor = made();
    await working(processor, { concurrency: 50 });
    await queue.addBulk(Array.from({ length: 3_000 }, () => ({ name: 'work', data: { session: 's0' } })));
    await until('all are parked', () => processor.stats().parkings === 3_000);
    latchkey.capture('s0', bearer('fresh'));
    await until('all are done', async () => (await queue.getCompletedCount()) === 3_000);
    expect(new Set(calls).size).toBe(3_000);
    expect(calls.length).toBe(3_000);
    await until(
      'nothing is left',
      async () => (await redis.exists(queue.toKey('latchkey:parked'), queue.toKey('latchkey:released'))) === 0,
    );
    expect(errors).toEqual([]);
  });

  it('work that is parked has met the block: it is told of as any other', async () => {
    const opened: unknown[] = [];
    latchkey.on('incident', (incident) => void opened.push(incident));
    latchkey.capture('s0', bearer('dead')).settle(401);
    await working(made());
    await add();
    await parked(1);
    expect(opened.length).toBe(1);
  });
});
