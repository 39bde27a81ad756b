import { connect as connectHttp2, createSecureServer } from 'node:http2';
import { createServer, request as httpsRequest } from 'node:https';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import { type ConnectionOptions, connect, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { bearer } from '../../src/credential/credential.js';
import { clientCertificateOf } from '../../src/guard/client-certificate.js';
import { createGuard, type Guard } from '../../src/guard/guard.js';
import type { GuardedRequest } from '../../src/guard/request.js';
import { type Authority, createAuthority, type IssuedCertificate, selfSigned } from '../support/certificates.js';
import { type Listening, listening } from './raw-http.js';

const SECRET = 'tok-9f8e7d6c5b4a39281706f5e4d3c2b1a0';
const guard = createGuard({ token: bearer(SECRET), clientCertificates: true });

interface Reply {
  readonly status: number;
  readonly body: { by?: string; subject?: string; error?: string; authorized: boolean; resumed: boolean };
  readonly session: Buffer | undefined;
}

let authority: Authority;
let certificates: Record<'server' | 'client' | 'expired' | 'own' | 'stranger', IssuedCertificate>;
let server: Listening;

beforeAll(async () => {
  authority = await createAuthority();
  const [ownServer, client, expired, own, other] = await Promise.all([
    authority.issue('localhost'),
    authority.issue('worker-7'),
    authority.issue('worker-7', { expired: true }),
    selfSigned('worker-7'),
    createAuthority(),
  ]);
  certificates = { server: ownServer, client, expired, own, stranger: await other.issue('worker-7') };
  server = await serving(guard);
});
afterAll(() => server.close());

async function serving(guarding: Guard): Promise<Listening> {
  const options = { ...certificates.server, ca: authority.cert, requestCert: true, rejectUnauthorized: false };
  const secure = createServer(options, (request, response) => {
    const socket = request.socket as TLSSocket;
    const authenticated = guarding.authenticateRequest(request);
    response.writeHead(authenticated.ok ? 200 : authenticated.answer.status);
    const told = authenticated.ok ? authenticated : JSON.parse(authenticated.answer.body);
    response.end(JSON.stringify({ ...told, authorized: socket.authorized, resumed: socket.isSessionReused() }));
  });
  return listening(() => {}, secure as never);
}

/** One request on a connection of its own; `session`: a ticket for resuming it. */
function ask(options: { as?: IssuedCertificate; token?: string; session?: Buffer; maxVersion?: 'TLSv1.2' } = {}): Promise<Reply> {
  const { as, token, session, maxVersion } = options;
  const tls: ConnectionOptions = { ca: authority.cert, ...as, ...(session && { session }), ...(maxVersion && { maxVersion }) };
  return new Promise((resolve, reject) => {
    let ticket: Buffer | undefined;
    const asking = httpsRequest(
      {
        ...tls,
        host: '127.0.0.1',
        port: server.port,
        path: '/v1',
        agent: false,
        headers: token ? { Authorization: `Bearer ${token}` } : {},
      },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()), session: ticket }),
        );
      },
    );
    asking.on('socket', (socket) => socket.on('session', (made: Buffer) => (ticket = made)));
    asking.on('error', reject);
    asking.end();
  });
}

/** The same client again, on a session that it resumes. */
async function resumed(as?: IssuedCertificate, maxVersion?: 'TLSv1.2'): Promise<Reply> {
  const settings = { ...(as && { as }), ...(maxVersion && { maxVersion }) };
  const first = await ask(settings);
  expect(first.body.resumed).toBe(false);
  const again = await ask({ ...settings, session: first.session as Buffer });
  expect(again.body.resumed).toBe(true);
  return again;
}

