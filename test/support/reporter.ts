import type { Incident, Reporter } from '../../src/index.js';

export interface RecordingReporter extends Reporter {
  readonly openings: Incident[];
  readonly endings: Incident[];
}

export function recordingReporter(): RecordingReporter {
  const openings: Incident[] = [];
  const endings: Incident[] = [];
  return {
    openings,
    endings,
    opened: (incident) => void openings.push(incident),
    ended: (incident) => void endings.push(incident),
  };
}
