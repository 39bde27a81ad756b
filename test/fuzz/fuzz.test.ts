import { afterEach, beforeEach, expect, it } from 'vitest';
import { TARGETS } from './targets.js';

// A few of what `npm run fuzz` tries by the million.

const INPUTS = process.env['CI'] ? 400 : 150;

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
beforeEach(() => void process.on('unhandledRejection', note));
afterEach(() => void process.off('unhandledRejection', note));

it.each(TARGETS.map((target) => [target.name, target] as const))('%s', async (_, target) => {
  const { failure } = await target.run(INPUTS, Math.floor(Math.random() * 2 ** 31));
  expect(failure ?? 'nothing').toBe('nothing');
  await new Promise<void>((resolve) => setImmediate(resolve));
  expect(unhandled.splice(0)).toEqual([]);
});
