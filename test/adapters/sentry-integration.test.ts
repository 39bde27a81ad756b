import * as Sentry from '@sentry/node';
import { afterEach, describe, expect, it } from 'vitest';
import { isReported, latchkeyIntegration, sentryReporter } from '../../src/adapters/sentry.js';
import { bearer, createLatchkey, LatchkeyError } from '../../src/index.js';
import { type StartedSentry, startSentry } from '../support/sentry-client.js';

let sentry: StartedSentry | undefined;

async function start(options?: Parameters<typeof startSentry>[0]): Promise<StartedSentry> {
  sentry = await startSentry(options);
  return sentry;
}

afterEach(async () => {
  await sentry?.close();
  sentry = undefined;
});

const ours = () => new LatchkeyError('CREDENTIAL_REJECTED', 'the credential was rejected', { scope: {}, incident: 'an-incident' });
const unreported = () => new LatchkeyError('CREDENTIAL_MISSING', 'no credential has been captured', { scope: {} });

const hostile = new Proxy(new Error('hostile'), {
  get() {
    throw new Error('no property of mine');
  },
});

describe('isReported', () => {
  it.each<[string, unknown]>([
    ['an error of an incident', ours()],
    ['a cause', new Error('outer', { cause: new Error('between', { cause: ours() }) })],
    ['one of several', new AggregateError([new Error('other'), new Error('outer', { cause: ours() })])],
    ['what is thrown beside an error that throws at every touch', new AggregateError([hostile, ours()])],
    ['an error of another copy of the package', Object.assign(new Error('x'), { [Symbol.for('latchkey.error')]: true, incident: 'i' })],
  ])('case 62: %s', (_what, error) => {
    expect(isReported(error)).toBe(true);
  });

  const cyclic = new Error('cyclic');
  cyclic.cause = new AggregateError([cyclic, cyclic]);
  const endless = {
    get cause(): unknown {
      return Object.create(endless, {});
    },
  };
  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'LatchkeyError: the credential was rejected'],
    [
      'the same words and name',
      Object.assign(new Error('the credential was rejected'), { name: 'LatchkeyError', incident: 'an-incident' }),
    ],
    ['an error of no incident', unreported()],
    ['a cause that is cyclic', cyclic],
    ['causes without end', endless],
    ['an error that throws at every touch', hostile],
    [
      'a getter that throws',
      {
        get cause() {
          throw new Error('no');
        },
        get errors() {
          throw new Error('no');
        },
      },
    ],
  ])('case 62: not %s', (_what, error) => {
    expect(isReported(error)).toBe(false);
  });
});

