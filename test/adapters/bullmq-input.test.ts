import { afterEach, describe, expect, it, vi } from 'vitest';
import { type AuthProcessorOptions, createAuthProcessor, type JobQueue, type ProcessedJob } from '../../src/adapters/bullmq.js';
import { bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { watch } from '../support/attempts.js';
import { freezeTime, settled } from '../support/clock.js';

describe('createAuthProcessor', () => {
  const latchkey = createLatchkey();
  const closings: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closings.splice(0)) await close();
  });

  const nowhere = { toKey: (type: string): string => type, getJob: async (): Promise<undefined> => undefined };
  const queue: JobQueue = { ...nowhere, client: Promise.resolve({ defineCommand: () => {}, runCommand: async () => ['0'] }) };
  const good: AuthProcessorOptions<ProcessedJob, void> = { queue, scope: () => 's', process: async () => {} };
  const make = (options: object, whose: unknown = latchkey) => {
    const processor = createAuthProcessor(whose as Latchkey, { ...good, ...options });
    closings.push(() => processor.close());
    return processor;
  };

  it.each([
    [{ queue: undefined }, '`queue` must be a Queue of BullMQ, on Redis'],
    [{ queue: null }, '`queue` must be a Queue of BullMQ, on Redis'],
    [{ queue: nowhere }, '`queue` must be a Queue of BullMQ, on Redis'],
    [{ queue: { ...nowhere, getBackend: () => ({}) } }, '`queue` must be a Queue of BullMQ, on Redis'],
    [{ scope: 's' }, '`scope` must be a function'],
    [{ process: undefined }, '`process` must be a function'],
    [{ maxParked: -1 }, '`maxParked` must be a whole number, 0 or more'],
    [{ maxParked: 1.5 }, '`maxParked` must be a whole number, 0 or more'],
    [{ maxParkedMs: Number.POSITIVE_INFINITY }, '`maxParkedMs` must be a number of milliseconds, 1 or more'],
    [{ recheckMs: 0 }, '`recheckMs` must be a number of milliseconds, 1 or more'],
    [{ lookMs: '1' }, '`lookMs` must be a number of milliseconds, 1 or more'],
    [{ onError: true }, '`onError` must be a function'],
    [{ clock: {} }, '`clock` must have a function `now`'],
    [{ maxparked: 1 }, 'unknown option `maxparked`'],
  ])('%o: says what is wrong', (options, message) => {
    expect(() => make(options)).toThrow(new TypeError(`createAuthProcessor: ${message}`));
  });

  it('wants a Latchkey and options', () => {
    expect(() => make({}, {})).toThrow(new TypeError('createAuthProcessor: `latchkey` must come from createLatchkey()'));
    expect(() => createAuthProcessor(latchkey, undefined as never)).toThrow(
      new TypeError('createAuthProcessor: `options` must be an object'),
    );
  });

  it('declares the three parameters by which BullMQ knows that a signal is wanted', () => {
    expect(make({}).process.length).toBe(3);
  });

  it('gives the run its signal, and a job without an id a TypeError', async () => {
    const open = createLatchkey({ fallback: 'none' });
    const { signal } = new AbortController();
    const seen: unknown[] = [];
    const process: AuthProcessorOptions<ProcessedJob, void>['process'] = async (_, context) =>
      void seen.push(context.signal, context.scope);
    const processor = make(
      { process, scope: () => ({ tenant: undefined, session: 's', provider: 'p' }) },
      {
        ...open,
        canRun: () => true,
      },
    );
    await processor.process({ id: '1', attemptsStarted: 1, moveToDelayed: async () => {} }, 'token', signal);
    expect(seen).toEqual([signal, { session: 's', provider: 'p' }]);
    await expect(processor.process({ moveToDelayed: async () => {} })).rejects.toThrow(TypeError);
  });

  it('brings in what a store knows before it asks', async () => {
    const known = new Set<unknown>();
    const stored = {
      ...createLatchkey(),
      load: async (scopes: readonly unknown[]) => void scopes.map((scope) => known.add(scope)),
      canRun: (scope: unknown) => known.has(scope),
    };
    const processor = make({ process: async () => 'done' }, stored);
    expect(await processor.process({ id: '1', attemptsStarted: 1, moveToDelayed: async () => {} }, 'token')).toBe('done');
  });

  it('learns nothing from having asked: a scope that turns out to be able to run counts as untried', async () => {
    const open = createLatchkey();
    open.capture('s', bearer('untried'));
    const accepted: unknown[] = [];
    open.on('accepted', (event) => void accepted.push(event));
    const processor = make({ process: async () => 'done' }, { ...open, canRun: () => false });
    expect(await processor.process({ id: '1', attemptsStarted: 1, moveToDelayed: async () => {} }, 'token')).toBe('done');
    expect(accepted).toEqual([]);
  });

  it('closing waits 5 s at the most for a Redis that does not answer', async () => {
    freezeTime();
    const processor = make({ queue: { ...nowhere, client: new Promise(() => {}) } });
    const closing = watch(processor.close());
    await vi.advanceTimersByTimeAsync(4_999);
    expect(closing.state).toBe('pending');
    await vi.advanceTimersByTimeAsync(1);
    expect(closing.state).toBe('resolved');
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
    closings.length = 0;
  });

  it('a Redis that is not there is told of, by a function that may throw', async () => {
    const told: unknown[] = [];
    const failing: JobQueue = { ...nowhere, client: Promise.reject(new Error('no Redis')) };
    const processor = make({
      queue: failing,
      onError: (error: unknown) => {
        told.push(error);
        throw error;
      },
    });
    await settled();
    expect(told).toEqual([new Error('no Redis')]);
    expect(processor.stats().errors).toBe(1);
  });
});
