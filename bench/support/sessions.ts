import { shuffle } from './shuffle.js';

/** Whether sessions are asked about in the order in which they came, or in any. */
export type Order = 'insertion' | 'shuffled';

/** A string of its own, in one piece: one put together from two would be flattened, at our cost, when it is first used. */
export function flat(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

export function sessionIds(count: number): string[] {
  return Array.from({ length: count }, (_, index) => flat(`session-${String(index).padStart(8, '0')}`));
}

export function tokenOf(index: number): string {
  return flat(`sk-bench-${String(index).padStart(12, '0')}-${'k'.repeat(24)}`);
}

export function inOrder(ids: readonly string[], order: Order): string[] {
  return order === 'shuffled' ? shuffle([...ids], 20_260_101) : [...ids];
}
