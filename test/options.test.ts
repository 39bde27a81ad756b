import { describe, expect, it } from 'vitest';
import { bearer, createLatchkey, type LatchkeyOptions } from '../src/index.js';

describe('the options of createLatchkey', () => {
  it.each<LatchkeyOptions | undefined>([
    undefined,
    {},
    { tenancy: undefined, fallback: undefined, limits: undefined, report: undefined, reporter: undefined, clock: undefined },
    { tenancy: 'single', fallback: 'none', canary: 'borrowed', canaryMs: 0, proofMs: 0, idleMs: 1 },
    { tenancy: 'multi', fallback: () => true, canary: 'off', canonicalProvider: (name) => name, classify: () => undefined },
    {
      limits: { sessions: 1, identities: 1, parked: 0 },
      report: { graceMs: 0, perHour: 0, providerWideAfter: { identities: 1, withinMs: 0 } },
    },
    { limits: {}, report: {}, tombstones: [], reporter: { opened: () => {}, ended: async () => {} }, clock: { now: () => 0 } },
    { tombstones: { verdicts: [] } },
    { expiry: undefined, refresh: undefined, refreshMs: undefined, refreshKey: undefined, probe: undefined, strikes: undefined },
    { expiry: {}, refresh: async () => undefined, refreshMs: 1, refreshKey: () => undefined, probe: {}, strikes: {} },
    { expiry: { jwt: false, header: 'X-Expires', advisoryMs: 0, mandatoryMs: 0, jitterMs: 0, graceMs: 0 } },
    {
      expiry: { jwt: undefined, header: undefined },
      probe: 'off',
      strikes: { rejections: 1, of: 1, withinMs: 0, provenMs: 0, youngMs: 0 },
    },
    { probe: { afterMs: 1, maxMs: 1, sessionTokens: true }, strikes: { rejections: 100 } },
    { probe: { afterMs: 48 * 3_600_000 } },
  ])('%o is valid', (options) => {
    const latchkey = createLatchkey(options);
    expect(latchkey.stats()).toMatchObject({ sessions: 0, identities: 0, errors: 0 });
  });

  it('a reporter or a clock may be an instance of a class', () => {
    class Own {
      opened(): void {}
      ended(): void {}
      now(): number {
        return 7;
      }
    }
    expect(createLatchkey({ reporter: new Own(), clock: new Own() }).snapshot().at).toBe(7);
  });

  it.each<[unknown, string]>([
    [null, 'options'],
    ['multi', 'options'],
    [7, 'options'],
    [{ tenants: 'multi' }, 'tenants'],
    [{ tenancy: 'many' }, 'tenancy'],
    [{ tenancy: null }, 'tenancy'],
    [{ fallback: 'session' }, 'fallback'],
    [{ fallback: null }, 'fallback'],
    [{ fallback: true }, 'fallback'],
    [{ canonicalProvider: { bedrock: 'aws' } }, 'canonicalProvider'],
    [{ canonicalProvider: null }, 'canonicalProvider'],
    [{ canary: 'on' }, 'canary'],
    [{ canary: false }, 'canary'],
    [{ canaryMs: -1 }, 'canaryMs'],
    [{ canaryMs: '10' }, 'canaryMs'],
    [{ canaryMs: null }, 'canaryMs'],
    [{ proofMs: Number.NaN }, 'proofMs'],
    [{ proofMs: Number.POSITIVE_INFINITY }, 'proofMs'],
    [{ idleMs: 0 }, 'idleMs'],
    [{ idleMs: -5 }, 'idleMs'],
    [{ limits: null }, 'limits'],
    [{ limits: 100 }, 'limits'],
    [{ limits: { session: 1 } }, 'limits.session'],
    [{ limits: { sessions: 0 } }, 'limits.sessions'],
    [{ limits: { sessions: -1 } }, 'limits.sessions'],
    [{ limits: { sessions: 1.5 } }, 'limits.sessions'],
    [{ limits: { sessions: 2 ** 40 } }, 'limits.sessions'],
    [{ limits: { identities: 0 } }, 'limits.identities'],
    [{ limits: { identities: '5' } }, 'limits.identities'],
    [{ limits: { parked: -1 } }, 'limits.parked'],
    [{ limits: { parked: Number.NaN } }, 'limits.parked'],
    [{ classify: 'default' }, 'classify'],
    [{ classify: null }, 'classify'],
    [{ report: null }, 'report'],
    [{ report: { grace: 1 } }, 'report.grace'],
    [{ report: { graceMs: -1 } }, 'report.graceMs'],
    [{ report: { perHour: -1 } }, 'report.perHour'],
    [{ report: { perHour: 0.5 } }, 'report.perHour'],
    [{ report: { providerWideAfter: 20 } }, 'report.providerWideAfter'],
    [{ report: { providerWideAfter: { identities: 0, withinMs: 1 } } }, 'report.providerWideAfter.identities'],
    [{ report: { providerWideAfter: { identities: 1, withinMs: -1 } } }, 'report.providerWideAfter.withinMs'],
    [{ report: { providerWideAfter: { identities: 1, within: 1 } } }, 'report.providerWideAfter.within'],
    [{ reporter: null }, 'reporter'],
    [{ reporter: () => {} }, 'reporter'],
    [{ reporter: {} }, 'reporter.opened'],
    [{ reporter: { opened: () => {} } }, 'reporter.ended'],
    [{ reporter: { opened: true, ended: () => {} } }, 'reporter.opened'],
    [{ clock: null }, 'clock'],
    [{ clock: Date.now }, 'clock'],
    [{ clock: {} }, 'clock.now'],
    [{ clock: { now: 5 } }, 'clock.now'],
    [{ tombstones: null }, 'tombstones'],
    [{ tombstones: 'snapshot' }, 'tombstones'],
    [{ expiry: null }, 'expiry'],
    [{ expiry: true }, 'expiry'],
    [{ expiry: 300_000 }, 'expiry'],
    [{ expiry: { advisory: 1 } }, 'expiry.advisory'],
    [{ expiry: { jwt: 'yes' } }, 'expiry.jwt'],
    [{ expiry: { jwt: null } }, 'expiry.jwt'],
    [{ expiry: { header: '' } }, 'expiry.header'],
    [{ expiry: { header: 'two words' } }, 'expiry.header'],
    [{ expiry: { header: 7 } }, 'expiry.header'],
    [{ expiry: { advisoryMs: -1 } }, 'expiry.advisoryMs'],
    [{ expiry: { mandatoryMs: Number.POSITIVE_INFINITY } }, 'expiry.mandatoryMs'],
    [{ expiry: { jitterMs: '5' } }, 'expiry.jitterMs'],
    [{ expiry: { graceMs: Number.NaN } }, 'expiry.graceMs'],
    [{ refresh: null }, 'refresh'],
    [{ refresh: {} }, 'refresh'],
    [{ refreshMs: 0 }, 'refreshMs'],
    [{ refreshKey: 'tenant' }, 'refreshKey'],
    [{ refreshKey: () => undefined }, 'refreshKey'],
    [{ refresh: () => undefined, refreshMs: '30 s' }, 'refreshMs'],
    [{ probe: null }, 'probe'],
    [{ probe: false }, 'probe'],
    [{ probe: 'on' }, 'probe'],
    [{ probe: { after: 1 } }, 'probe.after'],
    [{ probe: { afterMs: 0 } }, 'probe.afterMs'],
    [{ probe: { maxMs: -1 } }, 'probe.maxMs'],
    [{ probe: { afterMs: 2, maxMs: 1 } }, 'probe.maxMs'],
    [{ probe: { sessionTokens: 1 } }, 'probe.sessionTokens'],
    [{ strikes: null }, 'strikes'],
    [{ strikes: false }, 'strikes'],
    [{ strikes: 3 }, 'strikes'],
    [{ strikes: { rejection: 1 } }, 'strikes.rejection'],
    [{ strikes: { rejections: 0 } }, 'strikes.rejections'],
    [{ strikes: { rejections: 1.5 } }, 'strikes.rejections'],
    [{ strikes: { rejections: 3, of: 2 } }, 'strikes.of'],
    [{ strikes: { of: 101 } }, 'strikes.of'],
    [{ strikes: { withinMs: -1 } }, 'strikes.withinMs'],
    [{ strikes: { provenMs: null } }, 'strikes.provenMs'],
    [{ strikes: { youngMs: '5 s' } }, 'strikes.youngMs'],
  ])('%o is a TypeError that names `%s`', (options, name) => {
    let thrown: unknown;
    try {
      createLatchkey(options as LatchkeyOptions);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(TypeError);
    expect((thrown as Error).message).toContain(`\`${name}\``);
  });

  it('`{}` is session-less work', async () => {
    const latchkey = createLatchkey({ fallback: 'none' });
    latchkey.capture({}, bearer('value'));
    expect(latchkey.canRun({})).toBe(true);
    expect(await latchkey.run({}, (lease) => [lease.source, lease.scope])).toEqual(['global', {}]);
    expect(latchkey.canRun('S')).toBe(false);
    expect(latchkey.snapshot().slots).toMatchObject([{ slot: 'global', scope: {} }]);
  });
});
