import diagnostics from 'node:diagnostics_channel';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { apiKey, bearer, type Credential, createLatchkey, isLatchkeyError, type Reporter } from '../../src/index.js';
import { manualClock, settled } from '../support/clock.js';
import { EVENT_NAMES } from '../support/heard.js';
import { CHECKED, LONG_MS } from './runs.js';

// L7: No secret, plain, URL-encoded or base64, in anything that Latchkey creates or emits.

/** Long enough to be found in another form, and with characters that encodings change. */
const anySecret = fc.string({ unit: fc.constantFrom(...'abcXYZ0189-._~+/=%&?"\\\'$`:@'), minLength: 12, maxLength: 40 });

/** How real clients spread a token over the errors that they throw. */
const SPREAD: Record<string, (credential: Credential) => Record<string, unknown>> = {
  'in the message': (credential) => ({ message: `401 for ${credential.reveal()}, sorry` }),
  'in a URL': (credential) => ({ message: `GET https://api.test/?key=${encodeURIComponent(credential.reveal())}` }),
  'in a form': (credential) => ({ message: `body ${new URLSearchParams({ key: credential.reveal() })}` }),
  'in base64': (credential) => ({ message: `Basic ${Buffer.from(`user:${credential.reveal()}`).toString('base64')}` }),
  'in base64 further on': (credential) => ({ message: `Basic ${Buffer.from(`me:${credential.reveal()}!`).toString('base64')}` }),
  'in base64url': (credential) => ({ message: `state ${Buffer.from(`user1${credential.reveal()}##`).toString('base64url')}` }),
  'in JSON': (credential) => ({ message: JSON.stringify({ headers: credential.headers() }) }),
  'in the code and the name': (credential) => ({ message: 'no', code: `E_${credential.reveal()}`, name: `Bad ${credential.reveal()}` }),
  'in the request': (credential) => ({ message: 'no', config: { headers: credential.headers() }, request: { key: credential.reveal() } }),
  'in the cause': (credential) => ({ message: 'no', cause: new Error(`deep ${credential.reveal()}`) }),
};

const anyCase = fc.record({
  secrets: fc.array(anySecret, { minLength: 2, maxLength: 3 }),
  scheme: fc.constantFrom('bearer', 'api-key'),
  spreads: fc.array(fc.constantFrom(...Object.keys(SPREAD)), { minLength: 1, maxLength: 4 }),
  statuses: fc.array(fc.constantFrom(401, 401, 403, 402, 503, 200, 404), { minLength: 1, maxLength: 6 }),
  whenBlocked: fc.constantFrom('throw' as const, 'skip' as const),
  hostileRule: fc.boolean(),
});

it('L7: no form of a secret in events, channels, errors, reports, snapshots or what anything prints as', { timeout: LONG_MS }, async () => {
  await fc.assert(
    fc.asyncProperty(anyCase, async ({ secrets, scheme, spreads, statuses, whenBlocked, hostileRule }) => {
      const made: unknown[] = [];
      const subscribed = EVENT_NAMES.map((name) => [`latchkey:${name}`, (message: unknown) => void made.push(message)] as const);
      for (const [channel, listener] of subscribed) diagnostics.subscribe(channel, listener);
      const reporter: Reporter = { opened: (incident) => void made.push(incident), ended: (incident) => void made.push(incident) };
      const latchkey = createLatchkey({
        clock: manualClock(),
        canary: 'off',
        reporter,
        limits: { sessions: 5, identities: 9 },
        ...(hostileRule
          ? {
              // A rule that throws what it was shown.
              classify: ({ error }) => {
                if (error !== undefined) throw error;
                return undefined;
              },
            }
          : {}),
      });
      for (const name of EVENT_NAMES) latchkey.on(name, (event) => made.push(event));
      const credentials = secrets.map((secret) => (scheme === 'bearer' ? bearer(secret) : apiKey(secret)));

      for (const [index, credential] of credentials.entries()) {
        const capture = latchkey.capture({ session: 's', provider: 'p' }, credential, { provisional: index === 1 });
        made.push(capture, capture.settle(index === 1 ? 401 : 404));
        capture.commit();
        latchkey.capture({ session: 't', provider: 'p' }, credentials[0] as Credential);
        for (const [step, status] of statuses.entries()) {
          const spread = SPREAD[spreads[step % spreads.length] as string] as (credential: Credential) => Record<string, unknown>;
          const run = latchkey.run(
            { session: step % 2 === 0 ? 's' : 'cold', provider: 'p' },
            (lease) => {
              made.push(lease, { usable: lease.usable(), source: lease.source });
              if (status === 200) return { status, headers: {} };
              const { message, ...rest } = spread(lease.credential);
              throw Object.assign(new Error(String(message)), rest, { status, headers: { 'x-echo': lease.credential.reveal() } });
            },
            { whenBlocked },
          );
          // Any other error is the attempt's own object and passes through untouched.
          await run.catch((error: unknown) => isLatchkeyError(error) && made.push(error, error.cause, error.stack, error.message));
        }
        const resolution = latchkey.resolve({ session: 's', provider: 'p' });
        made.push(
          resolution,
          latchkey.explain({ session: 's', provider: 'p' }),
          String(latchkey.explain({ session: 'cold', provider: 'p' })),
        );
        if (resolution.ok) made.push(resolution.lease.settle(Object.assign(new Error(credential.reveal()), { status: 401 })));
        made.push(latchkey.stats(), latchkey.snapshot());
      }
      made.push(latchkey, credentials, credentials.map(String));
      await latchkey.close({ timeoutMs: 0 });
      await settled(1);
      for (const [channel, listener] of subscribed) diagnostics.unsubscribe(channel, listener);

      const text = made.map(everyForm).join('\n');
      for (const secret of secrets) expect(formsFound(text, secret)).toEqual([]);
    }),
    CHECKED,
  );
});

function everyForm(value: unknown): string {
  const printed = inspect(value, { showHidden: true, depth: Number.POSITIVE_INFINITY, getters: true });
  const parts = [printed, JSON.stringify(value) ?? ''];
  if (typeof value === 'string') parts.push(value);
  if (value instanceof Error) parts.push(String(value.stack), inspect(value.cause, { showHidden: true, depth: Number.POSITIVE_INFINITY }));
  return parts.join('\n');
}

/** By decoding whatever may be decoded, not by knowing how it was encoded. */
function formsFound(text: string, secret: string): string[] {
  const found: string[] = [];
  const bare = (of: string): string => of.replaceAll('\\', '');
  if (text.includes(secret) || bare(text).includes(bare(secret))) found.push('plain');
  const unescaped = text.replaceAll(/%[0-9a-f]{2}/gi, (octet) => String.fromCharCode(Number.parseInt(octet.slice(1), 16)));
  if (unescaped.includes(secret)) found.push('URL-encoded');
  for (const run of new Set(text.match(/[A-Za-z0-9+/_-]{14,}/g))) {
    for (let start = 0; start < 4; start++) {
      if (Buffer.from(run.slice(start), 'base64').toString('latin1').includes(secret)) found.push('base64');
    }
  }
  return found;
}

it('L7: the forms are found where they are', () => {
  const secret = 'se+cret/"to=ken%';
  for (const [how, spread] of Object.entries(SPREAD)) {
    if (how === 'in the request' || how === 'in the cause') continue;
    expect(
      formsFound(String(spread(bearer(secret))['message'] === 'no' ? secret : spread(bearer(secret))['message']), secret),
      how,
    ).not.toEqual([]);
  }
});
