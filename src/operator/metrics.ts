import type { Latchkey } from '../api.js';
import { INSTRUMENTS, type Instrument, type Measurement, takeReading } from './instruments.js';

/** What `metricsText` is to be sent as. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Everything that is measured, in Prometheus's text format 0.0.4. Holds no tenant, session or fingerprint. */
export function metricsText(latchkey: Latchkey): string {
  const reading = takeReading(latchkey);
  return INSTRUMENTS.map((instrument) => family(instrument, instrument.read(reading))).join('');
}

function family({ name, kind, help }: Instrument, measurements: readonly Measurement[]): string {
  if (measurements.length === 0) return '';
  const full = `latchkey_${name}${kind === 'counter' ? '_total' : ''}`;
  const samples = measurements.map(({ value, state }) => `${full}${state === undefined ? '' : `{state="${state}"}`} ${value}\n`);
  return `# HELP ${full} ${help}\n# TYPE ${full} ${kind}\n${samples.join('')}`;
}
