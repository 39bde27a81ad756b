export { type Answer, type AnswerTarget, sendAnswer, toResponse } from './answer.js';
export { requiresAuth, requireVerifier } from './bind-host.js';
export type { CookieHeader, CookiePlace } from './cookie-variants.js';
export { type SessionCookieOptions, type SessionCookies, sessionCookies } from './cookies.js';
export { type CredentialAnswerOptions, credentialAnswer } from './credential-answer.js';
export type { HeaderCollection, HeaderSource } from './header-fields.js';
export { type LoginState, type LoginStateOptions, loginState } from './login-state.js';
export { type LoginUrlOptions, loginUrl } from './login-url.js';
export type { RefreshedTokens } from './refresh-flights.js';
export type { GatewayRequest, RequestHeaders } from './request.js';
export { type SafeNextOptions, safeNext } from './safe-next.js';
export {
  type AuthenticateOptions,
  type Authentication,
  createSessionGate,
  type SessionGate,
  type SessionGateOptions,
} from './session-gate.js';
export { tagResponse } from './tag-response.js';
export { forwardedPrefix, forwardedProto, type PeerOptions, type TrustedProxies, trustedProxies } from './trusted-proxies.js';
export {
  REAUTH_REQUIRED,
  type TagOptions,
  tagHeaders,
  tagTrailers,
  UPSTREAM_AUTH_FAILED,
  type UpstreamAuthFailure,
} from './upstream-tag.js';
