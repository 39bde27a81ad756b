import fc from 'fast-check';
import { beforeSendLog, latchkeyIntegration } from '../../../src/adapters/sentry/integration.js';
import { LatchkeyError } from '../../../src/index.js';
import { PLAIN_SECRET, require, requireNoSecret, within } from '../ground.js';
import { mutated } from '../mutate.js';
import { target } from '../target.js';
import { anyHostile } from '../values.js';

interface Client {
  addEventProcessor(processor: (event: never, hint: never) => unknown): void;
  on(hook: string, callback: (sent: never) => void): void;
}

const hooks = new Map<string, (sent: never) => void>();
let process: ((event: never, hint: never) => unknown) | undefined;
const client: Client = {
  addEventProcessor: (processor) => {
    process = processor;
  },
  on: (hook, callback) => void hooks.set(hook, callback),
};
const integration = latchkeyIntegration();
integration.beforeSetup?.(client as never);
integration.afterAllSetup?.(client as never);

const reported = new LatchkeyError('CREDENTIAL_REJECTED', 'blocked', { scope: {}, incident: 'an id' });

/** Where SDKs put what must not be sent, each in the shape in which they do. */
function envelope(text: string): Record<string, unknown> {
  return {
    message: `${text}\r\nauthorization: Bearer ${PLAIN_SECRET}`,
    request: {
      url: `https://a.example/?token=${PLAIN_SECRET}`,
      headers: { Authorization: `Bearer ${PLAIN_SECRET}`, cookie: `session=${PLAIN_SECRET}`, 'x-api-key': PLAIN_SECRET },
      cookies: { session: PLAIN_SECRET },
      data: `{"password":"${PLAIN_SECRET}"}`,
    },
    exception: { values: [{ type: text, value: `Authorization: Bearer ${PLAIN_SECRET}`, mechanism: { data: { token: PLAIN_SECRET } } }] },
    breadcrumbs: [
      { category: 'http', message: text, data: { 'http.request.header.authorization': [PLAIN_SECRET], url: `/x?api_key=${PLAIN_SECRET}` } },
    ],
    extra: { apiKey: PLAIN_SECRET, rawHeaders: ['Authorization', PLAIN_SECRET], text },
    contexts: { config: { headers: { 'x-goog-api-key': PLAIN_SECRET } } },
    tags: { text },
  };
}

const anyPlace = fc.constantFrom(
  'request',
  'exception',
  'breadcrumbs',
  'extra',
  'contexts',
  'user',
  'tags',
  'spans',
  'attributes',
  'type',
  'message',
);
const anyError = fc.oneof(
  anyHostile(),
  fc.constant(() => reported),
  fc.nat({ max: 70 }).map((depth) => () => {
    let error: Error = reported;
    for (let at = 0; at < depth; at++) error = new Error('outer', { cause: error });
    return error;
  }),
);

export const sentryTarget = target({
  name: 'Sentry: events, breadcrumbs, spans, logs',
  share: 3,
  input: fc.record({
    text: mutated(['failed', 'bearer ', 'eyJ', '{"token":"', 'key=', 'https://a:b@c/', 'sk-', 'x'.repeat(500)]),
    place: anyPlace,
    value: anyHostile(),
    thrown: anyError,
    inside: fc.boolean(),
  }),
  check({ text, place, value, thrown, inside }) {
    const event = envelope(text);
    const hostile = { [place]: value() };
    const extra = event['extra'] as Record<string, unknown>;
    const isPlaced = !inside && !(place in event);
    if (inside) extra['hostile'] = hostile;
    else if (isPlaced) Object.assign(event, hostile);
    const hint = { originalException: thrown() };
    const passed = within(() => process?.(event as never, hint as never));
    require(passed === null || passed === event || passed instanceof Promise, 'neither passed nor dropped');
    // What has a type is a transaction, or its like.
    if (hint.originalException === reported && event['type'] === undefined) require(passed === null, 'what is reported is sent again');
    for (const [hook, redact] of hooks) {
      const sent = hook === 'processSpan' ? { data: event['extra'], description: event['message'] } : event;
      within(() => redact(sent as never));
      requireNoSecret(hook, JSON.stringify(withoutHostile(sent, isPlaced ? place : 'hostile')));
    }
    const log = within(() =>
      beforeSendLog({ level: 'info', message: `Bearer ${PLAIN_SECRET} ${text}`, attributes: { token: PLAIN_SECRET, text } } as never),
    );
    requireNoSecret('a log', JSON.stringify(log));
    within(() => beforeSendLog(value() as never));
  },
});

/** What resists being read was put there by nobody else. */
function withoutHostile(sent: Readonly<Record<string, unknown>>, place: string): object {
  const { [place]: _, ...known } = sent;
  const { hostile: __, ...extra } = (sent['extra'] ?? sent['data']) as Record<string, unknown>;
  return { ...known, ...('extra' in sent ? { extra } : { data: extra }) };
}
