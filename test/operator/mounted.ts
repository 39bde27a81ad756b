import { createServer, type IncomingHttpHeaders, request } from 'node:http';
import { createServer as createTlsServer, type ServerOptions, request as tlsRequest } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { bearer } from '../../src/credential/credential.js';
import { createGuard } from '../../src/guard/guard.js';
import { signInWith } from '../../src/guard/sign-in.js';
import { createLatchkey, type Latchkey, type LatchkeyOptions } from '../../src/index.js';
import { createOperator, type Operator } from '../../src/operator/operator.js';
import type { OperatorOptions } from '../../src/operator/options.js';

export const TOKEN = 'operators-very-secret-token-0123456789';
/** The name of the cookie of whoever has signed in with that token. */
export const COOKIE = `latchkey_operator_${signInWith(bearer(TOKEN)).sign('cookie name').slice(0, 8)}`;
export const AUTHORIZED = { authorization: `Bearer ${TOKEN}` };

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Asking {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Buffer;
  /** Of a client that holds a certificate. */
  readonly tls?: { readonly ca: string; readonly key?: string; readonly cert?: string };
}

/** Sends a request whose path goes out as it is written here. */
export function ask(port: number, path: string, { method = 'GET', headers = {}, body, tls }: Asking = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const to = { host: '127.0.0.1', port, path, method, headers, agent: false };
    const asking = tls === undefined ? request(to) : tlsRequest({ ...to, ...tls });
    asking.on('response', (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks).toString() }));
    });
    asking.on('error', reject);
    asking.end(body);
  });
}

export function postJson(value: unknown, headers: Asking['headers'] = AUTHORIZED): Asking {
  return { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(value) };
}

export function postForm(form: string, headers: Asking['headers'] = {}): Asking {
  return { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers }, body: form };
}

export async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

interface AuditLine {
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface Made {
  readonly latchkey: Latchkey;
  readonly operator: Operator;
  readonly audit: AuditLine[];
  readonly errors: unknown[];
}

/** An operator's handler, guarded by `TOKEN` unless it is told otherwise, and what it recorded. */
export function makeOperator(options: Partial<OperatorOptions> = {}, latchkey: Latchkey | LatchkeyOptions = {}): Made {
  const own = 'snapshot' in latchkey ? latchkey : createLatchkey(latchkey);
  const audit: AuditLine[] = [];
  const errors: unknown[] = [];
  const operator = createOperator(own, {
    ...(options.authorize === undefined ? { guard: createGuard({ token: bearer(TOKEN) }) } : {}),
    audit: { record: (event, fields) => audit.push({ event, fields: { ...fields } }) > 0 },
    onError: (error) => errors.push(error),
    ...options,
  });
  return { latchkey: own, operator, audit, errors };
}

export interface Served extends Made {
  readonly port: number;
  ask(path: string, asking?: Asking): Promise<Reply>;
  close(): Promise<void>;
}

/** The same behind a real server: `node:http`, or `node:https` given its certificate. */
export async function serveOperator(made: Made, tls?: ServerOptions): Promise<Served> {
  const listener = made.operator.handle;
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  const port = await listening(server);
  return {
    ...made,
    port,
    ask: (path, asking) => ask(port, path, asking),
    async close() {
      made.operator.close();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await made.latchkey.close();
    },
  };
}

/** As large as a scope's names can be in JSON: six bytes a character. */
const LARGE = '\u0001'.repeat(1_000);

/** Something happens that takes about 18 kB to tell. */
export function captureLarge(latchkey: Latchkey, number: number): void {
  latchkey.capture({ tenant: LARGE, session: `${LARGE}${number % 5}`, provider: LARGE }, bearer(`value-${number}`));
}
