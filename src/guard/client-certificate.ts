import type { GuardedRequest, GuardedSocket } from './request.js';

/** Who a client's certificate says it is. */
export interface ClientCertificate {
  /** Its common name; undefined if it has none, or more than one, or one that cannot be printed on a line. */
  readonly subject: string | undefined;
}

/** What is read of a certificate, whatever its type says. */
interface ReadCertificate {
  readonly subject?: { readonly CN?: unknown } | null;
  readonly valid_to?: unknown;
}

/** The certificate that a client has proved to hold and that chains to the server's `ca`; undefined without one, and if that cannot be told. */
export function clientCertificateOf(request: GuardedRequest): ClientCertificate | undefined {
  try {
    const { socket } = request;
    if (!hasProved(socket)) return undefined;
    // A client without a certificate is `authorized` too once it resumes its TLS 1.3 session: only the certificate itself tells them apart.
    const certificate: ReadCertificate | null | undefined = socket.getPeerCertificate?.();
    if (typeof certificate !== 'object' || certificate === null || Object.keys(certificate).length === 0) return undefined;
    return isStillValid(certificate) ? { subject: commonName(certificate) } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * TLS 1.2 renegotiates: whoever holds one certificate can then show another, which Node gives out while `authorized` still speaks of the first, or
 * before anybody has proved to hold it. TLS 1.3 has no renegotiation (RFC 8446, section 4.1.2).
 */
function hasProved(socket: GuardedSocket | null | undefined): socket is GuardedSocket {
  if (socket?.encrypted !== true || socket.authorized !== true || (socket.authorizationError ?? null) !== null) return false;
  return socket.getProtocol?.() === 'TLSv1.3';
}

/** A session that is resumed does not ask again: it may be older than the end of its certificate. */
function isStillValid({ valid_to: end }: ReadCertificate): boolean {
  return typeof end === 'string' && Date.parse(end) >= Date.now();
}

function commonName(certificate: ReadCertificate): string | undefined {
  const name = certificate.subject?.CN;
  // Nothing is taken out of a name: what is left might be somebody else's.
  return typeof name === 'string' && name !== '' && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(name) ? name : undefined;
}
