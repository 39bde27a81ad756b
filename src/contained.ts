import type { Emitter } from './events.js';
import type { FallbackCandidate } from './ledger/reader.js';
import { scopeKey, type WorkScope } from './ledger/scope-key.js';
import type { Settings } from './options.js';
import { isPromiseLike } from './promise-like.js';

/** The fallback option as one question. A rule that throws, or answers anything but true, lends nothing. */
export function borrowRule({ fallback }: Settings, emitter: Emitter): (candidate: FallbackCandidate, scope: WorkScope) => boolean {
  if (fallback === 'global') return () => true;
  if (fallback === 'none') return () => false;
  const failed = failingOnce(emitter, 'fallback');
  return (candidate, scope) => {
    try {
      return atOnce('fallback', fallback(candidate, scope.parts)) === true;
    } catch (error) {
      failed(error);
      return false;
    }
  };
}

/** The alias rule. One that throws, or gives no name, leaves the provider as it is. */
export function aliasRule({ canonicalProvider }: Settings, emitter: Emitter): ((provider: string) => string) | undefined {
  if (canonicalProvider === undefined) return undefined;
  const failed = failingOnce(emitter, 'canonicalProvider');
  return (provider) => {
    try {
      const canonical = atOnce('canonicalProvider', canonicalProvider(provider));
      if (typeof canonical === 'string' && canonical !== '') return canonical;
      throw new TypeError('canonicalProvider: must return the name of a provider');
    } catch (error) {
      failed(error);
      return provider;
    }
  };
}

/** What a refresh spends, as one question; nothing of another tenant's or provider's. A rule that throws, or gives no name, leaves each to itself. */
export function refreshKeyRule({ refresh }: Settings, emitter: Emitter): (scope: WorkScope) => string | undefined {
  const rule = refresh?.key;
  if (rule === undefined) return () => undefined;
  const failed = failingOnce(emitter, 'refreshKey');
  return (scope) => {
    try {
      const key = atOnce('refreshKey', rule(scope.parts));
      if (key === undefined) return undefined;
      if (typeof key === 'string' && key !== '') return scopeKey(scope.tenant, scope.provider, key);
      throw new TypeError('refreshKey: must return a name, or undefined');
    } catch (error) {
      failed(error);
      return undefined;
    }
  };
}

/** Nobody waits for what a rule promises; that promise's own failure must not go unhandled. */
function atOnce<T>(rule: string, answer: T): T {
  if (!isPromiseLike(answer)) return answer;
  answer.then(undefined, () => {});
  throw new TypeError(`${rule}: must answer at once, not with a promise`);
}

/** These rules are asked whenever anybody asks anything: their failure is told once, and counted once. */
function failingOnce(emitter: Emitter, origin: 'fallback' | 'canonicalProvider' | 'refreshKey'): (error: unknown) => void {
  let told = false;
  return (error) => {
    if (told) return;
    told = true;
    emitter.contain(origin, error);
  };
}
