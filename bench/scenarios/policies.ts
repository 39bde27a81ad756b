import { latchkey, latchkeyRefresh } from './latchkey.js';
import type { Policy } from './policy.js';

/** By name; other packages' go here beside this one's. */
export const POLICIES: Readonly<Record<string, Policy>> = {
  latchkey,
  'latchkey refresh': latchkeyRefresh,
};
