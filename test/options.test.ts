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
