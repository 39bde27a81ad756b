import { Agent as HttpAgent, type IncomingMessage, request as requestHttp, type ServerResponse } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { pipeline } from 'node:stream';
import type { UnauthorizedMonitor } from 'latchkey/proxy';
import { endToEnd, pairsOf } from './hop-by-hop.js';

export interface ProxyOptions {
  readonly monitor: UnauthorizedMonitor<IncomingMessage>;
  /** The upstream's answer to a request has arrived. */
  readonly onAnswer: (request: IncomingMessage, status: number) => void;
}

export interface Proxy {
  /** Sends the request on to `target`, and the answer back: headers, body and trailers as they are, streamed both ways. */
  forward(request: IncomingMessage, response: ServerResponse, target: URL): void;
  close(): void;
}

/**
 * What stays here. `Expect` has been answered by this server; the cookies of a browser are the operator's session, and no concern of a
 * provider's; `Host` is the upstream's.
 */
const OWN_HEADERS = ['host', 'expect', 'cookie', 'x-session-id'];
const UNREACHABLE = JSON.stringify({ error: { type: 'upstream_failed', message: 'The upstream gave no answer.' } });

export function createProxy({ monitor, onAnswer }: ProxyOptions): Proxy {
  const agents = { http: new HttpAgent({ keepAlive: true }), https: new HttpsAgent({ keepAlive: true }) };

  return {
    forward(request, response, target) {
      // On arrival: that is what orders the credentials that clients present.
      const exchange = monitor.open(request);
      const secure = target.protocol === 'https:';
      const outgoing = (secure ? requestHttps : requestHttp)(target, {
        method: request.method,
        headers: ['host', target.host, ...endToEnd(request.rawHeaders, OWN_HEADERS), ...framing(request)],
        agent: secure ? agents.https : agents.http,
      });

      let answered = false;
      outgoing.once('response', (answer) => {
        answered = true;
        exchange.answered(answer);
        try {
          response.writeHead(answer.statusCode ?? 0, answer.statusMessage, endToEnd(answer.rawHeaders));
        } catch {
          // A status that is none, such as 099.
          answer.destroy();
          response.writeHead(502, { 'content-type': 'application/json' }).end(UNREACHABLE);
          return;
        }
        onAnswer(request, answer.statusCode ?? 0);
        // At once, so that the client of a slow stream knows that it has begun.
        response.flushHeaders();
        answer.once('end', () => response.addTrailers(pairsOf(answer.rawTrailers)));
        // An answer that breaks off breaks off for the client too.
        pipeline(answer, response, () => {});
      });
      outgoing.once('error', (error) => {
        if (answered) return;
        exchange.failed(error);
        if (response.destroyed) return;
        response.writeHead(502, { 'content-type': 'application/json' }).end(UNREACHABLE);
      });
      // The client has gone: nobody will read the answer.
      response.once('close', () => {
        if (!response.writableFinished) outgoing.destroy();
      });

      request.once('end', () => {
        if (!outgoing.destroyed) outgoing.addTrailers(pairsOf(request.rawTrailers));
      });
      // Not `pipeline`: it would close the client's connection when the upstream answers before it has read everything.
      request.pipe(outgoing);
    },
    close() {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

/** How the body is delimited on the next connection; a length is passed on with the other headers (RFC 9112, section 6). */
function framing({ headers, method }: IncomingMessage): string[] {
  if (headers['transfer-encoding'] !== undefined) return ['transfer-encoding', 'chunked'];
  if (headers['content-length'] !== undefined || method === 'GET' || method === 'HEAD') return [];
  return ['content-length', '0'];
}
