import { describe, expect, it } from 'vitest';
import { bearer } from '../../src/index.js';
import { explore, replay } from '../../src/testkit/explore.js';
import { settle } from '../../src/testkit/settle.js';
import type { Scenario } from '../../src/testkit/world.js';
import { secretsIn } from '../support/secret-forms.js';
import { failure } from './exploration-failure.js';

describe('an exploration that fails', () => {
  it('shows no value of a credential that its upstream knows', async () => {
    const A = bearer('token-of-a-1234');
    const error = await failure((world) => {
      world.upstream({ credentials: { A } });
      world.pick(`sent ${A.reveal()}`, [1]);
      throw new Error(`not with ${A.reveal()}`);
    });
    expect([error.message, error.stack, ...error.steps].join('\n')).not.toContain(A.reveal());
    expect(error.message).toContain(`not with ${A}`);
  });

  it.each([
    ['alone', (value: string) => ({ authorization: `Bearer ${value}` })],
    ['as a key', (value: string) => ({ 'x-api-key': value })],
    ['by a scheme of its own', (value: string) => ({ authorization: `Token ${value}` })],
    ['beside another', (value: string) => ({ 'x-api-key': 'key-of-b', authorization: `bearer ${value}` })],
    ['twice', (value: string) => ({ authorization: `Bearer ${value}, Bearer token-of-b` })],
  ])('shows no value of a credential that an upstream was presented with, %s', async (_, headers) => {
    const value = 'token-of-nobody/1234';
    const error = await failure(async (world) => {
      world.pick(`to send ${value}`, [1]);
      await world.upstream().fetch(`http://upstream.test/${encodeURIComponent(value)}?key=${value}`, { headers: headers(value) });
      throw new Error(`Token or Bearer: not with ${value} and ${btoa(value)}`);
    });
    expect(secretsIn([error.message, error.stack, ...error.steps].join('\n'), [value])).toEqual([]);
    expect(error.message).toMatch(/Token or Bearer: not with (bearer|api-key)\S* and /);
  });

  it('prints what was asked for and answered, without the query', async () => {
    const A = bearer('token-of-a-1234');
    const error = await failure(async (world) => {
      const upstream = world.upstream({ credentials: { A }, otherwise: { status: 201 } });
      await upstream.fetch('http://upstream.test/v1/jobs?page=2', { method: 'POST', headers: A.headers() });
      throw new Error('enough');
    });
    expect(error.steps).toEqual(['answer 201 to POST /v1/jobs with A (call 1)']);
  });

  it('fails by a rejection that nobody handles, and tells nobody else of it', async () => {
    const heard: unknown[] = [];
    const listener = (reason: unknown): void => void heard.push(reason);
    process.on('unhandledRejection', listener);
    const once = (): void => {};
    process.once('unhandledRejection', once);
    const before = process.rawListeners('unhandledRejection');
    try {
      const lost = new Error('lost');
      const scenario: Scenario = async (world) => {
        const order: string[] = [];
        await Promise.all(['a', 'b'].map((name) => world.schedule(name, () => order.push(name))));
        // The last thing that happens, with nothing after it.
        if (order[0] === 'b') void Promise.reject(lost);
      };
      const error = await failure(scenario, { seed: 3 });
      expect(error).toMatchObject({ steps: ['b', 'a'], cause: lost });
      expect(error.message).toContain("  2. a\n  then, rejected and not handled: Error: lost\nAgain: replay(scenario, '3:1')");
      await expect(replay(scenario, error.schedule)).rejects.toMatchObject({ cause: lost });
      expect(heard).toEqual([]);
      expect(process.rawListeners('unhandledRejection')).toEqual(before);
    } finally {
      process.off('unhandledRejection', listener);
      process.off('unhandledRejection', once);
    }
  });

  it('puts down to a schedule what it leaves alone right after its end', async () => {
    const error = await failure(
      async (world) => {
        const order: string[] = [];
        await Promise.all(['a', 'b'].map((name) => world.schedule(name, () => void order.push(name))));
        const soon = async (): Promise<never> => {
          await settle(3);
          throw new Error('b came first');
        };
        if (order[0] === 'b') void soon();
      },
      { schedules: 50 },
    );
    expect(error.steps).toEqual(['b', 'a']);
    await expect(replay(async (world) => void (await world.schedule('a', () => {})), '1:')).resolves.toEqual(['a']);
  });

  it('leaves to others what was rejected before, and keeps a listener that came meanwhile', async () => {
    const others = process.rawListeners('unhandledRejection') as NodeJS.UnhandledRejectionListener[];
    process.removeAllListeners('unhandledRejection');
    const heard: unknown[] = [];
    const listener = (reason: unknown): void => void heard.push(reason);
    const late = (): void => {};
    try {
      process.on('unhandledRejection', listener);
      void Promise.reject(new Error('before'));
      await explore(() => void process.on('unhandledRejection', late), { schedules: 1 });
      expect(heard).toMatchObject([{ message: 'before' }]);
      expect(process.rawListeners('unhandledRejection')).toEqual([listener, late]);
    } finally {
      process.removeAllListeners('unhandledRejection');
      for (const other of others) process.on('unhandledRejection', other);
    }
  });
});
