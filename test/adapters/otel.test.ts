import { type Meter, metrics } from '@opentelemetry/api';
import { DataPointType, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { type ObservableMeter, type ObserveOptions, observeLatchkey } from '../../src/adapters/otel.js';
import { bearer, createLatchkey, type Latchkey } from '../../src/index.js';
import { metricsText } from '../../src/operator/metrics.js';
import { coordinatedStore } from '../support/coordinated.js';
import { secretsIn } from '../support/secret-forms.js';

const A = bearer('otel-secret-a');
const B = bearer('otel-secret-b');

/** Collects when it is asked to. */
class ManualReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

interface Point {
  readonly name: string;
  readonly type: DataPointType;
  readonly isMonotonic: boolean;
  readonly unit: string;
  readonly description: string;
  readonly value: unknown;
  readonly attributes: Record<string, unknown>;
}

function metering(): { meter: Meter; points: () => Promise<Point[]> } {
  const reader = new ManualReader();
  const meter = new MeterProvider({ readers: [reader] }).getMeter('latchkey-test');
  return {
    meter,
    async points() {
      const { resourceMetrics, errors } = await reader.collect();
      expect(errors).toEqual([]);
      return resourceMetrics.scopeMetrics.flatMap(({ metrics }) =>
        metrics.flatMap((metric) =>
          metric.dataPoints.map(({ value, attributes }) => ({
            name: metric.descriptor.name,
            type: metric.dataPointType,
            isMonotonic: metric.dataPointType === DataPointType.SUM && metric.isMonotonic,
            unit: metric.descriptor.unit,
            description: metric.descriptor.description,
            value,
            attributes,
          })),
        ),
      );
    },
  };
}

function gateway(): Latchkey {
  const latchkey = createLatchkey();
  latchkey.capture({ session: 's', provider: 'p' }, A);
  latchkey.capture({ session: 't', provider: 'p' }, B);
  const found = latchkey.resolve({ session: 's', provider: 'p' });
  if (found.ok) found.lease.settle(401);
  return latchkey;
}

describe('observeLatchkey', () => {
  it('takes the meters of OpenTelemetry', () => {
    expectTypeOf<Meter>().toExtend<ObservableMeter>();
    // What a process without an SDK has.
    expect(() => observeLatchkey(createLatchkey(), metrics.getMeter('none'))()).not.toThrow();
    expectTypeOf(observeLatchkey).toBeCallableWith(createLatchkey(), {} as Meter, { attributes: { gateway: 'a' } });
  });

  it('has every value observed that the Prometheus text has, under the names and in the units of OpenTelemetry', async () => {
    const latchkey = gateway();
    const { meter, points } = metering();
    observeLatchkey(latchkey, meter);
    const observed = await points();
    const asPrometheus = observed.map(({ name, isMonotonic, value, attributes }) => {
      const state = attributes['latchkey.scope.state'];
      return `${name.replace('.', '_')}${isMonotonic ? '_total' : ''}${state === undefined ? '' : `{state="${state}"}`} ${value}`;
    });
    expect(asPrometheus.toSorted()).toEqual(
      metricsText(latchkey)
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'))
        .toSorted(),
    );
    for (const { name, type, isMonotonic, unit, description, attributes } of observed) {
      // Lower case, words parted by underscores behind the namespace; counts in braces; what a kind is called is nobody's name.
      expect(name).toMatch(/^latchkey\.[a-z]+(_[a-z]+)*$/);
      expect(name).not.toMatch(/total|count/);
      expect(unit).toMatch(/^(1|\{[a-z]+\})$/);
      expect(description).toMatch(/^[A-Z].*\.$/);
      expect(isMonotonic || type === DataPointType.GAUGE).toBe(true);
      expect(Object.keys(attributes)).toEqual(name === 'latchkey.scopes' ? ['latchkey.scope.state'] : []);
    }
    expect(observed.find(({ name }) => name === 'latchkey.rejected')).toMatchObject({ value: 1, isMonotonic: true });
    expect(observed.filter(({ name, value }) => name === 'latchkey.scopes' && value !== 0)).toMatchObject([
      { value: 2, attributes: { 'latchkey.scope.state': 'ready' } },
      { value: 1, attributes: { 'latchkey.scope.state': 'borrowing' } },
    ]);
  });

  it('asks anew at each collection, and not in between', async () => {
    const latchkey = gateway();
    let asked = 0;
    const { meter, points } = metering();
    observeLatchkey(
      {
        ...latchkey,
        stats() {
          asked++;
          return latchkey.stats();
        },
      },
      meter,
    );
    const captures = async (): Promise<unknown> => (await points()).find(({ name }) => name === 'latchkey.captures')?.value;
    expect([asked, await captures(), asked]).toEqual([0, 2, 1]);
    latchkey.capture('u', A);
    expect([asked, await captures(), asked]).toEqual([1, 3, 2]);
  });

  it('says whether the store answers, where there is one', async () => {
    const store = coordinatedStore({ claim: async () => undefined, release: () => {} } as never);
    const { meter, points } = metering();
    observeLatchkey(createLatchkey({ store }), meter);
    const up = async (): Promise<unknown> => (await points()).find(({ name }) => name === 'latchkey.store_up')?.value;
    expect(await up()).toBe(1);
    store.up = false;
    expect(await up()).toBe(0);
    const other = metering();
    observeLatchkey(createLatchkey(), other.meter);
    expect((await other.points()).some(({ name }) => name === 'latchkey.store_up')).toBe(false);
  });

  it('tells two apart by attributes, and stops one without the other', async () => {
    const { meter, points } = metering();
    const attributes: { gateway: string } = { gateway: 'a' };
    const latchkey = gateway();
    let asked = 0;
    const counted: Latchkey = {
      ...latchkey,
      stats() {
        asked++;
        return latchkey.stats();
      },
    };
    const stop = observeLatchkey(counted, meter, { attributes });
    // It has its own copy.
    attributes.gateway = 'changed';
    observeLatchkey(createLatchkey(), meter, { attributes: { gateway: 'b', 'latchkey.scope.state': 'overwritten' } });
    const captures = async (): Promise<object[]> =>
      (await points())
        .filter(({ name }) => name === 'latchkey.captures')
        .map(({ value, attributes: told }) => ({ [String(told['gateway'])]: value }));
    expect(await captures()).toEqual([{ a: 2 }, { b: 0 }]);
    const states = (await points()).filter(({ name, attributes: told }) => name === 'latchkey.scopes' && told['gateway'] === 'b');
    expect(states.map(({ attributes: told }) => told['latchkey.scope.state'])).toEqual([
      'ready',
      'borrowing',
      'refreshing',
      'auth_retrying',
      'blocked',
      'held',
      'expired',
    ]);
    const before = asked;
    stop();
    stop();
    latchkey.capture('u', A);
    latchkey.capture('v', A);
    // A reader that sums up goes on telling what it heard last.
    expect([await captures(), asked]).toEqual([[{ a: 2 }, { b: 0 }], before]);
  });

  it('observes no tenant, session, fingerprint or value of a credential', async () => {
    const latchkey = gateway();
    latchkey.capture({ tenant: 'acme', session: 'session-name', provider: 'provider-name' }, A);
    const { meter, points } = metering();
    observeLatchkey(latchkey, meter);
    const text = JSON.stringify(await points());
    expect(text).not.toMatch(/acme|session-name|provider-name/);
    for (const { fingerprint } of [A, B]) expect(text).not.toContain(fingerprint);
    expect(secretsIn(text, ['otel-secret-a', 'otel-secret-b'])).toEqual([]);
  });

  it('names what it does not take', () => {
    const { meter } = metering();
    const latchkey = createLatchkey();
    const bad = (...args: unknown[]): (() => unknown) => {
      return () => observeLatchkey(...(args as [Latchkey, ObservableMeter, ObserveOptions]));
    };
    expect(bad(undefined, meter)).toThrow(new TypeError('observeLatchkey: `latchkey` must come from createLatchkey()'));
    for (const none of [undefined, null, {}, 'meter', { ...meter, createObservableCounter: () => ({}) }])
      expect(bad(latchkey, none)).toThrow(new TypeError('observeLatchkey: `meter` must be a Meter of OpenTelemetry'));
    expect(bad(latchkey, meter, null)).toThrow(new TypeError('observeLatchkey: `options` must be an object'));
    expect(bad(latchkey, meter, { atributes: {} })).toThrow(new TypeError('observeLatchkey: unknown option `atributes`'));
    expect(bad(latchkey, meter, { attributes: 'a' })).toThrow(new TypeError('observeLatchkey: `attributes` must be an object'));
    expect(bad(latchkey, meter, { attributes: { a: [] } })).toThrow(
      new TypeError('observeLatchkey: `attributes.a` must be a text, a number or a boolean'),
    );
  });
});
