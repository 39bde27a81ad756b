import type { Evictable } from './api.js';
import { Credential } from './credential/credential.js';
import type { Scope, WorkScope } from './ledger/scope-key.js';

const DEFAULT_CLOSE_MS = 5_000;

/** @throws {TypeError} */
export function requireCredential(caller: string, credential: unknown): void {
  if (!(credential instanceof Credential))
    throw new TypeError(`${caller}: \`credential\` must come from bearer(), apiKey() or credentialFromHeaders()`);
}

export function requireOptions(caller: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw new TypeError(`${caller}: \`options\` must be an object`);
  for (const name of Object.keys(options)) if (!known.includes(name)) throw new TypeError(`${caller}: unknown option \`${name}\``);
}

export function readCloseOptions(options: { readonly timeoutMs?: number | undefined }): number {
  requireOptions('close', options, ['timeoutMs']);
  const { timeoutMs = DEFAULT_CLOSE_MS } = options;
  if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0))
    throw new TypeError('close: `timeoutMs` must be a number of milliseconds, 0 or more');
  return timeoutMs;
}

export function readEvictable(scope: Evictable, read: (scope: Scope) => WorkScope): WorkScope {
  if (typeof scope === 'object' && scope !== null) {
    requireOptions('evict', scope, ['tenant', 'session']);
    if (scope.tenant === undefined && scope.session === undefined) throw new TypeError('evict: name a `session` or a `tenant`');
  }
  return read(scope);
}
