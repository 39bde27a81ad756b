import type { Answer, Message, Name, RecordKind, RecordRef, Standing, StoreChange, StoredRecord } from '../../fleet/carrier.js';
import { StoreError } from '../../fleet/store-error.js';

const KINDS: Readonly<Record<string, RecordKind>> = { i: 'identity', s: 'session', t: 'tenant' };
const VERSION = 'v';
/** What every field of a record begins with; one that does not counts as absent. */
const NUMBERED = /^\d{16}/;
/** 13 digits hold the milliseconds until the year 2286. */
const LATEST_MS = 9_999_999_999_999;

/** What is published: records that changed, or a lock that was given back. */
export type Published =
  | { readonly kind: 'message'; readonly message: Message }
  | { readonly kind: 'released'; readonly lock: Name; readonly note: string };

export function letterOf(kind: RecordKind): string {
  return kind.charAt(0);
}

/** Milliseconds since the epoch as the scripts take them. */
export function wholeMs(ms: number): string {
  return String(Math.min(Math.max(Math.floor(ms), 0), LATEST_MS));
}

export function writeChanges(changes: readonly StoreChange[]): string {
  return JSON.stringify(
    changes.map((change) => (change.kind === 'present' ? { ...change, captured: wholeMs(change.captured).padStart(13, '0') } : change)),
  );
}

/** @throws {StoreError} for what no script of ours has answered. */
export function readAnswer(text: string): Answer {
  const [epoch, seq, now, latest, records] = list(parse(text));
  if (typeof latest !== 'string') throw new StoreError('STORE_DOWN', 'the store gave an answer that makes no sense');
  const standing: Standing = { epoch: String(epoch), seq: Number(seq), now: Number(now), latest };
  return { ...standing, records: readRecords(records) };
}

export function readRefs(text: string): RecordRef[] {
  return list(parse(text)).flatMap((entry) => {
    const [letter, ...name] = String(entry).split(':');
    const kind = KINDS[letter ?? ''];
    return kind === undefined ? [] : [{ kind, name: name.join(':') }];
  });
}

/** Whether first or last, and the tag. */
export function readGroup(text: string): { readonly alone: boolean; readonly tag: string | undefined } {
  const [alone, tag] = list(parse(text));
  return { alone: alone === '1', tag: typeof tag === 'string' ? tag : undefined };
}

/** For how many milliseconds somebody else holds a lock; 0: nobody does. @throws {StoreError} */
export function readLock(text: string): number {
  const leftMs = Number(text);
  if (!Number.isFinite(leftMs) || leftMs < 0) throw new StoreError('STORE_DOWN', 'the store gave an answer that makes no sense');
  return leftMs;
}

/** Undefined for what no carrier has published. */
export function readPublished(text: string): Published | undefined {
  const [letter, ...rest] = list(parse(text));
  if (letter === 'r' && typeof rest[0] === 'string' && typeof rest[1] === 'string') {
    return { kind: 'released', lock: rest[0], note: rest[1] };
  }
  const [epoch, seq, latest, records] = rest;
  if (letter !== 'm' || typeof epoch !== 'string' || typeof latest !== 'string' || !Number.isSafeInteger(Number(seq))) return undefined;
  return { kind: 'message', message: { epoch, seq: Number(seq), latest, records: readRecords(records) } };
}

function readRecords(records: unknown): StoredRecord[] {
  return list(records).flatMap((record) => {
    const [letter, name, flat] = list(record);
    const kind = KINDS[String(letter)];
    if (kind === undefined || typeof name !== 'string') return [];
    const fields = new Map<string, string>();
    const values = list(flat);
    let version = 0;
    for (let index = 0; index + 1 < values.length; index += 2) {
      const [field, value] = [String(values[index]), String(values[index + 1])];
      if (field === VERSION) version = Number.isSafeInteger(Number(value)) ? Number(value) : 0;
      else if (NUMBERED.test(value)) fields.set(field, value);
    }
    return [{ kind, name, version, fields: Object.fromEntries(fields) }];
  });
}

/** An empty list comes as an empty object: Lua knows no difference. */
function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
