export { type SafeNextOptions, safeNext } from '../signals/safe-next.js';
export { createFetchJson, type FetchJson, type FetchJsonOptions } from './fetch-json.js';
export { HttpError } from './http-error.js';
export { type AuthWatchOptions, installAuthWatch } from './install.js';
export type { DescribedRequest } from './request.js';
export { type TakeReturnToOptions, takeReturnTo } from './return-to.js';
export type { TaggedResponse } from './tag.js';
export { UpstreamAuthError, upstreamAuthError } from './upstream-auth-error.js';
export {
  AUTHENTICATION_REQUIRED,
  type AuthenticationRequired,
  type WatchFetchOptions,
  type WatchOptions,
  watchFetch,
} from './watch-fetch.js';
export type { AuthWatchWindow, EventWindow, Fetch, FetchJsonWindow, ReturnToWindow } from './window.js';