describe('latchkeyIntegration', () => {
  it('case 62: drops what was reported when it surfaces elsewhere, and counts each once', async () => {
    const { flush, errors, discarded } = await start();
    Sentry.captureException(ours());
    Sentry.captureException(new Error('sync failed', { cause: ours() }));
    Sentry.captureException(new AggregateError([new Error('one'), ours()], 'several failed'));
    await flush();
    expect(errors()).toEqual([]);
    expect(discarded()).toEqual({ 'event_processor:error': 3 });
  });

  it("case 62: a gateway that captures what run throws has one event, the reporter's", async () => {
    const { flush, errors, discarded } = await start();
    const latchkey = createLatchkey({ fallback: 'none', reporter: sentryReporter(Sentry) });
    latchkey.capture({ session: 's1', provider: 'anthropic' }, bearer('token-a'));
    for (let call = 0; call < 20; call++) {
      const failing = latchkey.run({ session: 's1', provider: 'anthropic' }, () =>
        Promise.reject(Object.assign(new Error('no'), { status: 401 })),
      );
      await failing.catch((error: unknown) => Sentry.captureException(new Error('distillation failed', { cause: error })));
    }
    await flush();
    expect(errors().map((event) => event.exception?.values[0]?.type)).toEqual(['WorkerAuthError']);
    expect(discarded()).toEqual({ 'event_processor:error': 20 });
  });

  it('case 62: everything else passes', async () => {
    const { flush, errors, discarded } = await start();
    Sentry.captureException(unreported());
    Sentry.captureException(Object.assign(new Error('the credential was rejected'), { name: 'LatchkeyError' }));
    Sentry.captureException('a text');
    Sentry.captureException(undefined);
    Sentry.captureMessage('LatchkeyError: the credential was rejected');
    Sentry.captureEvent({ message: 'an event without exception' });
    await flush();
    expect(errors()).toHaveLength(6);
    expect(discarded()).toEqual({});
  });

  it('case 62: transactions pass, also those that an error of ours ended', async () => {
    const { flush, transactions, discarded } = await start({ tracesSampleRate: 1, traceLifecycle: 'static' });
    await Sentry.startSpan({ name: 'distil' }, () => Promise.reject(ours())).catch(() => undefined);
    Sentry.captureEvent(
      {
        type: 'transaction',
        transaction: 'by hand',
        contexts: { trace: { trace_id: 'a'.repeat(32), span_id: 'b'.repeat(16) } },
        start_timestamp: 1,
        timestamp: 2,
      },
      { originalException: ours() },
    );
    await flush();
    expect(
      transactions()
        .map(({ transaction }) => transaction)
        .sort(),
    ).toEqual(['by hand', 'distil']);
    expect(discarded()).toEqual({});
  });

  it.each<[string, Extract<Parameters<typeof Sentry.init>[0], object>['integrations'] & object]>([
    ['before the defaults', (defaults) => [latchkeyIntegration(), ...defaults]],
    ['behind them', [latchkeyIntegration()]],
  ])('case 62: what is dropped is not what the next event is compared with, %s', async (_where, integrations) => {
    const { flush, errors, discarded } = await start({ integrations });
    // Alike to the last frame, which is what deduplication goes by; only the first belongs to an incident.
    for (const incident of ['an-incident', undefined]) {
      const cause = new LatchkeyError('CREDENTIAL_REJECTED', 'the credential was rejected', { scope: {}, incident });
      Sentry.captureException(new Error('distillation failed', { cause }));
    }
    await flush();
    expect(errors()).toHaveLength(1);
    expect(discarded()).toEqual({ 'event_processor:error': 1 });
  });

  it('case 62: the promise of an unhandled rejection is looked into if its reason has our name', async () => {
    const { flush, errors, discarded } = await start();
    const rejection = (reason: unknown) => {
      const promise = Promise.reject(reason);
      promise.catch(() => undefined);
      return promise;
    };
    const pending = new Promise(() => {});
    Sentry.captureException(ours(), { originalException: rejection(ours()) } as never);
    Sentry.captureException(unreported(), { originalException: rejection(unreported()) } as never);
    Sentry.captureException(unreported(), { originalException: pending } as never);
    Sentry.captureException(new Error('other'), { originalException: rejection(ours()) } as never);
    await flush();
    expect(errors()).toHaveLength(3);
    expect(discarded()).toEqual({ 'event_processor:error': 1 });
  });

  it('case 62: added after init it works as well', async () => {
    const { flush, errors, discarded } = await start({ integrations: (defaults) => defaults });
    Sentry.addIntegration(latchkeyIntegration());
    Sentry.captureException(ours());
    Sentry.captureException(new Error('with Bearer abcdef-123456'));
    await flush();
    expect(errors().map((event) => event.exception?.values[0]?.value)).toEqual(['with Bearer [redacted]']);
    expect(discarded()).toEqual({ 'event_processor:error': 1 });
  });

  it('case 62: one for two clients keeps them apart', async () => {
    const integration = latchkeyIntegration();
    const { flush, errors, discarded, close } = await start({ integrations: (defaults) => [integration, ...defaults] });
    Sentry.captureException(ours());
    await flush();
    expect(discarded()).toEqual({ 'event_processor:error': 1 });
    await close();
    sentry = undefined;
    const second = await start({ integrations: (defaults) => [integration, ...defaults] });
    Sentry.captureException(ours());
    Sentry.captureException(new Error('other'));
    await second.flush();
    expect(second.errors()).toHaveLength(1);
    expect(second.discarded()).toEqual({ 'event_processor:error': 1 });
    expect(errors()).toEqual([]);
  });

  it('case 62: no hook throws, whatever it is given', async () => {
    const integration = latchkeyIntegration({
      redact: () => {
        throw new Error('no');
      },
    });
    const hooks = new Map<string, (event: unknown) => void>();
    integration.afterAllSetup({ on: (name: string, hook: (event: unknown) => void) => hooks.set(name, hook) });
    const event: Sentry.Event = { message: 'Bearer abcdef-123456' };
    expect(integration.processEvent(event, hostile as never, {})).toBe(event);
    expect(integration.processEvent(hostile as never, {}, {})).toBe(hostile);
    expect(integration.processEvent(event, undefined as never, {})).toBe(event);
    for (const hook of hooks.values()) {
      hook(Object.freeze({ message: 'Bearer abcdef-123456' }));
      hook({
        extra: hostile,
        contexts: {
          get a() {
            throw new Error('no');
          },
        },
      });
      hook(event);
    }
    expect(hooks.size).toBe(2);
    expect(event.message).toBe('Bearer [redacted]');
  });

  it.each([
    ['an option that it does not know', { redactor: () => '' }, /unknown option `redactor`/],
    ['a redact that is no function', { redact: /x/ }, /`redact`/],
    ['options that are no object', 'x', /`options`/],
  ])('refuses %s', (_what, options, message) => {
    expect(() => latchkeyIntegration(options as never)).toThrow(TypeError);
    expect(() => latchkeyIntegration(options as never)).toThrow(message);
  });
});
