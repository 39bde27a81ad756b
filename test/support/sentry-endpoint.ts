import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

/** The parts of an event that tests look at. */
export interface SentEvent {
  readonly event_id: string;
  readonly type?: string;
  readonly message?: string;
  readonly level?: string;
  readonly fingerprint?: readonly string[];
  readonly tags?: Record<string, string>;
  readonly extra?: Record<string, unknown>;
  readonly user?: Record<string, unknown>;
  readonly contexts?: Record<string, Record<string, unknown>>;
  readonly exception?: { readonly values: readonly { type?: string; value?: string; stacktrace?: unknown }[] };
  readonly breadcrumbs?: readonly { category?: string; message?: string; level?: string; data?: Record<string, unknown> }[];
  readonly request?: { url?: string; headers?: Record<string, string>; cookies?: unknown; query_string?: unknown; data?: unknown };
  readonly transaction?: string;
  readonly spans?: readonly { description?: string; data?: Record<string, unknown> }[];
}

interface EnvelopeItem {
  readonly type: string;
  readonly payload: unknown;
}

export interface SentryEndpoint {
  readonly dsn: string;
  /** In the order of their arrival. */
  readonly items: readonly EnvelopeItem[];
  /** Each body as it came, decompressed. */
  readonly bodies: readonly string[];
  /** The events of type `error`, which have no `type`. */
  errors(): SentEvent[];
  transactions(): SentEvent[];
  /** What client reports say was dropped: quantities by `reason:category`. */
  discarded(): Record<string, number>;
  clear(): void;
  close(): Promise<void>;
}

/** Takes in what a Sentry SDK sends, on a free port of the loopback interface. A request for another path makes `close` throw. */
export async function sentryEndpoint(): Promise<SentryEndpoint> {
  const items: EnvelopeItem[] = [];
  const bodies: string[] = [];
  const unexpected: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const path = (request.url ?? '').split('?')[0];
      if (request.method !== 'POST' || path !== '/api/42/envelope/') {
        unexpected.push(`${request.method} ${path}`);
        response.writeHead(404).end();
        return;
      }
      const sent = Buffer.concat(chunks);
      const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
      bodies.push(body.toString());
      items.push(...parseEnvelope(body));
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const eventsOf = (type: string): SentEvent[] => items.filter((item) => item.type === type).map((item) => item.payload as SentEvent);
  return {
    dsn: `http://pub@127.0.0.1:${(server.address() as AddressInfo).port}/42`,
    items,
    bodies,
    errors: () => eventsOf('event'),
    // An SDK in the same process traces this server as well.
    transactions: () => eventsOf('transaction').filter(({ transaction }) => !transaction?.includes('/api/42/')),
    discarded() {
      const sums: Record<string, number> = {};
      for (const { type, payload } of items) {
        if (type !== 'client_report') continue;
        for (const { reason, category, quantity } of (payload as ClientReport).discarded_events)
          sums[`${reason}:${category}`] = (sums[`${reason}:${category}`] ?? 0) + quantity;
      }
      return sums;
    },
    clear() {
      items.length = 0;
      bodies.length = 0;
    },
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      if (unexpected.length > 0) throw new Error(`unexpected requests: ${unexpected.join(', ')}`);
    },
  };
}

interface ClientReport {
  readonly discarded_events: readonly { reason: string; category: string; quantity: number }[];
}

const NEWLINE = 0x0a;

/** A line of headers, then for each item a line of headers and its payload, which is `length` bytes long or ends with the line. */
function parseEnvelope(body: Buffer): EnvelopeItem[] {
  let position = 0;
  const line = (): string => {
    const end = body.indexOf(NEWLINE, position);
    const stop = end === -1 ? body.length : end;
    const text = body.toString('utf8', position, stop);
    position = stop + 1;
    return text;
  };

  line();
  const items: EnvelopeItem[] = [];
  while (position < body.length) {
    const header = line();
    if (header === '') continue;
    const { type, length } = JSON.parse(header) as { type: string; length?: number };
    let payload: string;
    if (length === undefined) payload = line();
    else {
      payload = body.toString('utf8', position, position + length);
      position += length + 1;
    }
    items.push({ type, payload: parsed(payload) });
  }
  return items;
}

/** Attachments are not JSON. */
function parsed(payload: string): unknown {
  try {
    return JSON.parse(payload);
  } catch {
    return payload;
  }
}
