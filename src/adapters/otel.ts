import type { Latchkey } from '../api.js';
import { INSTRUMENTS, takeReading } from '../operator/instruments.js';

/** Told of one measurement: what a batch callback gets from a meter. */
export interface ObservableResult {
  observe(instrument: object, value: number, attributes?: OtelAttributes): void;
}

/** What is used of a `Meter` of `@opentelemetry/api`, 1.3 or later. */
export interface ObservableMeter {
  createObservableCounter(name: string, options?: { description?: string; unit?: string }): object;
  createObservableGauge(name: string, options?: { description?: string; unit?: string }): object;
  addBatchObservableCallback(callback: (result: ObservableResult) => void, observables: object[]): void;
  removeBatchObservableCallback(callback: (result: ObservableResult) => void, observables: object[]): void;
}

/** Attributes of a measurement, by name. */
export type OtelAttributes = Record<string, string | number | boolean>;

/** Options of `observeLatchkey`. */
export interface ObserveOptions {
  /** Put on every measurement, to tell several latchkeys of a process apart, say. Default: none. */
  readonly attributes?: Readonly<OtelAttributes> | undefined;
}

const WHERE = 'observeLatchkey';
/** What tells the states of `latchkey.scopes` apart. */
const STATE = 'latchkey.scope.state';

/**
 * Has a meter observe a latchkey's counters and gauges, as `latchkey.…`, whenever metrics are collected. Returns how to stop. No attribute holds a tenant, session
 * or fingerprint.
 * @throws {TypeError} for a latchkey, meter or option that is none.
 */
export function observeLatchkey(latchkey: Latchkey, meter: ObservableMeter, options: ObserveOptions = {}): () => void {
  requireMethods('latchkey', latchkey, ['stats', 'snapshot', 'resolve', 'status'], 'come from createLatchkey()');
  requireMethods('meter', meter, ['createObservableCounter', 'createObservableGauge'], 'be a Meter of OpenTelemetry');
  requireMethods('meter', meter, ['addBatchObservableCallback', 'removeBatchObservableCallback'], 'be a Meter of OpenTelemetry');
  const attributes = readAttributes(options);

  const observed = INSTRUMENTS.map((instrument) => {
    const { name, kind, help: description, unit } = instrument;
    const create = kind === 'counter' ? 'createObservableCounter' : 'createObservableGauge';
    return { instrument, observable: meter[create](`latchkey.${name}`, { description, unit }) };
  });
  const observe = (result: ObservableResult): void => {
    const reading = takeReading(latchkey);
    for (const { instrument, observable } of observed) {
      for (const { value, state } of instrument.read(reading)) {
        result.observe(observable, value, state === undefined ? attributes : { ...attributes, [STATE]: state });
      }
    }
  };
  const observables = observed.map(({ observable }) => observable);
  meter.addBatchObservableCallback(observe, observables);
  return () => meter.removeBatchObservableCallback(observe, observables);
}

function requireMethods(name: string, value: unknown, methods: readonly string[], must: string): void {
  const object = value as Record<string, unknown> | null | undefined;
  if (methods.some((method) => typeof object?.[method] !== 'function')) throw new TypeError(`${WHERE}: \`${name}\` must ${must}`);
}

function readAttributes(options: ObserveOptions): OtelAttributes {
  if (typeof options !== 'object' || options === null) throw new TypeError(`${WHERE}: \`options\` must be an object`);
  for (const name of Object.keys(options)) {
    if (name !== 'attributes') throw new TypeError(`${WHERE}: unknown option \`${name}\``);
  }
  const { attributes = {} } = options;
  if (typeof attributes !== 'object' || attributes === null) throw new TypeError(`${WHERE}: \`attributes\` must be an object`);
  for (const [name, value] of Object.entries(attributes)) {
    if (!['string', 'number', 'boolean'].includes(typeof value))
      throw new TypeError(`${WHERE}: \`attributes.${name}\` must be a text, a number or a boolean`);
  }
  return { ...attributes };
}
