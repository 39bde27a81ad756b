import { FlowProducer, type Job } from 'bullmq';
import { expect, it } from 'vitest';
import { bearer, createLatchkey, LatchkeyError } from '../../src/index.js';
import { statusError } from '../support/attempts.js';
import { everythingIn, until } from '../support/bullmq.js';
import { deferred } from '../support/deferred.js';
import { describeWithRedis } from '../support/redis-server.js';
import { Bench, type Process, type Work } from './bullmq-bench.js';

describeWithRedis('jobs that want a credential', () => {
  const bench = new Bench();

  it('everything else that leaves the processor is passed on, the same object, and uses up an attempt', async () => {
    bench.latchkey.capture('s0', bearer('good'));
    const thrown = [
      new Error('of its own'),
      statusError(500),
      new LatchkeyError('TIMEOUT', 'took too long', { scope: { session: 's0' } }),
      new TypeError('scope: `session` is empty'),
    ];
    const processor = bench.made({
      process: async (job) => {
        throw thrown[job.attemptsMade];
      },
    });
    const worker = await bench.working(processor);
    const failures: unknown[] = [];
    worker.on('failed', (_, error) => void failures.push(error));
    await bench.add({ attempts: 4 });
    await until('it has failed', () => failures.length === 4);
    expect(failures.every((failure, at) => failure === thrown[at])).toBe(true);
    expect(processor.stats()).toMatchObject({ parkings: 0 });
  });

  it('a run that waited in vain, or found no place to wait in, parks its job', async () => {
    for (const code of ['PARK_TIMEOUT', 'PARK_OVERFLOW'] as const) {
      const capture = bench.latchkey.capture('s0', bearer(`token-${code}`));
      const processor = bench.made({
        process: async () => {
          capture.settle(401);
          throw new LatchkeyError(code, 'no place', { scope: { session: 's0' } });
        },
      });
      const worker = await bench.working(processor);
      const job = await bench.add();
      await bench.parked(1);
      await worker.close();
      await processor.close();
      await job.remove();
    }
  });

  it('a scope that is none fails its job, and so does a rule that throws', async () => {
    const processor = bench.made({ scope: (job) => (job.data.session === '' ? { session: '' } : JSON.parse('{')) });
    await bench.working(processor);
    const jobs = [await bench.add({}, ''), await bench.add({}, 's0')];
    for (const job of jobs) await until('it has failed', () => job.isFailed());
    expect((await bench.queue.getJob(jobs[0]?.id ?? ''))?.failedReason).toBe('scope: `session` is empty');
    expect(processor.stats().parkings).toBe(0);
  });

  it('a job whose Latchkey is closed, before it or in its middle, goes back without using up an attempt', async () => {
    bench.latchkey.capture('s0', bearer('good'));
    const [begun, closed] = [deferred(), deferred()];
    const processor = bench.made({
      recheckMs: 60,
      process: async (job, { run }) => {
        bench.calls.push(job.id ?? '');
        begun.resolve();
        await closed.promise;
        return run(() => 'never');
      },
    });
    await bench.working(processor);
    const job = await bench.add({ attempts: 1 });
    await begun.promise;
    await bench.latchkey.close();
    closed.resolve();
    const now = () => bench.queue.getJob(job.id ?? '');
    await until('it comes and goes', async () => ((await now())?.attemptsStarted ?? 0) > 3);
    expect((await now())?.attemptsMade).toBe(0);
    expect(await bench.recorded()).toBe(0);
    expect(bench.calls.length).toBe(1);
  });

  it('a closed processor hands back what still comes', async () => {
    bench.latchkey.capture('s0', bearer('good'));
    const processor = bench.made();
    await processor.close();
    await bench.working(processor);
    const job = await bench.add({ attempts: 1 });
    await until('it is back', () => job.isDelayed());
    const handedBack = await bench.queue.getJob(job.id ?? '');
    expect(handedBack?.attemptsMade).toBe(0);
    expect(handedBack?.delay).toBeLessThanOrEqual(5_000);
    expect(bench.calls).toEqual([]);
    expect(await bench.recorded()).toBe(0);
  });

  it('a job that works for another scope too waits for the one that is blocked', async () => {
    bench.latchkey.capture('s0', bearer('good'));
    bench.latchkey.capture('s1', bearer('dead')).settle(401);
    const process: Process = async (job, { run, scope }) => {
      bench.calls.push(job.id ?? '');
      await run(() => scope.session);
      return bench.latchkey.run({ session: 's1', purpose: 'curation' }, () => 'done');
    };
    const processor = bench.made({ process });
    await bench.working(processor);
    const job = await bench.add();
    await bench.parked(1);
    expect(await bench.redis.hvals(bench.queue.toKey('latchkey:parked'))).toEqual([
      expect.stringMatching(/^\d+\|\d+\|1\|\{"session":"s1","purpose":"curation"\}$/),
    ]);
    bench.latchkey.capture('s0', bearer('another'));
    expect(bench.calls.length).toBe(1);
    bench.latchkey.capture('s1', bearer('fresh'));
    await until('it is done', () => job.isCompleted());
    expect(bench.calls.length).toBe(2);
  });

  it('a scope of another Latchkey, which is none here, counts as the job’s own', async () => {
    const other = createLatchkey({ tenancy: 'multi' });
    bench.closings.push(() => other.close());
    other.capture({ tenant: 't', session: 's0' }, bearer('good'));
    const process: Process = async () => {
      throw new LatchkeyError('CREDENTIAL_MISSING', 'none', { scope: { session: 'of another' } });
    };
    const processor = bench.made({ process, scope: (job) => ({ tenant: 't', session: job.data.session }) }, other);
    await bench.working(processor);
    await bench.add();
    await until('it is released for the fourth time', () => processor.stats().released === 4);
    expect(await bench.redis.hvals(bench.queue.toKey('latchkey:released'))).toEqual([
      expect.stringMatching(/\|4\|\{"tenant":"t","session":"s0"\}$/),
    ]);
  });

  it('jobs go back in the order in which they were parked, with their priorities', async () => {
    bench.dead();
    const processor = bench.made();
    const worker = await bench.working(processor, { concurrency: 1 });
    const plain: (string | undefined)[] = [];
    for (let at = 0; at < 60; at++) plain.push((await bench.add()).id);
    const last = await bench.add({ priority: 9 });
    const first = await bench.add({ priority: 2 });
    await bench.parked(62);
    await worker.pause();
    bench.latchkey.capture('s0', bearer('fresh'));
    await until('all are released', () => processor.stats().released === 62);
    const ids = (jobs: readonly Job[]) => jobs.map(({ id }) => id);
    expect(ids(await bench.queue.getWaiting(0, -1)).reverse()).toEqual([...plain].reverse());
    expect(ids(await bench.queue.getPrioritized())).toEqual([first.id, last.id]);
  });

  it('a paused queue gets its jobs back and keeps them', async () => {
    bench.dead();
    const processor = bench.made();
    await bench.working(processor);
    const job = await bench.add();
    await bench.parked(1);
    await bench.queue.pause();
    bench.latchkey.capture('s0', bearer('fresh'));
    await until('it is released', () => processor.stats().released === 1);
    expect(bench.calls).toEqual([]);
    await bench.queue.resume();
    await until('it is done', () => job.isCompleted());
  });

  it('a scheduled job is parked, and the schedule goes on', async () => {
    bench.dead();
    await bench.working(bench.made());
    await bench.queue.upsertJobScheduler('nightly', { every: 600_000 }, { name: 'work', data: { session: 's0' } });
    await until(
      'the first is parked, the second is scheduled',
      async () => (await bench.queue.getDelayedCount()) === 2 && (await bench.recorded()) === 1,
    );
    bench.latchkey.capture('s0', bearer('fresh'));
    await until('the first is done', async () => (await bench.queue.getCompletedCount()) === 1);
    expect(await bench.queue.getDelayedCount()).toBe(1);
    expect(bench.calls.length).toBe(1);
  });

  it('a parent waits for its parked child', async () => {
    bench.dead();
    bench.latchkey.capture('s1', bearer('good'));
    await bench.working(bench.made());
    const flows = new FlowProducer({ connection: await bench.bull.redis() });
    const { job } = await flows.add({
      name: 'parent',
      queueName: bench.name,
      data: { session: 's1' },
      children: [{ name: 'child', queueName: bench.name, data: { session: 's0' } }],
    });
    await bench.parked(1);
    expect(await job.isWaitingChildren()).toBe(true);
    bench.latchkey.capture('s0', bearer('fresh'));
    await until('the parent is done', () => job.isCompleted());
    expect(bench.calls.length).toBe(2);
    await flows.close();
  });

  it('a lost lock is told to BullMQ, and the job is not parked by who lost it', async () => {
    bench.dead();
    const processor = bench.made();
    const worker = await bench.bull.worker(bench.name, async (job: Job<Work>, token, signal) => {
      await bench.redis.del(`${bench.queue.toKey(job.id ?? '')}:lock`);
      return processor.process(job, token, signal);
    });
    const told: Error[] = [];
    worker.on('error', (error) => void told.push(error));
    await bench.add();
    await until('the worker hears of it', () => told.length > 0);
    expect(told[0]?.message).toMatch(/^Missing lock/);
    expect(await bench.queue.getDelayedCount()).toBe(0);
    expect(await bench.queue.getActiveCount()).toBe(1);
    // The job is still active: closing gracefully has nothing to wait for.
    await worker.close(true);
  });

  it('no credential gets into Redis, whatever happens to the job', async () => {
    const token = 'sk-very+secret/token value'.replaceAll(' ', '_');
    const processor = bench.made({
      maxParked: 1,
      process: async (_, { run }) =>
        run((lease) => {
          throw Object.assign(statusError(401), { message: `no: ${lease.credential.reveal()}`, config: { headers: lease.headers() } });
        }),
    });
    await bench.working(processor, { concurrency: 1 });
    bench.latchkey.capture('s0', bearer(token));
    await bench.add({}, 's0');
    await bench.parked(1);
    await bench.add({}, 's0');
    await until('one overflows', async () => (await bench.queue.getFailedCount()) === 1);
    const held = await everythingIn(bench.redis);
    expect(held).toContain('latchkey:parked');
    expect(held).toContain('jobs of this queue are parked already');
    for (const spelling of [token, encodeURIComponent(token), Buffer.from(token).toString('base64')]) expect(held).not.toContain(spelling);
  });

  it('work that is parked has met the block: it is told of as any other', async () => {
    const opened: unknown[] = [];
    bench.latchkey.on('incident', (incident) => void opened.push(incident));
    bench.latchkey.capture('s0', bearer('dead')).settle(401);
    await bench.working(bench.made());
    await bench.add();
    await bench.parked(1);
    expect(opened.length).toBe(1);
  });
});
