import { isReported } from './reported.js';
import { type Redact, Scrubber } from './scrub.js';
import type { SentryEvent, SentryHint, SentryIntegration, SentryLog } from './types.js';

/** Options of `latchkeyIntegration`. */
export interface LatchkeyIntegrationOptions {
  /** Asked with every text that is sent, after what looks like a credential was replaced: returns it without what else is secret. */
  readonly redact?: Redact | undefined;
}

const INTEGRATION_NAME = 'Latchkey';

/** Not sent, and full of live objects; or the SDK's own, and never anybody's text. */
const LEFT_ALONE = new Set([
  'sdkProcessingMetadata',
  'modules',
  'event_id',
  'type',
  'platform',
  'timestamp',
  'start_timestamp',
  'sdk',
  'debug_meta',
]);

/** What is used of a client. Registering is the same in all versions; hooks that a version does not have are never called. */
interface Client {
  addEventProcessor(processor: (event: SentryEvent, hint: SentryHint) => unknown): void;
  on(hook: 'beforeSendEvent', callback: (event: Record<string, unknown>) => void): unknown;
  on(hook: 'processSpan', callback: (span: Record<string, unknown>) => void): unknown;
}

/**
 * Drops the error events behind which an incident stands that is reported already, and takes what looks like a credential out of
 * everything that is sent. It shares nothing with the reporter: the errors themselves carry their incident, in `LatchkeyError.incident`,
 * and the reporter's own events are no such errors.
 *
 * It goes before the default integrations: `integrations: (defaults) => [latchkeyIntegration(), ...defaults]`. Behind them, the SDK's
 * deduplication remembers an event that is dropped here, and loses the next one like it. Versions 10 and 11 put that right for an
 * integration that is given to `init` in any place; version 9 does not, nor any for one that is added later. Sentry's client reports
 * count each drop once, as `event_processor`. Attachments, and structured logs without `beforeSendLog`, are not looked at.
 * @throws {TypeError} for an option that is unknown or malformed.
 */
export function latchkeyIntegration(options: LatchkeyIntegrationOptions = {}): SentryIntegration {
  const redact = readRedact(options);
  const asksFirst = new WeakSet<object>();
  return {
    name: INTEGRATION_NAME,

    /** Version 9 has no such hook, and uses `processEvent`. */
    beforeSetup(client) {
      const processor = (event: SentryEvent, hint: SentryHint) => passOrDrop(event, hint);
      (client as Client).addEventProcessor(Object.assign(processor, { id: INTEGRATION_NAME }));
      asksFirst.add(client);
    },

    processEvent(event, hint, client) {
      return asksFirst.has(client) ? event : passOrDrop(event, hint);
    },

    /** The last hook before the transport, and after the other integrations': versions 10 and 11 add the request late. */
    afterAllSetup(client) {
      (client as Client).on('beforeSendEvent', (event) => redactIn(event, redact));
      (client as Client).on('processSpan', (span) => redactIn(span, redact));
    },
  };
}

/** For the option of that name in `Sentry.init`: takes what looks like a credential out of a structured log. Never throws. */
export function beforeSendLog<L extends SentryLog>(log: L): L {
  try {
    const scrubber = new Scrubber();
    const message = scrubber.text(String(log.message));
    const attributes = scrubber.property('attributes', log.attributes);
    return { ...log, message, ...(attributes === undefined ? {} : { attributes }) };
  } catch {
    return log;
  }
}

/** Transactions, and whatever else has a type, pass. */
function passOrDrop<E extends SentryEvent>(event: E, hint: SentryHint | undefined): E | null | PromiseLike<E | null> {
  try {
    if (event.type !== undefined) return event;
    const thrown = hint?.originalException;
    if (thrown instanceof Promise) return mayBeOurs(event) ? passOrDropLater(event, thrown) : event;
    return isReported(thrown) ? null : event;
  } catch {
    return event;
  }
}

/**
 * Version 9 gives the promise of an unhandled rejection, not its reason. Looking at it makes Node say that the rejection was handled
 * after all, so only one whose reason has the name of our errors is looked at.
 */
function mayBeOurs(event: SentryEvent): boolean {
  return event.exception?.values?.some(({ type }) => type === 'LatchkeyError') === true;
}

/** One that is rejected already answers first; one that is not is not waited for. */
function passOrDropLater<E>(event: E, promise: Promise<unknown>): Promise<E | null> {
  const verdict = promise.then(
    () => event,
    (reason: unknown) => (isReported(reason) ? null : event),
  );
  return Promise.race([verdict, Promise.resolve(event).then((pending) => pending)]);
}

/** The object is the SDK's own, what hangs on it may not be: fields are replaced, never written into. */
function redactIn(sent: Record<string, unknown>, redact: Redact | undefined): void {
  const scrubber = new Scrubber(redact);
  for (const field of Object.keys(sent)) {
    if (LEFT_ALONE.has(field)) continue;
    try {
      const value = sent[field];
      const clean = scrubber.property(field, value);
      if (clean !== value) sent[field] = clean;
    } catch {
      // The others are still worth it.
    }
  }
}

function readRedact(options: LatchkeyIntegrationOptions): Redact | undefined {
  if (typeof options !== 'object' || options === null) throw new TypeError('latchkeyIntegration: `options` must be an object');
  const { redact, ...unknown } = options;
  for (const name of Object.keys(unknown)) throw new TypeError(`latchkeyIntegration: unknown option \`${name}\``);
  if (redact !== undefined && typeof redact !== 'function') throw new TypeError('latchkeyIntegration: `redact` must be a function');
  return redact;
}
