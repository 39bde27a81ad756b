import type { Name } from './carrier.js';
import { HybridClock } from './hybrid-clock.js';

const NAME = /^[0-9a-f]{32}$/;
const { stamp, parse } = HybridClock;

/** A slot as the store has it. */
export interface StoredSlot {
  readonly at: number;
  readonly deadOnArrival: boolean;
  readonly identity: Name;
  readonly by: Name;
  /** When it was last presented, by the store's clock. */
  readonly captured: number;
  /** The credential, sealed; empty where nothing is. */
  readonly value: string;
}

/** Undefined for what is no slot. */
export function readSlot(text: string): StoredSlot | undefined {
  const [at = '', dead, identity = '', by = '', captured, value = ''] = text.split('|');
  if (parse(at) === 0 || !NAME.test(identity) || !NAME.test(by) || !Number.isFinite(Number(captured))) return undefined;
  return { at: parse(at), deadOnArrival: dead === '1', identity, by, captured: Number(captured), value };
}

/** A pin as the store has it. `credential` and `place` are sealed. */
export interface StoredPin {
  readonly at: number;
  readonly identity: Name;
  readonly credential: string;
  /** The provider and purpose that it is for. */
  readonly place: string;
}

/** A pin, or with undefined that the one numbered `at` was taken away: greater than that pin, smaller than any later one. */
export function pinText(at: number, pin: Omit<StoredPin, 'at'> | undefined): string {
  return pin === undefined ? `${stamp(at)}1` : `${stamp(at)}0|${pin.identity}|${pin.credential}|${pin.place}`;
}

/** Without `pin` it was taken away. Undefined for what is neither. */
export function readPin(text: string): { readonly at: number; readonly pin: StoredPin | undefined } | undefined {
  const [head = '', identity = '', credential = '', place = ''] = text.split('|');
  const at = parse(head.slice(0, -1));
  if (at === 0) return undefined;
  if (head.endsWith('1')) return { at, pin: undefined };
  return NAME.test(identity) ? { at, pin: { at, identity, credential, place } } : undefined;
}

/** What a refresh put in an identity's place, as that one's record has it; `value` is sealed. */
export interface StoredSuccessor {
  readonly at: number;
  readonly identity: Name;
  readonly value: string;
}

/** Without the value, it is enough to see whether the store has something later. */
export function successorHead(at: number, identity: Name): string {
  return `${stamp(at)}|${identity}|`;
}

/** Undefined for what is none. */
export function readSuccessor(text: string): StoredSuccessor | undefined {
  const [at = '', identity = '', value = ''] = text.split('|');
  return parse(at) === 0 || !NAME.test(identity) ? undefined : { at: parse(at), identity, value };
}
