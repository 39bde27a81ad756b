import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createGuard } from '../../src/guard/guard.js';
import { bearer, createLatchkey, type Latchkey, type LatchkeyOptions, type Scope } from '../../src/index.js';
import { createOperator, type Operator } from '../../src/operator/operator.js';
import { statusError } from '../support/attempts.js';

export const TOKEN = 'token-of-the-control-plane-5f0c';

/** A gateway that serves its operators' page, and clients and upstreams that do as they are told. */
export interface PageServer {
  readonly latchkey: Latchkey;
  readonly url: string;
  readonly audited: { readonly event: string; readonly fields: object | undefined }[];
  /** A client presents a credential; a call with it is answered with `status`. Returns the credential's fingerprint. */
  play(scope: Scope, value: string, status?: number): Promise<string>;
  /** The gateway is gone; `return` brings it back to the same address. */
  leave(): Promise<void>;
  return(): Promise<void>;
  close(): Promise<void>;
}

export async function servePage(options: LatchkeyOptions = {}): Promise<PageServer> {
  const latchkey = createLatchkey({ canary: 'off', ...options });
  const audited: PageServer['audited'] = [];
  const guard = createGuard({ token: bearer(TOKEN) });
  let operator: Operator;
  let server: Server | undefined;

  const listen = async (port: number): Promise<void> => {
    operator = createOperator(latchkey, {
      guard,
      audit: { record: (event, fields) => audited.push({ event, fields }) > 0 },
      basePath: '/gateway/operator',
    });
    server = createServer(operator.handle);
    await new Promise<void>((resolve) => server?.listen(port, '127.0.0.1', resolve));
  };
  const leave = async (): Promise<void> => {
    operator.close();
    server?.closeAllConnections();
    await new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
    server = undefined;
  };

  await listen(0);
  const { port } = (server as unknown as Server).address() as AddressInfo;
  return {
    latchkey,
    url: `http://127.0.0.1:${port}/gateway/operator/`,
    audited,
    async play(scope, value, status) {
      const credential = bearer(value);
      latchkey.capture(scope, credential);
      const attempt = (): string => {
        if (status !== undefined && status >= 300) throw statusError(status, status === 429 ? { 'retry-after': '600' } : {});
        return 'ok';
      };
      if (status !== undefined) await latchkey.run(scope, attempt).catch(() => {});
      return credential.fingerprint;
    },
    leave,
    return: () => listen(port),
    async close() {
      await leave();
      await latchkey.close();
    },
  };
}
