import type { Job } from 'bullmq';
import { expect, it } from 'vitest';
import { bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { until } from '../support/bullmq.js';
import { deferred } from '../support/deferred.js';
import { describeWithRedis } from '../support/redis-server.js';
import { Bench, type Work } from './bullmq-bench.js';

describeWithRedis('parked jobs whose process is gone, or that somebody else has moved', () => {
  const bench = new Bench();

  it('those of a process that is gone are released by another one, which looks when it is made', async () => {
    bench.dead();
    const first = bench.made();
    const worker = await bench.working(first);
    const jobs = [await bench.add(), await bench.add()];
    await bench.parked(2);
    // Nothing of the first one is there any more to release them.
    await worker.close();
    await first.close();
    await bench.latchkey.close();

    const later = createLatchkey();
    bench.closings.push(() => later.close());
    bench.dead('s0', later);
    const loaded: unknown[] = [];
    const loading: Latchkey = { ...later, load: async (scopes) => void loaded.push(...scopes) };
    const second = bench.made({}, loading);
    await until('it knows of them', () => second.stats().parked === 2);
    expect(loaded).toEqual([{ session: 's0' }, { session: 's0' }]);
    expect(second.stats()).toMatchObject({ scopes: 1, parkings: 0 });
    await bench.working(second);
    later.capture('s0', bearer('fresh'));
    for (const job of jobs) await until('it is done', () => job.isCompleted());
    expect(bench.calls.sort()).toEqual(jobs.map(({ id }) => id).sort());
    expect(second.stats()).toMatchObject({ parked: 0, released: 2, errors: 0 });
    expect(await bench.recorded()).toBe(0);
  });

  it('those that another process parks are found by the next look, and forgotten when somebody else has released them', async () => {
    bench.dead();
    const first = bench.made();
    const worker = await bench.working(first);
    const other = createLatchkey();
    bench.closings.push(() => other.close());
    bench.dead('s0', other);
    const second = bench.made({ lookMs: 20 }, other);
    await bench.add();
    await bench.parked(1);
    await until('the second knows', () => second.stats().parked === 1);
    bench.latchkey.capture('s0', bearer('fresh'));
    await until('it is done', async () => (await bench.queue.getCompletedCount()) === 1);
    await until('the second knows that too', () => second.stats().parked === 0);
    expect([first.stats().released, second.stats().released]).toEqual([1, 0]);
    await worker.close();
    expect(bench.errors).toEqual([]);
  });

  it('one that nobody knows of looks by itself after `recheckMs`', async () => {
    bench.dead();
    // There is one place, which is its own.
    const processor = bench.made({ recheckMs: 150, maxParked: 1 });
    const worker = await bench.working(processor);
    const job = await bench.add({ attempts: 2 });
    await until('it has looked in vain', () => processor.stats().parkings >= 2);
    // Nobody has rejected it: it goes back at once when its time comes.
    expect(await bench.redis.hvals(bench.queue.toKey('latchkey:parked'))).toEqual([
      expect.stringMatching(/^\d+\|0\|0\|\{"session":"s0"\}$/),
    ]);
    expect((await bench.queue.getJob(job.id ?? ''))?.attemptsMade).toBe(0);
    await worker.close();
    await processor.close();
    const other = bench.made({ recheckMs: 150 });
    // As if a process had died between taking the job and giving it back.
    await bench.redis.del(bench.queue.toKey('latchkey:parked'));
    bench.latchkey.capture('s0', bearer('fresh'));
    await bench.working(other);
    await until('it is done', () => job.isCompleted());
    expect(other.stats().released).toBe(0);
  });

  it('jobs that are removed while they are parked are forgotten', async () => {
    bench.dead();
    const processor = bench.made({ lookMs: 20 });
    await bench.working(processor);
    const job = await bench.add();
    await bench.parked(1);
    await job.remove();
    await until('the record is gone', async () => (await bench.recorded()) === 0);
    await until('it is not waited for', () => processor.stats().scopes === 0);
    const more = await bench.add();
    await bench.parked(1);
    await more.remove();
    bench.latchkey.capture('s0', bearer('fresh'));
    await until('nothing is left', async () => processor.stats().parked === 0 && (await bench.recorded()) === 0);
    expect(bench.errors).toEqual([]);
  });

  it('one that is found to be gone when its turn comes is forgotten then', async () => {
    bench.dead();
    const processor = bench.made();
    await bench.working(processor);
    const job = await bench.add();
    await bench.parked(1);
    await job.remove();
    bench.latchkey.capture('s0', bearer('fresh'));
    await until(
      'nothing is left',
      async () => (await bench.redis.exists(bench.queue.toKey('latchkey:parked'), bench.queue.toKey('latchkey:released'))) === 0,
    );
    expect(processor.stats()).toMatchObject({ parked: 0, released: 0 });
  });

  it('those that somebody without this processor has done are forgotten, and leave room', async () => {
    bench.dead();
    const processor = bench.made({ lookMs: 20, maxParked: 1 });
    const worker = await bench.working(processor);
    const job = await bench.add();
    await bench.parked(1);
    await worker.close();
    await bench.bull.worker(bench.name, async () => 'done');
    await (await bench.queue.getJob(job.id ?? ''))?.promote();
    await until('the record is gone', async () => (await bench.recorded()) === 0);
    expect(await job.isCompleted()).toBe(true);
  });

  it('one that is taken before it lies in the delayed set is recorded again', async () => {
    bench.dead();
    const elsewhere = createLatchkey();
    bench.closings.push(() => elsewhere.close());
    elsewhere.capture('s0', bearer('fresh'));
    const [moving, moved] = [deferred(), deferred()];
    const processor = bench.made();
    await bench.bull.worker(bench.name, async (job: Job<Work>, token, signal) => {
      const { moveToDelayed } = job;
      job.moveToDelayed = async (...args) => {
        moving.resolve();
        await moved.promise;
        await moveToDelayed.apply(job, args);
      };
      return processor.process(job, token, signal);
    });
    const job = await bench.add();
    await moving.promise;
    const quick = bench.made({}, elsewhere);
    await until('it is taken', async () => (await bench.redis.hlen(bench.queue.toKey('latchkey:released'))) === 1);
    await quick.close();
    moved.resolve();
    await bench.parked(1);
    bench.latchkey.capture('s0', bearer('fresh'));
    await until('it is done', () => job.isCompleted());
    expect(bench.errors).toEqual([]);
  });

  it('a job that an operator promotes is done, or parked again, and loses nothing', async () => {
    bench.dead();
    const processor = bench.made();
    await bench.working(processor);
    const job = await bench.add();
    await bench.parked(1);
    await (await bench.queue.getJob(job.id ?? ''))?.promote();
    await until('it is parked again', () => processor.stats().parkings === 2);
    await bench.parked(1);
    bench.latchkey.capture('s0', bearer('fresh'));
    await until('it is done', () => job.isCompleted());
    expect(bench.calls).toEqual([job.id]);
    expect(bench.errors).toEqual([]);
  });

  it('nothing is released once the processor is closed', async () => {
    bench.dead();
    const processor = bench.made();
    await bench.working(processor);
    await bench.add();
    await bench.parked(1);
    const waiting = [bench.latchkey.stats().waiting];
    await processor.close();
    await processor.close();
    waiting.push(bench.latchkey.stats().waiting);
    bench.latchkey.capture('s0', bearer('fresh'));
    await bench.latchkey.whenRunnable('s0');
    expect(await bench.queue.getDelayedCount()).toBe(1);
    expect(processor.stats()).toMatchObject({ parked: 0, released: 0 });
    expect(waiting).toEqual([1, 0]);
  });

  it('none is left behind that was taken when the processor was closed', async () => {
    bench.dead();
    const processor = bench.made();
    const worker = await bench.working(processor);
    await bench.queue.addBulk(Array.from({ length: 20 }, () => ({ name: 'work', data: { session: 's0' } })));
    await bench.parked(20);
    await worker.close();
    bench.latchkey.capture('s0', bearer('fresh'));
    // They are being taken; what the server says to that is heard later.
    for (let turn = 0; turn < 50; turn++) await Promise.resolve();
    expect(processor.stats()).toMatchObject({ parked: 0, released: 0 });
    await processor.close();
    expect(processor.stats().released).toBe(20);
    expect([await bench.queue.getDelayedCount(), await bench.queue.getWaitingCount()]).toEqual([0, 20]);
  });

  it('3,000 parked jobs are released within seconds, and nothing of them is left', async () => {
    bench.dead();
    const processor = bench.made();
    await bench.working(processor, { concurrency: 50 });
    await bench.queue.addBulk(Array.from({ length: 3_000 }, () => ({ name: 'work', data: { session: 's0' } })));
    await until('all are parked', () => processor.stats().parkings === 3_000);
    bench.latchkey.capture('s0', bearer('fresh'));
    await until('all are done', async () => (await bench.queue.getCompletedCount()) === 3_000);
    expect(new Set(bench.calls).size).toBe(3_000);
    expect(bench.calls.length).toBe(3_000);
    await until(
      'nothing is left',
      async () => (await bench.redis.exists(bench.queue.toKey('latchkey:parked'), bench.queue.toKey('latchkey:released'))) === 0,
    );
    expect(bench.errors).toEqual([]);
  });
});
