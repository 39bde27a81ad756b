import type { ScopeParts } from '../errors.js';
import type { Classification } from './classification.js';
import { type Outcome, parsedBody } from './outcome.js';
import { DEFAULT_HOLD_MS, retryAfter } from './retry-after.js';

type Body = Readonly<Record<string, unknown>>;
type Rule = (body: Body, outcome: Outcome, now: number) => Classification | undefined;

const REJECTED: Classification = { kind: 'rejected', reach: 'identity' };
const REJECTED_FOR_SCOPE: Classification = { kind: 'rejected', reach: 'scope' };
const DENIED: Classification = { kind: 'denied' };

/** One family of error bodies each; a gateway's label for a provider picks one, any other label (or none) leaves it to the body's shape. */
const FAMILIES: Readonly<Record<string, Rule>> = { anthropic, openai, google };

/** What the body of a provider's error says about the credential, or undefined. Decides by machine-readable codes, never by messages. */
export function providerRule(outcome: Outcome, scope: ScopeParts, now: number): Classification | undefined {
  if (outcome.status !== undefined && (outcome.status < 400 || outcome.status >= 500)) return undefined;
  try {
    return rule(outcome, scope, now);
  } catch {
    // A foreign object that throws when it is read says nothing.
    return undefined;
  }
}

function rule(outcome: Outcome, scope: ScopeParts, now: number): Classification | undefined {
  const body = asBody(parsedBody(outcome.body));
  if (body === undefined) return undefined;
  const labelled = scope.provider !== undefined && Object.hasOwn(FAMILIES, scope.provider) ? FAMILIES[scope.provider] : undefined;
  if (labelled !== undefined) return labelled(body, outcome, now);
  for (const family of Object.values(FAMILIES)) {
    const classification = family(body, outcome, now);
    if (classification !== undefined) return classification;
  }
  return undefined;
}

/**
 * `{ type: 'error', error: { type, message } }`, also as an event inside a stream, where there is no status.
 * https://docs.anthropic.com/en/api/errors
 */
function anthropic(body: Body, outcome: Outcome, now: number): Classification | undefined {
  if (body['type'] !== 'error') return undefined;
  switch (asBody(body['error'])?.['type']) {
    case 'authentication_error':
      return REJECTED;
    case 'permission_error':
      // A revoked OAuth token answers 403 permission_error; an API key that gets it is alive and not allowed to do this.
      return outcome.scheme === 'bearer' ? REJECTED_FOR_SCOPE : DENIED;
    case 'billing_error':
      return held(outcome, now, 'billing_error');
    case 'rate_limit_error':
    case 'api_error':
    case 'overloaded_error':
    case 'timeout_error':
      return outcome.status === undefined ? { kind: 'transient' } : undefined;
    default:
      return undefined;
  }
}

/**
 * `{ error: { message, type, param, code } }`; the SDK hands over the inner object.
 * https://platform.openai.com/docs/guides/error-codes
 */
function openai(body: Body, outcome: Outcome, now: number): Classification | undefined {
  const error = asBody(body['error']) ?? body;
  switch (error['code']) {
    case 'invalid_api_key':
    case 'account_deactivated':
      return REJECTED;
    case 'insufficient_quota':
    case 'billing_hard_limit_reached':
      // A 429 that waiting does not cure.
      return held(outcome, now, String(error['code']));
    case 'missing_scope':
    case 'model_not_found':
    case 'unsupported_country_region_territory':
      return outcome.status === 401 || outcome.status === 403 ? DENIED : undefined;
    default:
      return undefined;
  }
}

/** Reasons of `google.rpc.ErrorInfo` that speak of the credential or its project: the credential is no good for anybody. */
const GOOGLE_REJECTED = new Set([
  'API_KEY_INVALID',
  'API_KEY_EXPIRED',
  'CONSUMER_INVALID',
  'CONSUMER_SUSPENDED',
  'ACCESS_TOKEN_EXPIRED',
  'ACCOUNT_STATE_INVALID',
]);
/** Reasons that speak of this request: an API, a model, a place or a permission that the credential does not cover. */
const GOOGLE_DENIED = new Set([
  'ACCESS_TOKEN_SCOPE_INSUFFICIENT',
  'API_KEY_ANDROID_APP_BLOCKED',
  'API_KEY_HTTP_REFERRER_BLOCKED',
  'API_KEY_IOS_APP_BLOCKED',
  'API_KEY_IP_ADDRESS_BLOCKED',
  'API_KEY_SERVICE_BLOCKED',
  'IAM_PERMISSION_DENIED',
  'LOCATION_POLICY_VIOLATED',
  'ORG_RESTRICTION_VIOLATION',
  'SECURITY_POLICY_VIOLATED',
  'SERVICE_DISABLED',
  'USER_PROJECT_DENIED',
]);

/**
 * `{ error: { code, status, details: [{ '@type': '…ErrorInfo', reason }] } }`: a dead API key is a 400 there.
 * https://cloud.google.com/apis/design/errors
 */
function google(body: Body, outcome: Outcome, now: number): Classification | undefined {
  const details = (asBody(body['error']) ?? body)['details'];
  if (!Array.isArray(details)) return undefined;
  for (const detail of details) {
    const reason = asBody(detail)?.['reason'];
    if (typeof reason !== 'string') continue;
    if (GOOGLE_REJECTED.has(reason)) return REJECTED;
    if (GOOGLE_DENIED.has(reason)) return DENIED;
    if (reason === 'BILLING_DISABLED') return held(outcome, now, reason);
  }
  return undefined;
}

function held(outcome: Outcome, now: number, reason: string): Classification {
  return { kind: 'held', ms: retryAfter(outcome, now) ?? DEFAULT_HOLD_MS, reason };
}

/** Google's streaming answers wrap the error in an array. */
function asBody(value: unknown): Body | undefined {
  const body: unknown = Array.isArray(value) ? value[0] : value;
  return typeof body === 'object' && body !== null && !Array.isArray(body) ? (body as Body) : undefined;
}
