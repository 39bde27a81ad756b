import { latchkey } from './latchkey.js';
import { markAndRetry } from './mark-and-retry.js';
import { markAndSkip } from './mark-and-skip.js';
import type { Policy } from './policy.js';
import { silent } from './silent.js';

export const POLICIES: readonly Policy[] = [silent, markAndRetry, markAndSkip, latchkey];
