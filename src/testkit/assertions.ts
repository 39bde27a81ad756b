import { requireOptions } from '../arguments.js';
import type { Credential } from '../credential/credential.js';
import type { Incident, IncidentEnd } from '../policy/incident.js';
import { TestkitAssertionError } from './assertion.js';
import type { RecordingReporter } from './recording-reporter.js';
import type { Upstream } from './upstream.js';

const FINGERPRINT = /^[0-9a-f]{16}$/;

/**
 * Asserts that an upstream has rejected (401 or 403) at most so many requests; `of`: those with one credential, by its name.
 * @throws {TypeError} for a name that none has.
 * @throws {TestkitAssertionError} with the record of those that it did.
 */
export function maxRejections(upstream: Upstream, most: number, options: { readonly of?: string | undefined } = {}): void {
  requireOptions('maxRejections', options, ['of']);
  if (!Number.isSafeInteger(most) || most < 0) throw new TypeError('maxRejections: `most` must be a whole number, 0 or more');
  const { of } = options;
  if (of !== undefined && ![...upstream.names, 'none'].includes(of) && !FINGERPRINT.test(of))
    throw new TypeError('maxRejections: `of` must be the name of one of the upstream’s credentials, a fingerprint, or `none`');
  const met = upstream.rejections.filter(({ credential }) => of === undefined || credential === of);
  if (met.length <= most) return;
  const shown = met
    .slice(0, 10)
    .map(
      ({ number, at, method, path, credential, status }) => `  call ${number} at ${at} ms: ${method} ${path} with ${credential}: ${status}`,
    );
  const more = met.length > shown.length ? [`  and ${met.length - shown.length} more`] : [];
  const whose = of === undefined ? '' : ` of ${of}`;
  throw new TestkitAssertionError(
    [`maxRejections: ${met.length} rejections${whose}, not ${most} at the most`, ...shown, ...more].join('\n'),
  );
}

/** Which incidents `reportedOnce` looks at, and how they are to have ended. */
export interface ReportedOnceOptions {
  /** Only those of this credential, given as itself or by its fingerprint. Default: all that were told. */
  readonly credential?: Credential | string | undefined;
  /** `true`: its end was told once, too; or how it ended. `false`: it is open still. Default: either. */
  readonly ended?: boolean | IncidentEnd | undefined;
}

/**
 * Asserts that one incident was told, once, and its end once at the most. Returns it as it was told when it opened.
 * @throws {TestkitAssertionError} with what was told instead.
 */
export function reportedOnce(reporter: RecordingReporter, options: ReportedOnceOptions = {}): Incident {
  requireOptions('reportedOnce', options, ['credential', 'ended']);
  const { credential, ended } = options;
  const openings = credential === undefined ? reporter.openings : reporter.openingsOf(credential);
  const endings = credential === undefined ? reporter.endings : reporter.endingsOf(credential);
  const [opening] = openings;
  const fail = (what: string): never => {
    throw new TestkitAssertionError([`reportedOnce: ${what}`, ...told('opened', openings), ...told('ended', endings)].join('\n'));
  };
  if (opening === undefined) return fail('no incident was told');
  if (openings.length > 1) return fail(`an incident was told ${openings.length} times`);
  if (endings.length > 1) return fail(`an end was told ${endings.length} times`);
  const [ending] = endings;
  if (ending !== undefined && ending.id !== opening.id) return fail('the end of another incident was told');
  if (ended === false && ending !== undefined) return fail('its end was told');
  if ((ended === true || typeof ended === 'string') && ending === undefined) return fail('its end was not told');
  if (typeof ended === 'string' && ending?.end !== ended) return fail(`it did not end with ${ended}`);
  return opening;
}

function told(what: string, incidents: readonly Incident[]): string[] {
  return incidents.slice(0, 10).map(({ kind, provider, fingerprint, status, end }) => {
    const whose = `${fingerprint ?? 'all'} at ${provider ?? 'no provider'}`;
    return `  ${what}: ${kind} ${whose}${status === undefined ? '' : `, ${status}`}${end === undefined ? '' : `, ${end}`}`;
  });
}