describe('a client certificate on real TLS', () => {
  it('of the CA lets in without a token', async () => {
    expect(await ask({ as: certificates.client })).toMatchObject({ status: 200, body: { by: 'certificate', subject: 'worker-7' } });
  });

  it.each(['own', 'stranger', 'expired'] as const)('that does not chain to the CA, or no longer, does not let in: %s', async (name) => {
    expect(await ask({ as: certificates[name] })).toMatchObject({ status: 401, body: { error: 'unauthorized' } });
  });

  it('that is not there does not let in', async () => {
    expect(await ask()).toMatchObject({ status: 401, body: { error: 'unauthorized' } });
  });

  it.each(['client', 'own', 'stranger', 'expired', undefined] as const)('does not matter to a caller with the token: %s', async (name) => {
    const as = name && certificates[name];
    expect((await ask({ ...(as && { as }), token: SECRET })).status).toBe(200);
  });

  it('a client without a certificate that resumes its TLS 1.3 session is not let in, though older Nodes call it `authorized`', async () => {
    const again = await resumed();
    // What Node says of it. The guard looks at the certificate, which is empty.
    expect(again.body.authorized).toBe(Number.parseInt(process.versions.node, 10) < 24);
    expect(again.status).toBe(401);
  });

  it.each(['own', 'stranger', 'expired'] as const)('a session that is resumed makes no certificate better: %s', async (name) => {
    expect((await resumed(certificates[name])).status).toBe(401);
  });

  it('a session that is resumed keeps the certificate of its holder', async () => {
    expect(await resumed(certificates.client)).toMatchObject({ status: 200, body: { by: 'certificate', subject: 'worker-7' } });
  });

  it('TLS 1.2 with a CA-signed certificate is not let in by it, and is with the token', async () => {
    const as = certificates.client;
    const maxVersion = 'TLSv1.2';
    const byCertificate = await ask({ as, maxVersion });
    // What Node says of it, also after a renegotiation with another certificate.
    expect(byCertificate.body.authorized).toBe(true);
    expect(byCertificate.status).toBe(401);
    expect(await ask({ as, maxVersion, token: SECRET })).toMatchObject({ status: 200, body: { by: 'bearer' } });
    for (const other of [undefined, certificates.own, as]) expect((await resumed(other, maxVersion)).status).toBe(401);
  });

  it('a session that is resumed after the end of its certificate does not let in', async () => {
    const first = await ask({ as: certificates.client });
    expect(first.status).toBe(200);
    const later = Date.now() + 2 * 366 * 86_400_000;
    vi.spyOn(Date, 'now').mockReturnValue(later);
    const again = await ask({ as: certificates.client, session: first.session as Buffer });
    expect(again).toMatchObject({ status: 401, body: { authorized: true, resumed: true } });
  });

  it('does not let in where certificates are not asked for', async () => {
    const before = server;
    server = await serving(createGuard({ token: bearer(SECRET) }));
    try {
      expect((await ask({ as: certificates.client })).status).toBe(401);
    } finally {
      await server.close();
      server = before;
    }
  });

  it('cleartext to the TLS port leaves the server up', async () => {
    await new Promise<void>((resolve) => {
      const socket = connectTcp(server.port, '127.0.0.1', () => socket.end('GET /v1 HTTP/1.1\r\nHost: x\r\n\r\n'));
      socket.on('error', () => {});
      socket.on('close', () => resolve());
      socket.resume();
    });
    expect((await ask({ as: certificates.client })).status).toBe(200);
  });

  it('lets in over HTTP/2 too, and nobody without one', async () => {
    const options = { ...certificates.server, ca: authority.cert, requestCert: true, rejectUnauthorized: false };
    const secure = createSecureServer(options, (request, response) => {
      response.statusCode = guard.authenticateRequest(request).ok ? 200 : 401;
      response.end();
    });
    await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve));
    const statusFor = (as: IssuedCertificate | undefined, headers: Record<string, string> = {}): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const session = connectHttp2(`https://127.0.0.1:${(secure.address() as AddressInfo).port}`, { ca: authority.cert, ...as });
        session.on('error', reject);
        const stream = session.request({ ':path': '/v1', ...headers });
        stream.on('response', (answer) => {
          resolve(answer[':status']);
          session.close();
        });
        stream.resume();
      });
    try {
      expect(await statusFor(certificates.client)).toBe(200);
      expect(await statusFor(certificates.own)).toBe(401);
      expect(await statusFor(undefined)).toBe(401);
      expect(await statusFor(undefined, { authorization: `Bearer ${SECRET}` })).toBe(200);
    } finally {
      await new Promise<void>((resolve) => secure.close(() => resolve()));
    }
  });

  it('is read from the real socket of a TLS server that speaks no HTTP', async () => {
    const seen: unknown[] = [];
    const options = { ...certificates.server, ca: authority.cert, requestCert: true, rejectUnauthorized: false };
    const plain = createTlsServer(options, (socket) => {
      seen.push(clientCertificateOf({ headers: {}, socket }));
      socket.end();
    });
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
    try {
      for (const as of [certificates.client, certificates.own]) {
        await new Promise<void>((resolve, reject) => {
          const socket = connect({ host: '127.0.0.1', port: (plain.address() as AddressInfo).port, ca: authority.cert, ...as });
          socket.on('error', reject);
          socket.on('close', () => resolve());
          socket.resume();
        });
      }
    } finally {
      await new Promise<void>((resolve) => plain.close(() => resolve()));
    }
    expect(seen).toEqual([{ subject: 'worker-7' }, undefined]);
  });
});

