import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

export interface SentryEndpoint {
  readonly dsn: string;
  /** `event` items received so far. */
  readonly events: number;
  close(): Promise<void>;
}

/** Takes envelopes on the loopback interface as Sentry does, and counts the events in them. */
export async function startSentryEndpoint(): Promise<SentryEndpoint> {
  let events = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const sent = Buffer.concat(chunks);
      const envelope = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
      events += itemTypes(envelope).filter((type) => type === 'event').length;
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    dsn: `http://public@127.0.0.1:${(server.address() as AddressInfo).port}/42`,
    get events() {
      return events;
    },
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

const NEWLINE = 10;

/** An envelope is a header line, then for each item a header line and a payload, of the length that the header states or to the line's end. */
export function itemTypes(envelope: Buffer): string[] {
  const types: string[] = [];
  let at = endOfLine(envelope, 0) + 1;
  while (at < envelope.length) {
    const end = endOfLine(envelope, at);
    const line = envelope.toString('utf8', at, end);
    at = end + 1;
    if (line === '') continue;
    const { type, length } = JSON.parse(line) as { type: string; length?: number };
    types.push(type);
    at = (length === undefined ? endOfLine(envelope, at) : at + length) + 1;
  }
  return types;
}

function endOfLine(bytes: Buffer, from: number): number {
  const found = bytes.indexOf(NEWLINE, from);
  return found === -1 ? bytes.length : found;
}
