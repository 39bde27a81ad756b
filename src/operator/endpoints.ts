import type { Latchkey } from '../api.js';
import type { ScopeParts } from '../errors.js';
import { callWithin } from '../signals/call-within.js';
import type { Access } from './access.js';
import { type Action, evictAction, forgiveAction, scopeOfQuery } from './actions.js';
import { readJsonObject } from './body.js';
import type { EventSeats } from './event-seats.js';
import type { Incoming } from './incoming.js';
import { METRICS_TYPE, metricsText } from './metrics.js';
import type { OperatorSettings } from './options.js';
import { jsonAnswer, Refused, type Reply, textAnswer } from './reply.js';

const LOAD_MS = 5_000;

export interface Asked {
  readonly path: string;
  readonly incoming: Incoming;
  readonly query: string;
}

/** Who was let in. */
type Caller = Extract<Access, { ok: true }>;

/** One method of one path. */
export type Endpoint =
  | { readonly isOpen: true; readonly answer: (asked: Asked) => Reply | Promise<Reply> }
  | {
      readonly isOpen?: false;
      readonly answer: (asked: Asked, caller: Caller) => Reply | Promise<Reply>;
      /** What to say instead to those who are not let in. */
      readonly denied?: (asked: Asked) => Reply | undefined;
    };

export interface Endpoints {
  readonly GET?: Endpoint;
  readonly POST?: Endpoint;
}

export interface ApiContext {
  readonly latchkey: Latchkey;
  readonly seats: EventSeats;
  readonly record: OperatorSettings['record'];
  readonly failed: OperatorSettings['failed'];
  /** Hears of an action that was taken. */
  readonly acted: (action: Action, who: string) => void;
}

/** What is told of a Latchkey, and what can be done to it, by exact path. */
export function apiEndpoints({ latchkey, seats, record, failed, acted }: ApiContext): Readonly<Record<string, Endpoints>> {
  /** Checks a scope, and brings in what the store knows of it if that comes soon. */
  const load = async (scope: ScopeParts): Promise<void> => {
    requireScope(latchkey, scope);
    try {
      await callWithin(() => latchkey.load([scope]), { timeoutMs: LOAD_MS });
    } catch (error) {
      failed(error);
    }
  };

  const acting =
    (read: (latchkey: Latchkey, body: Readonly<Record<string, unknown>>) => Action): Endpoint['answer'] =>
    async ({ incoming }: Asked, { by, who }: Caller) => {
      const action = read(latchkey, await readJsonObject(incoming));
      if (action.scope !== undefined) await load(action.scope);
      record(action.event, { by, ...(who === undefined ? {} : { who }), peer: incoming.peer, ...action.about });
      const slots = action.count();
      action.take();
      acted(action, who ?? by);
      return jsonAnswer(200, { ok: true, slots });
    };

  return {
    '/health': { GET: { isOpen: true, answer: () => jsonAnswer(200, { ok: true }) } },
    '/status': { GET: { answer: () => jsonAnswer(200, { ...latchkey.snapshot(), stats: latchkey.stats() }) } },
    '/explain': {
      GET: {
        async answer({ query }) {
          const scope = scopeOfQuery(query);
          await load(scope);
          const explanation = latchkey.explain(scope);
          return jsonAnswer(200, { ...explanation, status: latchkey.status(scope), text: String(explanation) });
        },
      },
    },
    '/events': { GET: { answer: ({ query }, { leftMs }) => seats.open(viewOf(query), leftMs) } },
    '/metrics': { GET: { answer: () => textAnswer(200, METRICS_TYPE, metricsText(latchkey)) } },
    '/evict': { POST: { answer: acting(evictAction) } },
    '/forgive': { POST: { answer: acting(forgiveAction) } },
  };
}

/** Only the Latchkey knows its rules; asking it changes nothing. */
function requireScope(latchkey: Latchkey, scope: ScopeParts): void {
  try {
    latchkey.explain(scope);
  } catch (error) {
    throw error instanceof TypeError ? new Refused(400, error.message) : error;
  }
}

function viewOf(query: string): 'timeline' | 'page' {
  const given = [...new URLSearchParams(query)];
  const [name, value] = given[0] ?? ['view', 'timeline'];
  if (given.length > 1 || name !== 'view' || (value !== 'timeline' && value !== 'page'))
    throw new Refused(400, '`view` must be `timeline` or `page`, and nothing else may be given');
  return value;
}
