import type { Policy } from './policy.js';
import { SessionMarks } from './session-marks.js';

export const markAndRetry: Policy = {
  name: 'mark-and-retry',
  open: (parts) => new SessionMarks(parts, false),
};
