import fc from 'fast-check';
import { bearer } from '../../../src/credential/credential.js';
import { auditLine } from '../../../src/guard/audit-line.js';
import { PLAIN_SECRET, require, requireNoSecret, SECRET, within } from '../ground.js';
import { mutated } from '../mutate.js';
import { target } from '../target.js';
import { anyHostile } from '../values.js';

const MOST_BYTES = 16_384;
const RULES = {
  actions: new Map([['operator.evict', ['tenant', 'session', '__proto__', 'toJSON', 'note']]]),
  credentials: [bearer(SECRET), bearer(PLAIN_SECRET)],
  clock: { now: () => Date.UTC(2026, 0, 1) },
};
const anyText = mutated([
  'operator.evict',
  `holds ${SECRET}`,
  `token=${PLAIN_SECRET}`,
  'a\nb',
  '\u202e\u2028',
  'ts',
  '{"event":"forged"}',
  'x'.repeat(3_000),
]);
const anyFields = fc.oneof(
  anyHostile(),
  fc
    .dictionary(
      fc.oneof(anyText, fc.constantFrom('ts', 'event', 'payload', 'truncated', '__proto__', 'who')),
      fc.oneof(anyText, fc.array(anyText), fc.anything()),
      { maxKeys: 6 },
    )
    .map((fields) => () => fields),
  fc.tuple(fc.constantFrom('who', 'tenant', 'note'), anyHostile()).map(([name, make]) => () => ({ [name]: make() })),
);

export const auditTarget = target({
  name: 'audit lines: events, fields, payloads',
  share: 3,
  input: fc.record({
    event: fc.oneof(
      { weight: 4, arbitrary: anyText },
      { weight: 4, arbitrary: fc.constant('operator.evict') },
      { weight: 1, arbitrary: fc.constant(7 as never) },
    ),
    fields: anyFields,
    payload: anyFields,
  }),
  check({ event, fields, payload }) {
    const line = within(() => auditLine({ event, fields: fields() as object, payload: payload() }, RULES)) ?? '';
    require(line.endsWith('}\n') && line.indexOf('\n') === line.length - 1, 'it is not one line');
    require(Buffer.byteLength(line) <= MOST_BYTES, `it has ${Buffer.byteLength(line)} bytes`);
    require(!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(line.slice(0, -1)), 'it holds what a terminal would act on');
    requireNoSecret('a line', line);
    const entry = JSON.parse(line) as Record<string, unknown>;
    require(entry['ts'] === '2026-01-01T00:00:00.000+00:00', `its time is ${String(entry['ts'])}`);
    require(line.startsWith('{"ts":"2026-01-01T00:00:00.000+00:00","event":') &&
      typeof entry['event'] === 'string', 'it does not begin with time and event');
    // Of what a caller sent along only what is allowed for this event.
    const shown = Object.keys((entry['payload'] as object | undefined) ?? {});
    require(shown.every(
      (name) => event === 'operator.evict' && RULES.actions.get(event)?.includes(name),
    ), `its payload has ${shown.join(', ')}`);
  },
});
