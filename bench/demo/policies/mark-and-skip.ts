import type { Policy } from './policy.js';
import { SessionMarks } from './session-marks.js';

/** As mark-and-retry, and nothing is sent when the stale session and the global fallback hold the same value. */
export const markAndSkip: Policy = {
  name: 'mark-and-skip',
  open: (parts) => new SessionMarks(parts, true),
};
