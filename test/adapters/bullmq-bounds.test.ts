import { expect, it } from 'vitest';
import { bearer, createLatchkey, isLatchkeyError } from '../../src/index.js';
import { until } from '../support/bullmq.js';
import { manualClock } from '../support/clock.js';
import { describeWithRedis } from '../support/redis-server.js';
import { Bench, type Process } from './bullmq-bench.js';

describeWithRedis('the bounds of parked jobs', () => {
  const bench = new Bench();

  it('one that was parked for too long fails for good, counted from its first parking', async () => {
    const clock = manualClock();
    bench.dead();
    const processor = bench.made({ recheckMs: 40, maxParkedMs: 60_000, clock });
    const worker = await bench.working(processor);
    const failures: unknown[] = [];
    worker.on('failed', (_, error) => void failures.push(error));
    const job = await bench.add({ attempts: 5 });
    await until('it is parked anew', () => processor.stats().parkings >= 2);
    clock.advance(59_000);
    const before = processor.stats().parkings;
    await until('and again', () => processor.stats().parkings > before + 1);
    clock.advance(1_000);
    await until('it has failed', () => failures.length === 1);
    const [failure] = failures;
    expect(isLatchkeyError(failure)).toBe(true);
    expect(failure).toMatchObject({ code: 'PARK_TIMEOUT', scope: { session: 's0' }, status: 401 });
    const failed = await bench.queue.getJob(job.id ?? '');
    expect(failed?.failedReason).toMatch(
      /^the job has waited since 2026-01-01T00:00:00.000Z, and there is no usable credential for its session: it is rejected \(401\) since /,
    );
    expect(failed?.attemptsMade).toBe(1);
    expect(processor.stats()).toMatchObject({ expired: 1, parked: 0 });
    expect(await bench.recorded()).toBe(0);

    // By hand it begins anew.
    await failed?.retry();
    await bench.parked(1);
  });

  it('a release does not start the age anew; the end of the job does', async () => {
    const clock = manualClock();
    bench.dead();
    const processor = bench.made({ maxParkedMs: 60_000, clock });
    const worker = await bench.working(processor, { concurrency: 1 });
    const job = await bench.add();
    await bench.parked(1);
    clock.advance(50_000);
    await worker.pause();
    const capture = bench.latchkey.capture('s0', bearer('short-lived'));
    await until('it is released', () => processor.stats().released === 1);
    capture.settle(401);
    await worker.resume();
    await until('it is parked again', () => processor.stats().parkings === 2);
    // It comes when its time is over, not a quarter of an hour later.
    expect((await bench.queue.getDelayed())[0]?.delay).toBe(10_000);
    await worker.pause();
    bench.latchkey.capture('s0', bearer('as-short-lived'));
    await until('it is released again', () => processor.stats().released === 2);
    bench.latchkey.capture('s0', bearer('as-short-lived')).settle(401);
    clock.advance(10_000);
    await worker.resume();
    await until('it has failed', () => job.isFailed());
    expect((await bench.queue.getJob(job.id ?? ''))?.failedReason).toMatch(/^the job has waited since 2026-01-01T00:00:00.000Z/);
  });

  it('one that was removed while it was parked leaves nothing to another one with its id', async () => {
    const clock = manualClock();
    bench.dead();
    const processor = bench.made({ maxParkedMs: 60_000, maxParked: 1, clock });
    await bench.working(processor);
    await bench.add({ jobId: 'daily' });
    await bench.parked(1);
    clock.advance(59_000);
    expect(await bench.queue.remove('daily')).toBe(1);
    await bench.add({ jobId: 'daily' });
    await until('it is parked', () => processor.stats().parkings === 2);
    await bench.parked(1);
    expect((await bench.queue.getDelayed())[0]?.delay).toBe(60_000);
    clock.advance(1_000);
    expect(await bench.queue.remove('daily')).toBe(1);
    const job = await bench.add({ jobId: 'daily' });
    await until('it is parked too', () => processor.stats().parkings === 3);
    expect(processor.stats()).toMatchObject({ expired: 0, overflowed: 0 });
    bench.latchkey.capture('s0', bearer('fresh'));
    await until('it is done', () => job.isCompleted());
    expect(bench.errors).toEqual([]);
  });

  it('one that is rejected again and again although its scope can run comes back more and more slowly', async () => {
    // The scope can borrow, and the run may not.
    const lending = createLatchkey();
    bench.closings.push(() => lending.close());
    lending.capture('somebody', bearer('global'));
    const process: Process = async (job, { run }) => {
      bench.calls.push(job.id ?? '');
      return run(() => 'never', { fallback: 'none' });
    };
    const processor = bench.made({ process }, lending);
    await bench.working(processor);
    const job = await bench.add();
    await until('it has been released for the fourth time', () => processor.stats().released === 4);
    expect(bench.calls.length).toBe(4);
    const delayed = await bench.queue.getJob(job.id ?? '');
    expect(await delayed?.isDelayed()).toBe(true);
    expect(delayed?.delay).toBeGreaterThan(500);
    expect(delayed?.delay).toBeLessThanOrEqual(1_000);
    lending.capture('s0', bearer('own'));
    await until('it is done', () => job.isCompleted());
    expect(bench.calls.length).toBe(5);
  });

  it('`maxParked` holds over all processes, and what is released makes room', async () => {
    bench.dead('s0');
    bench.dead('s1');
    const processors = [bench.made({ maxParked: 20 }), bench.made({ maxParked: 20 }), bench.made({ maxParked: 20 })];
    for (const processor of processors) await bench.working(processor);
    await bench.queue.addBulk(Array.from({ length: 50 }, (_, at) => ({ name: 'work', data: { session: `s${at % 2}` } })));
    await until('30 have failed', async () => (await bench.queue.getFailedCount()) === 30);
    await bench.parked(20);
    expect(processors.reduce((sum, processor) => sum + processor.stats().overflowed, 0)).toBe(30);
    bench.latchkey.capture('s0', bearer('fresh'));
    await until('half of them are done', async () => {
      const done = await bench.queue.getCompletedCount();
      return done > 0 && done + (await bench.recorded()) === 20;
    });
    const left = await bench.recorded();
    await bench.queue.addBulk(Array.from({ length: 20 - left }, () => ({ name: 'work', data: { session: 's1' } })));
    await bench.parked(20);
    expect(await bench.queue.getFailedCount()).toBe(30);
  });
});
