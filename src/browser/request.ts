import { parseUrl } from './url.js';
import type { Addressed } from './window.js';

/** What is known of a request before it is sent. */
export interface DescribedRequest {
  readonly method: string;
  /** Absolute, query included; empty if there is no such address. */
  readonly url: string;
  readonly pathname: string;
}

interface RequestLike {
  readonly url: string;
  readonly method: string;
}

/** By its shape: a `Request` of another frame is no instance of this one's, and fetch takes it all the same. */
export function isRequest(input: unknown): input is RequestLike {
  if (typeof input !== 'object' || input === null) return false;
  const { url, method } = input as Partial<RequestLike>;
  return typeof url === 'string' && typeof method === 'string';
}

/** Parsed when the call is made: the page may have moved on when the answer comes. */
export function describeRequest(window: Addressed, input: unknown, init?: RequestInit): DescribedRequest {
  const request = isRequest(input) ? input : undefined;
  const method = String(init?.method ?? request?.method ?? 'GET').toUpperCase();
  const { href = '', pathname = '' } = parseUrl(request?.url ?? String(input), window.document?.baseURI ?? window.location.href) ?? {};
  return { method, url: href, pathname };
}
