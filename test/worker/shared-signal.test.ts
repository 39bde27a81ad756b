import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { createLatchkey } from '../../src/index.js';
import { settled } from '../support/clock.js';

it('one signal for a hundred runs is no leak: Node does not warn, and nothing stays behind', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error): void => void warnings.push(warning);
  process.on('warning', note);
  const latchkey = createLatchkey();
  const controller = new AbortController();
  const { signal } = controller;
  const runs = Array.from({ length: 100 }, () => latchkey.run('s', () => 1, { whenBlocked: 'park', signal }));
  expect(getEventListeners(signal, 'abort')).toHaveLength(100);
  controller.abort(new Error('enough'));
  const ended = await Promise.allSettled(runs);
  expect(new Set(ended.map((end) => end.status === 'rejected' && (end.reason as Error).message))).toEqual(new Set(['enough']));
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  await settled();
  process.off('warning', note);
  expect(warnings).toEqual([]);
});
