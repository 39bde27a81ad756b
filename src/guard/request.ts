import type { RequestHeaders } from '../signals/request.js';

/** What is used of a TLS connection: Node's `TLSSocket`, or any other socket, which proves nothing. */
export interface GuardedSocket {
  readonly remoteAddress?: string | undefined;
  readonly encrypted?: boolean | undefined;
  readonly authorized?: boolean | undefined;
  readonly authorizationError?: unknown;
  getProtocol?(): string | null;
  getPeerCertificate?(): object;
}

/** What is read of a request: Node's `IncomingMessage`, that of Express or Fastify, or a `Request`, which has no socket. */
export interface GuardedRequest {
  readonly headers: RequestHeaders;
  /** Node's: the only place where a header that was sent twice can be seen. */
  readonly rawHeaders?: readonly string[] | undefined;
  readonly url?: string | undefined;
  readonly originalUrl?: string | undefined;
  readonly method?: string | undefined;
  readonly socket?: GuardedSocket | null | undefined;
}
