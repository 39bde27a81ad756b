import type { Latchkey } from '../api.js';
import { entrance } from './access.js';
import { type Asked, apiEndpoints, type Endpoint, type Endpoints } from './endpoints.js';
import { createEventSeats } from './event-seats.js';
import { createFeed } from './feed.js';
import type { Incoming } from './incoming.js';
import { nodeIncoming, sendReply } from './node-front.js';
import { type OperatorOptions, type OperatorRequest, type OperatorResponse, readOperatorOptions } from './options.js';
import { isOwnOrigin } from './own-origin.js';
import { pageEndpoints } from './page-endpoints.js';
import { placeOf } from './place.js';
import { RefusalLog } from './refusal-log.js';
import { errorAnswer, Refused, type Reply, redirectAnswer } from './reply.js';
import { createTimeline } from './timeline.js';
import { webIncoming, webResponse } from './web-front.js';

/** A request handler: an API and a page for the operators of a gateway. */
export interface Operator {
  /** For `node:http`, Express, and Fastify's raw pair. Never rejects. It needs no `this`. */
  readonly handle: (request: OperatorRequest, response: OperatorResponse) => Promise<void>;
  /** For Hono and whatever else speaks `Request` and `Response`. Never rejects. It needs no `this`. */
  readonly fetch: (request: Request) => Promise<Response>;
  /** Ends the event streams and stops listening; everything else is still answered. */
  close(): void;
}

/**
 * An API and a page for the operators of one Latchkey, for the server that the gateway has. It is guarded, or it is not made.
 * @throws {TypeError} naming the option that is wrong.
 */
export function createOperator(latchkey: Latchkey, options: OperatorOptions): Operator {
  const settings = readOperatorOptions(latchkey, options);
  const { basePath, https, record, failed } = settings;
  const { check, login } = entrance(settings);
  const refusals = new RefusalLog((fields) => record('operator.refused', fields));
  const timeline = createTimeline(latchkey);
  const feed = createFeed(latchkey, { timeline, failed });
  const seats = createEventSeats(feed, failed);

  const refused = ({ path, incoming: { peer } }: Asked, reason: string): void => refusals.refused({ reason, path, peer });
  const endpoints: Readonly<Record<string, Endpoints>> = {
    ...apiEndpoints({
      latchkey,
      seats,
      record,
      failed,
      acted({ event, about, scope }, who) {
        const { fingerprint } = about;
        const note = `${event === 'operator.evict' ? 'evicted' : 'forgiven'} by ${who}`;
        timeline.add('operator', { scope, fingerprint: typeof fingerprint === 'string' ? fingerprint : undefined, note });
      },
    }),
    ...pageEndpoints({ login, record, refused }),
  };

  const enter = async (endpoint: Endpoint, asked: Asked): Promise<Reply> => {
    const { incoming } = asked;
    const isChange = incoming.method === 'POST';
    if (isChange && !isOwnOrigin(incoming)) {
      refused(asked, 'origin');
      return errorAnswer(403, 'the request comes from another origin');
    }
    if (endpoint.isOpen) return endpoint.answer(asked);
    const access = await check(incoming);
    if (access.ok) return endpoint.answer(asked, access);
    if (isChange) refused(asked, access.reason);
    return endpoint.denied?.(asked) ?? access.answer;
  };

  const respond = async (incoming: Incoming): Promise<Reply> => {
    const place = placeOf(incoming, basePath);
    const isReading = incoming.method === 'GET' || incoming.method === 'HEAD';
    if (place !== undefined && 'redirect' in place) {
      return isReading ? redirectAnswer(308, place.redirect) : errorAnswer(404, 'not found');
    }
    const found = place !== undefined && Object.hasOwn(endpoints, place.path) ? endpoints[place.path] : undefined;
    if (place === undefined || found === undefined) return errorAnswer(404, 'not found');
    const endpoint = isReading ? found.GET : incoming.method === 'POST' ? found.POST : undefined;
    if (endpoint === undefined) return errorAnswer(405, 'method not allowed', { Allow: allowed(found) });
    return enter(endpoint, { incoming, ...place });
  };

  /** Whatever goes wrong, nothing of it is told but to `onError`. */
  const safely = async (incoming: Incoming): Promise<Reply> => {
    try {
      return await respond(incoming);
    } catch (error) {
      if (error instanceof Refused) return error.answer;
      failed(error);
      return errorAnswer(500, 'internal error');
    }
  };

  return {
    async handle(request, response) {
      try {
        response.on('error', () => {});
        const incoming = nodeIncoming(request, https);
        sendReply(incoming, response, await safely(incoming));
      } catch (error) {
        failed(error);
      }
    },
    async fetch(request) {
      try {
        return webResponse(request, await safely(webIncoming(request, https)));
      } catch (error) {
        failed(error);
        return new Response(null, { status: 500 });
      }
    },
    close() {
      seats.close();
      timeline.close();
      refusals.close();
    },
  };
}

function allowed({ GET, POST }: Endpoints): string {
  return [...(GET === undefined ? [] : ['GET', 'HEAD']), ...(POST === undefined ? [] : ['POST'])].join(', ');
}