describe('clientCertificateOf', () => {
  const certificate = { subject: { CN: 'worker-7' }, valid_to: 'Dec 31 23:59:59 2999 GMT' };
  const proved = {
    encrypted: true,
    authorized: true,
    authorizationError: null,
    getProtocol: () => 'TLSv1.3',
    getPeerCertificate: () => certificate,
  };
  const of = (socket: unknown): unknown => clientCertificateOf({ headers: {}, socket } as GuardedRequest);
  const throwing = (): never => {
    throw new Error('no');
  };

  it.each<[string, unknown]>([
    ['no socket', undefined],
    ['null', null],
    ['cleartext', { ...proved, encrypted: false }],
    ['cleartext, unsaid', { ...proved, encrypted: undefined }],
    ['not authorized', { ...proved, authorized: false }],
    ['something like authorized', { ...proved, authorized: 'true' }],
    ['authorized, with an error', { ...proved, authorizationError: 'CERT_HAS_EXPIRED' }],
    ['authorized, with an error that is an Error', { ...proved, authorizationError: new Error('no') }],
    ['TLS 1.2', { ...proved, getProtocol: () => 'TLSv1.2' }],
    ['no protocol yet', { ...proved, getProtocol: () => null }],
    ['no way to see the protocol', { ...proved, getProtocol: undefined }],
    ['no end', { ...proved, getPeerCertificate: () => ({ ...certificate, valid_to: undefined }) }],
    ['an end that cannot be read', { ...proved, getPeerCertificate: () => ({ ...certificate, valid_to: 'Bad time value' }) }],
    ['an end that is past', { ...proved, getPeerCertificate: () => ({ ...certificate, valid_to: 'Jan  1 00:00:00 2020 GMT' }) }],
    ['no way to see the certificate', { ...proved, getPeerCertificate: undefined }],
    ['an empty certificate', { ...proved, getPeerCertificate: () => ({}) }],
    ['a certificate that is null', { ...proved, getPeerCertificate: () => null }],
    ['a socket that fails', { ...proved, getPeerCertificate: throwing }],
    ['a getter that throws', Object.defineProperty({ ...proved }, 'authorized', { get: throwing })],
  ])('is none: %s', (_, socket) => {
    expect(of(socket)).toBeUndefined();
  });

  it('is none if the request cannot be read', () => {
    expect(clientCertificateOf(undefined as never)).toBeUndefined();
  });

  it.each([undefined, '', ['a', 'b'], 'worker\n7', 'worker\u20287', 7])('has no name that cannot be told or printed: %j', (CN) => {
    expect(of({ ...proved, getPeerCertificate: () => ({ ...certificate, subject: { CN } }) })).toEqual({ subject: undefined });
    expect(of(proved)).toEqual({ subject: 'worker-7' });
    expect(of({ ...proved, authorizationError: undefined })).toEqual({ subject: 'worker-7' });
  });
});
