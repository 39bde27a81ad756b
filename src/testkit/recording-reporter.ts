import type { Credential } from '../credential/credential.js';
import type { Incident } from '../policy/incident.js';
import type { Reporter } from '../report/reporter.js';

/** A reporter, for the option of that name, that remembers what it was told. */
export interface RecordingReporter extends Reporter {
  /** Every opening that was told, oldest first. */
  readonly openings: Incident[];
  /** Every end that was told, oldest first. */
  readonly endings: Incident[];
  /** What was told to be open, and not yet to have ended. */
  readonly open: readonly Incident[];
  /** The openings that were told of a credential, given as itself or by its fingerprint. */
  openingsOf(credential: Credential | string): readonly Incident[];
  /** The ends that were told of a credential. */
  endingsOf(credential: Credential | string): readonly Incident[];
  /** Forgets all of it. */
  clear(): void;
}

/** A reporter that remembers. */
export function createRecordingReporter(): RecordingReporter {
  const openings: Incident[] = [];
  const endings: Incident[] = [];
  return {
    openings,
    endings,
    get open() {
      const ended = new Set(endings.map(({ id }) => id));
      return openings.filter(({ id }) => !ended.has(id));
    },
    openingsOf: (credential) => openings.filter(({ fingerprint }) => fingerprint === fingerprintOf(credential)),
    endingsOf: (credential) => endings.filter(({ fingerprint }) => fingerprint === fingerprintOf(credential)),
    opened: (incident) => void openings.push(incident),
    ended: (incident) => void endings.push(incident),
    clear() {
      openings.length = endings.length = 0;
    },
  };
}

/** The fingerprint of a credential that is given as itself or by that. */
function fingerprintOf(credential: Credential | string): string {
  return typeof credential === 'string' ? credential : credential.fingerprint;
}
