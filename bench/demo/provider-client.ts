import { Agent, type IncomingHttpHeaders, request } from 'node:http';

/** An answer of the upstream, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface ProviderClient {
  /** One piece of background work for a user, done with whatever credential `headers` carry. */
  work(user: string, headers: Record<string, string>): Promise<Answer>;
  close(): void;
}

/** Every policy calls the upstream through the same client; none of them gets a retry or a check from it. */
export function providerClient(port: number): ProviderClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  return {
    work: (user, headers) =>
      new Promise((resolve, reject) => {
        const sent = request({ host: '127.0.0.1', port, method: 'POST', path: `/v1/work/${user}`, agent, headers }, (response) => {
          let body = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => {
            body += chunk;
          });
          response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
          response.on('error', reject);
        });
        sent.on('error', reject);
        sent.end();
      }),
    close: () => agent.destroy(),
  };
}
