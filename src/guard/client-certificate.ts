import type { GuardedRequest } from './request.js';

/** Who a client's certificate says it is. */
export interface ClientCertificate {
  /** Its common name; undefined if it has none, or more than one, or one that cannot be printed on a line. */
  readonly subject: string | undefined;
}

/** The certificate that a client has proved to hold and that chains to the server's `ca`; undefined without one, and if that cannot be told. */
export function clientCertificateOf(request: GuardedRequest): ClientCertificate | undefined {
  try {
    const { socket } = request;
    if (socket?.encrypted !== true || socket.authorized !== true) return undefined;
    // A client without a certificate is `authorized` too once it resumes its TLS 1.3 session: only the certificate itself tells them apart.
    const certificate = socket.getPeerCertificate?.();
    if (typeof certificate !== 'object' || certificate === null || Object.keys(certificate).length === 0) return undefined;
    return { subject: commonName(certificate) };
  } catch {
    return undefined;
  }
}

function commonName(certificate: { readonly subject?: { readonly CN?: unknown } | null }): string | undefined {
  const name = certificate.subject?.CN;
  // Nothing is taken out of a name: what is left might be somebody else's.
  return typeof name === 'string' && name !== '' && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(name) ? name : undefined;
}
