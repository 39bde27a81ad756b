import { beforeEach, expect, it } from 'vitest';
import { bearer, type Credential, createLatchkey, isLatchkeyError, type LatchkeyOptions } from '../../src/index.js';
import { statusError } from '../support/attempts.js';
import { everythingIn, until } from '../support/bullmq.js';
import { type Deferred, deferred } from '../support/deferred.js';
import { describeWithRedis } from '../support/redis-server.js';
import { secretsIn } from '../support/secret-forms.js';
import { Bench, type Process } from './bullmq-bench.js';

describeWithRedis('jobs whose credential can be refreshed', () => {
  const bench = new Bench();
  let tries: Deferred<Credential | undefined>[];

  beforeEach(async () => {
    tries = [];
    await use({
      refresh: () => {
        const one = deferred<Credential | undefined>();
        tries.push(one);
        return one.promise;
      },
    });
  });

  async function use(options: LatchkeyOptions): Promise<void> {
    await bench.latchkey.close();
    bench.latchkey = createLatchkey({ fallback: 'none', canary: 'off', ...options });
  }

  /** Sends what the job's run was given. */
  const sending =
    (sent: string[], options: object = {}): Process =>
    async (job, { run }) =>
      run(({ credential }) => {
        sent.push(credential.reveal());
        if (credential.reveal().startsWith('dead')) throw statusError(401);
        return `done ${job.id}`;
      }, options);

  it('are done at once when the refresh is quick, and none of them is parked', async () => {
    bench.dead();
    const processor = bench.made();
    await bench.working(processor);
    await bench.add();
    await until('it is asked for', () => tries.length === 1);
    tries[0]?.resolve(bearer('fresh'));
    await until('it is done', async () => (await bench.queue.getCompletedCount()) === 1);
    expect(processor.stats()).toMatchObject({ parkings: 0, errors: 0 });
  });

  it('are parked when it takes longer, hold nobody up, and are done when it has brought another', async () => {
    bench.dead();
    bench.latchkey.capture('s1', bearer('good'));
    const processor = bench.made();
    await bench.working(processor, { concurrency: 1 });
    const [slow] = await Promise.all([bench.add({ attempts: 1 }), bench.add({}, 's1')]);
    await until('the other is done', async () => (await bench.queue.getCompletedCount()) === 1);
    await bench.parked(1);
    expect([tries.length, processor.stats().parkings]).toEqual([1, 1]);
    tries[0]?.resolve(bearer('fresh'));
    await until('both are done', async () => (await bench.queue.getCompletedCount()) === 2);
    expect(processor.stats()).toMatchObject({ released: 1, parked: 0, errors: 0 });
    expect(await bench.queue.getJob(slow.id ?? '')).toMatchObject({ returnvalue: `done ${slow.id}`, attemptsMade: 1 });
    expect(await bench.recorded()).toBe(0);
  });

  it('are parked while it fails for reasons that pass, before and in the middle of a job, and use up no attempt', async () => {
    await use({ refresh: () => Promise.reject(statusError(503)) });
    const sent: string[] = [];
    bench.latchkey.capture('s0', bearer('dead-token-one'));
    const processor = bench.made({ process: sending(sent) });
    const worker = await bench.working(processor);
    const failures: unknown[] = [];
    worker.on('failed', (_, error) => void failures.push(error));
    await bench.add({ attempts: 1 });
    await bench.parked(1);
    expect(bench.latchkey.status('s0').state).toBe('refreshing');
    await bench.add({ attempts: 1 });
    await bench.parked(2);
    expect([sent, failures]).toEqual([['dead-token-one'], []]);
    expect(secretsIn(await everythingIn(bench.redis), ['dead-token-one'])).toEqual([]);
    bench.latchkey.capture('s0', bearer('fresh'));
    await until('both are done', async () => (await bench.queue.getCompletedCount()) === 2);
    expect(failures).toEqual([]);
  });

  it('say so where they fail for good', async () => {
    await use({ refresh: () => Promise.reject(statusError(503)) });
    bench.dead();
    const worker = await bench.working(bench.made({ maxParked: 0 }));
    const failures: unknown[] = [];
    worker.on('failed', (_, error) => void failures.push(error));
    const job = await bench.add({ attempts: 5 });
    await until('it has failed', () => failures.length === 1);
    expect(isLatchkeyError(failures[0]) && failures[0].code).toBe('PARK_OVERFLOW');
    expect((await bench.queue.getJob(job.id ?? ''))?.failedReason).toMatch(
      /^0 jobs of this queue are parked already, and there is no usable credential for its session: it has been refreshed without success/,
    );
  });

  it('say so where what there is would not last for as long as they ask', async () => {
    await use({ expiry: {} });
    bench.latchkey.capture('s0', bearer('short', { expiresAt: Date.now() + 60_000 }));
    const worker = await bench.working(bench.made({ maxParked: 0, process: sending([], { minTtlMs: 10 * 60_000 }) }));
    const failures: unknown[] = [];
    worker.on('failed', (_, error) => void failures.push(error));
    const job = await bench.add({ attempts: 5 });
    await until('it has failed', () => failures.length === 1);
    expect((await bench.queue.getJob(job.id ?? ''))?.failedReason).toMatch(/: it does not last long enough$/);
  });

  it('wait for one that lasts as long as they ask, and come again only now and then', async () => {
    await use({ expiry: {} });
    const sent: string[] = [];
    bench.latchkey.capture('s0', bearer('short', { expiresAt: Date.now() + 60_000 }));
    const processor = bench.made({ process: sending(sent, { minTtlMs: 10 * 60_000 }) });
    await bench.working(processor);
    await bench.add();
    await until('it is parked for a while', async () => {
      const [job] = await bench.queue.getDelayed();
      return (job?.delay ?? 0) >= 900 && processor.stats().parkings >= 4;
    });
    expect([sent, processor.stats().parkings <= 5]).toEqual([[], true]);
    bench.latchkey.capture('s0', bearer('long', { expiresAt: Date.now() + 3_600_000 }));
    await until('it is done', async () => (await bench.queue.getCompletedCount()) === 1);
    expect(sent).toEqual(['long']);
  });
});
