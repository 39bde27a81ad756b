import { headerOf } from '../signals/request.js';
import { forwardedProto } from '../signals/trusted-proxies.js';
import type { OperatorRequest } from './options.js';

/** A request's body: its bytes, or what a parser in front has made of them. */
export type Body = { readonly bytes: Uint8Array } | { readonly parsed: unknown };

/** A request, whichever server it came by. */
export interface Incoming {
  readonly request: OperatorRequest;
  readonly method: string;
  /** As it was sent: neither decoded nor normalised. */
  readonly target: string;
  /** Where Express has mounted the handler: taken off `target` already. */
  readonly mount: string;
  /** What the path and query were before that. */
  readonly wholeTarget: string;
  /** The host and port that the client has asked for. */
  readonly host: string | undefined;
  readonly isHttps: boolean;
  readonly peer: string | undefined;
  /** Rejects with a `Refused` if the body is longer than `most` bytes, or does not come. The signal says that nobody waits for it any more. */
  body(most: number, signal: AbortSignal): Promise<Body>;
}

/** What is told of a request by its headers and its connection alone. */
export function connectionOf(
  request: OperatorRequest,
  https: boolean | undefined,
): Pick<Incoming, 'request' | 'method' | 'host' | 'isHttps' | 'peer'> {
  return {
    request,
    method: request.method ?? '',
    // HTTP/2 has it as a pseudo-header (RFC 9113, section 8.3.1).
    host: headerOf(request.headers, 'host') ?? (isNodes(request) ? headerOf(request.headers, ':authority') : undefined),
    isHttps: https ?? forwardedProto(request, undefined) === 'https',
    peer: request.socket?.remoteAddress,
  };
}

/** `Headers` throws when it is asked for what is no field name. */
function isNodes({ headers }: OperatorRequest): boolean {
  return typeof headers['get'] !== 'function';
}
