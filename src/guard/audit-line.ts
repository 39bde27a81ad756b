import type { Clock } from '../clock.js';
import type { Credential } from '../credential/credential.js';
import { redactAll } from '../credential/redact.js';
import { BoundedJson } from './bounded-json.js';

/** With its line end. Short enough that a local file system appends it as a whole, whoever else does so at the same time. */
const MOST_BYTES = 16_384;
/** What stands around the members: the braces, the payload's name, `truncated`, the line end, and one before a torn line. */
const FRAME_BYTES = 64;
/** Members that no field takes the place of. */
const RESERVED = new Set(['ts', 'event', 'payload', 'truncated']);

export interface LineRules {
  /** What is kept of an event's payload. */
  readonly actions: ReadonlyMap<string, readonly string[]>;
  readonly credentials: readonly Credential[];
  readonly clock: Clock;
}

export interface LineParts {
  readonly event: string;
  readonly fields: object | undefined;
  readonly payload: unknown;
}

/** One line of JSON, with its end. Never throws. */
export function auditLine({ event, fields, payload }: LineParts, { actions, credentials, clock }: LineRules): string {
  const head = `"ts":"${timestamp(clock)}",`;
  const json = new BoundedJson(MOST_BYTES - FRAME_BYTES - head.length, (text) => redactAll(text, credentials));
  const members = [head + json.members(['event'], () => (typeof event === 'string' ? event : 'unknown'))];

  const names = ownNames(fields).filter((name) => !RESERVED.has(name));
  members.push(json.members(names, (name) => (fields as Record<string, unknown>)[name]));

  if (payload !== undefined) {
    const allowed = (actions.get(event) ?? []).filter((name) => isOwn(payload, name));
    members.push(`"payload":{${json.members(allowed, (name) => (payload as Record<string, unknown>)[name])}}`);
  }
  if (json.isCut) members.push('"truncated":true');
  return `{${members.filter((member) => member !== '').join(',')}}\n`;
}

/** UTC, in milliseconds. A clock that fails does not cost the line. */
function timestamp(clock: Clock): string {
  const written = (ms: number): string => new Date(ms).toISOString().replace('Z', '+00:00');
  try {
    return written(clock.now());
  } catch {
    return written(Date.now());
  }
}

function ownNames(fields: object | undefined): string[] {
  try {
    return typeof fields === 'object' && fields !== null ? Object.keys(fields) : [];
  } catch {
    return [];
  }
}

function isOwn(payload: unknown, name: string): boolean {
  try {
    return typeof payload === 'object' && payload !== null && Object.hasOwn(payload, name);
  } catch {
    return false;
  }
}
