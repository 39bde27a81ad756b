import type { Credential } from '../credential/credential.js';
import { redact } from '../credential/redact.js';
import { isPromiseLike } from '../promise-like.js';
import { printableTarget } from '../signals/printable-target.js';
import { rawPathOf } from './raw-path.js';
import type { Refusal, RefusalReason } from './refusal.js';
import type { GuardedRequest } from './request.js';

const LONGEST_PATH = 1024;
/** RFC 9110, section 9.1: a method is a token. */
const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}$/;

/** A refused request as it may be logged: on one line, and without the token, wherever in the path somebody put it. */
export function refusalOf(request: GuardedRequest, reason: RefusalReason, token: Credential): Refusal {
  return { reason, peer: peerOf(request), method: methodOf(request), path: printablePath(request, token) };
}

/** What hears of it must not disturb the answer. */
export function tell(refusal: Refusal, onRefused: ((refusal: Refusal) => unknown) | undefined): void {
  try {
    const told = onRefused?.(refusal);
    if (isPromiseLike(told)) told.then(undefined, () => {});
  } catch {
    // The request is refused all the same.
  }
}

function peerOf(request: GuardedRequest): string | undefined {
  const peer = orNothing(() => request.socket?.remoteAddress);
  return typeof peer === 'string' ? visible(peer) : undefined;
}

function methodOf(request: GuardedRequest): string | undefined {
  const method = orNothing(() => request.method);
  return typeof method === 'string' && METHOD.test(method) ? method : undefined;
}

function printablePath(request: GuardedRequest, token: Credential): string {
  const path = rawPathOf(request, 'originalUrl') ?? rawPathOf(request);
  // A proxy's form of the target may hold user info.
  const target = path ?? orNothing(() => printableTarget(request.originalUrl ?? request.url ?? '')) ?? '';
  const clean = redact(target, token);
  // Any character of the token may be encoded, and that again: whoever decodes the path must not find it.
  const once = decoded(clean);
  if ([once, decoded(once)].some((text) => redact(text, token) !== text)) return '';
  return visible(clean).slice(0, LONGEST_PATH);
}

/** Byte by byte, as far as it can be: a token is ASCII. */
function decoded(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function visible(text: string): string {
  return text.replace(/[^\x21-\x7e]/g, '\ufffd');
}

function orNothing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
