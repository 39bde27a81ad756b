import { resolve } from 'node:path';
import { type Clock, systemClock } from '../clock.js';
import { Credential } from '../credential/credential.js';
import { isPromiseLike } from '../promise-like.js';
import { requireFunction, requireOptions } from '../signals/checked.js';
import { AppendFile } from './append-file.js';
import { auditLine } from './audit-line.js';

/** Options of `openAuditLog`. */
export interface AuditLogOptions {
  /** The file. It, and folders above it that are missing, are made for the owner alone (0600, 0700); a link is not followed. */
  readonly path: string;
  /** Which fields of an event's payload are written. Default: none, of no event. */
  readonly actions?: Readonly<Record<string, readonly string[]>> | undefined;
  /** What must not appear in any line; the gateway's own token. Default none. */
  readonly credentials?: readonly Credential[] | undefined;
  /** Hears that lines are lost, once until one is written again. What it throws is contained. Default: `process.emitWarning`. */
  readonly onWarning?: ((warning: Error) => unknown) | undefined;
  /** Default `Date`. */
  readonly clock?: Clock | undefined;
}

/** Who did what, a line of JSON for each: `ts` (UTC, `+00:00`) and `event` first. */
export interface AuditLog {
  /**
   * Writes a line, before it returns: call it before the action. Says whether it was written; never throws. Fields named `ts`, `event`, `payload`
   * and `truncated` are left out. Of `payload`, what a caller sent along, only the fields that `actions` names for the event are written.
   * A line has at most 16 KiB, a text in it 1,024 characters, a value six levels; `truncated` says that something was left out.
   */
  record(event: string, fields?: object, payload?: unknown): boolean;
  /** Closes the file. Whatever is recorded afterwards is not written. */
  close(): void;
}

const WHERE = 'openAuditLog';
const KNOWN = ['path', 'actions', 'credentials', 'onWarning', 'clock'];

/**
 * A log that is only ever appended to, several processes at a time if need be. The file is opened for the first line, after a rotation, and
 * for each line after one that was lost; one that others could read is then made 0600. Its failing is a warning and nothing else.
 * @throws {TypeError} naming the option that is wrong.
 */
export function openAuditLog(options: AuditLogOptions): AuditLog {
  requireOptions(WHERE, options, KNOWN);
  const { path, credentials = [], onWarning = (warning: Error) => process.emitWarning(warning), clock = systemClock } = options;
  if (typeof path !== 'string' || path === '' || path.includes('\0')) throw new TypeError(`${WHERE}: \`path\` must be the path of a file`);
  if (!Array.isArray(credentials) || !credentials.every((one) => one instanceof Credential))
    throw new TypeError(`${WHERE}: \`credentials\` must be a list of credentials`);
  requireFunction(WHERE, 'onWarning', onWarning);
  requireFunction(WHERE, 'clock.now', (clock as Partial<Clock> | null)?.now);
  const rules = { actions: readActions(options.actions), credentials: [...credentials], clock };

  const file = new AppendFile(resolve(path));
  let isClosed = false;
  let isLosing = false;

  const lost = (error: unknown): void => {
    if (isLosing) return;
    isLosing = true;
    const { code, message } = error as NodeJS.ErrnoException;
    try {
      const heard = onWarning(new Error(`the audit log ${path} cannot be written: ${code ?? message}`, { cause: error }));
      if (isPromiseLike(heard)) heard.then(undefined, () => {});
    } catch {
      // Told as far as it can be.
    }
  };

  return {
    record(event, fields, payload) {
      if (isClosed) return false;
      try {
        const line = auditLine({ event, fields, payload }, rules);
        // Making it has run what the fields have for code.
        if (isClosed) return false;
        file.append(line);
        isLosing = false;
        return true;
      } catch (error) {
        lost(error);
        return false;
      }
    },
    close() {
      isClosed = true;
      file.close();
    },
  };
}

function readActions(actions: AuditLogOptions['actions']): ReadonlyMap<string, readonly string[]> {
  if (actions === undefined) return new Map();
  if (typeof actions !== 'object' || actions === null || Array.isArray(actions))
    throw new TypeError(`${WHERE}: \`actions\` must be an object of lists`);
  return new Map(
    Object.entries(actions).map(([event, names]) => {
      if (!Array.isArray(names) || !names.every((name) => typeof name === 'string'))
        throw new TypeError(`${WHERE}: \`actions[${JSON.stringify(event)}]\` must be a list of field names`);
      return [event, [...names]];
    }),
  );
}
