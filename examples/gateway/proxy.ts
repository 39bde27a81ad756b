import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as requestHttp, type ServerResponse } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { pipeline } from 'node:stream';
import type { UnauthorizedMonitor } from 'latchkey/proxy';
import { sendJson } from './answers.js';
import { endToEnd, hasKnownFraming, trailersOf } from './hop-by-hop.js';
import { turnedAway } from './turned-away.js';

export interface ProxyOptions {
  readonly monitor: UnauthorizedMonitor<IncomingMessage>;
  /** The upstream's answer to a request that presented a credential has arrived, and goes back to the client. */
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

export function createProxy({ monitor, onAnswer }: ProxyOptions): Proxy {
  const agents = { http: new HttpAgent({ keepAlive: true }), https: new HttpsAgent({ keepAlive: true }) };

  function send(request: IncomingMessage, target: URL): ClientRequest {
    const secure = target.protocol === 'https:';
    const outgoing = (secure ? requestHttps : requestHttp)(target, {
      method: request.method,
      headers: ['host', target.host, ...endToEnd(request.rawHeaders, OWN_HEADERS), ...framing(request)],
      agent: secure ? agents.https : agents.http,
    });
    // As many as fit: with a limit Node drops the rest without a word.
    outgoing.maxHeadersCount = 0;
    return outgoing;
  }

  return {
    forward(request, response, target) {
      const refusal = turnedAway(request);
      if (refusal !== undefined) {
        request.resume();
        sendJson(response, refusal.status, { error: { type: 'request_refused', message: refusal.message } });
        return;
      }
      // On arrival: that is what orders the credentials that clients present.
      const exchange = monitor.open(request);
      const failed = (error: unknown): void => {
        exchange.failed(error);
        if (response.destroyed || response.headersSent) return;
        sendJson(response, 502, { error: { type: 'upstream_failed', message: 'The upstream gave no answer that can be passed on.' } });
      };
      let outgoing: ClientRequest;
      try {
        outgoing = send(request, target);
      } catch (error) {
        request.resume();
        failed(error);
        return;
      }

      outgoing.once('response', (answer) => {
        const { statusCode: status = 0, statusMessage, headers, rawHeaders } = answer;
        exchange.answered(answer);
        try {
          if (status < 200 || !hasKnownFraming(headers)) throw new RangeError('no answer that can be passed on');
          response.writeHead(status, statusMessage, endToEnd(rawHeaders));
        } catch (error) {
          // A status that is none, such as 099, or a reason phrase with control characters, comes here too.
          outgoing.destroy();
          failed(error);
          return;
        }
        if (exchange.credential !== undefined) onAnswer(request, status);
        // At once, so that the client of a slow stream knows that it has begun. Not `flushHeaders`, which sends other bytes for é.
        response.write(Buffer.alloc(0));
        answer.once('end', () => response.addTrailers(trailersOf(answer)));
        // An answer that breaks off breaks off for the client too.
        pipeline(answer, response, () => {});
      });
      // Nobody asked for another protocol. Unheard, the event would leave the client waiting.
      outgoing.once('upgrade', (_, socket) => {
        socket.destroy();
        failed(new Error('the upstream switched protocols'));
      });
      outgoing.on('error', failed);
      // The client has gone, or has its answer before its upload was over: nobody will read the rest.
      response.once('close', () => {
        if (!response.writableFinished || !request.complete) outgoing.destroy();
      });

      request.once('end', () => {
        if (!outgoing.destroyed) outgoing.addTrailers(trailersOf(request, OWN_HEADERS));
      });
      // Not `pipeline`: it would close the client's connection when the upstream answers before it has read everything.
      request.pipe(outgoing);
      // After `pipe`, which pauses what it lets go of: the rest of an upload that nobody takes is read and forgotten.
      outgoing.once('close', () => request.resume());
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
