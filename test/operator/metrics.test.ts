import { describe, expect, it } from 'vitest';
import { bearer, createLatchkey } from '../../src/index.js';
import { METRICS_TYPE, metricsText } from '../../src/operator/metrics.js';
import type { Stats } from '../../src/stats.js';
import { manualClock } from '../support/clock.js';
import { coordinatedStore } from '../support/coordinated.js';
import { secretsIn } from '../support/secret-forms.js';

const A = bearer('metrics-secret-a');
const B = bearer('metrics-secret-b');

interface Family {
  readonly type: string;
  readonly help: string;
  readonly samples: Map<string, number>;
}

/** The text format 0.0.4, as strictly as Prometheus's documentation words it; it throws for anything else. */
function parse(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line must end with a line feed');
  const families = new Map<string, Family>();
  let name = '';
  let help: string | undefined;
  for (const line of text.slice(0, -1).split('\n')) {
    const [, helped, words] = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) ((?:[^\\]|\\\\|\\n)+)$/.exec(line) ?? [];
    const [, typed, type] = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)$/.exec(line) ?? [];
    const [, sample, labels, value] =
      /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\\\|\\"|\\n)*"(?:,[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\\\|\\"|\\n)*")*\})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|[+-]Inf|NaN)$/.exec(
        line,
      ) ?? [];
    if (helped !== undefined && words !== undefined) {
      // All lines of a metric are one group, and there is one of each.
      if (families.has(helped) || help !== undefined) throw new Error(`out of order: ${line}`);
      name = helped;
      help = words;
    } else if (typed !== undefined && type !== undefined) {
      if (typed !== name || help === undefined) throw new Error(`out of order: ${line}`);
      if ((type === 'counter') !== typed.endsWith('_total')) throw new Error(`a counter, and only one, ends with _total: ${line}`);
      families.set(typed, { type, help, samples: new Map() });
      help = undefined;
    } else if (sample !== undefined) {
      const { samples } = families.get(sample) ?? {};
      if (sample !== name || samples === undefined || samples.has(labels ?? '')) throw new Error(`out of order: ${line}`);
      samples.set(labels ?? '', Number(value));
    } else throw new Error(`no line of the format: ${line}`);
  }
  for (const [one, { samples }] of families) if (samples.size === 0) throw new Error(`${one} has no sample`);
  return families;
}

const values = (text: string): Record<string, number> =>
  Object.fromEntries([...parse(text)].flatMap(([name, { samples }]) => [...samples].map(([labels, value]) => [name + labels, value])));

describe('metrics', () => {
  it('are every counter and gauge of the stats, and the scopes by state', () => {
    const clock = manualClock();
    const latchkey = createLatchkey({ clock });
    for (const session of ['s', 't', 'u', 'v']) latchkey.capture({ session, provider: 'p' }, session === 't' ? B : A);
    latchkey.capture({ session: 'w', provider: 'q' }, bearer('metrics-secret-c', { expiresAt: clock.now() + 1 }));
    clock.advance(1);
    for (const [session, outcome] of [
      ['s', 401],
      ['t', 200],
    ] as const) {
      const found = latchkey.resolve({ session, provider: 'p' });
      if (found.ok) found.lease.settle(outcome);
    }
    // Each has a number of its own, so that none is mistaken for another.
    const stats = Object.fromEntries(Object.keys(latchkey.stats()).map((name, index) => [name, index + 1])) as unknown as Stats;
    const { store: _, errors, sessions, identities, tombstones, running, waiting, openIncidents, refreshing, ...counters } = stats;
    const total = Object.fromEntries(
      Object.entries({ ...counters, errors }).map(([name, value]) => [
        `latchkey_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}_total`,
        value,
      ]),
    );
    expect(values(metricsText({ ...latchkey, stats: () => ({ ...stats, store: undefined }) }))).toEqual({
      ...total,
      latchkey_sessions: sessions,
      latchkey_identities: identities,
      latchkey_tombstones: tombstones,
      latchkey_running: running,
      latchkey_waiting: waiting,
      latchkey_open_incidents: openIncidents,
      latchkey_refreshing: refreshing,
      'latchkey_scopes{state="ready"}': 1,
      'latchkey_scopes{state="borrowing"}': 0,
      'latchkey_scopes{state="refreshing"}': 0,
      'latchkey_scopes{state="auth_retrying"}': 0,
      'latchkey_scopes{state="blocked"}': 4,
      'latchkey_scopes{state="held"}': 0,
      'latchkey_scopes{state="expired"}': 2,
    });
    expect(values(metricsText(latchkey))).toMatchObject({ latchkey_captures_total: 5, latchkey_sessions: 5, latchkey_open_incidents: 1 });
  });

  it('say whether the store answers, where there is one', () => {
    const store = coordinatedStore({ claim: async () => undefined, release: () => {} } as never);
    const latchkey = createLatchkey({ store });
    expect(values(metricsText(latchkey))['latchkey_store_up']).toBe(1);
    store.up = false;
    expect(values(metricsText(latchkey))['latchkey_store_up']).toBe(0);
    expect(metricsText(createLatchkey())).not.toContain('store');
  });

  it('hold nothing that a client chooses, and as many lines for many sessions as for none', () => {
    const latchkey = createLatchkey();
    const before = [...parse(metricsText(latchkey)).keys()];
    for (let number = 0; number < 50; number++)
      latchkey.capture({ tenant: `tenant-"\n${number}`, session: `session-${number}`, provider: `provider-${number}` }, number % 2 ? A : B);
    const text = metricsText(latchkey);
    expect([...parse(text).keys()]).toEqual(before);
    expect(text).not.toMatch(/tenant-|session-|provider-/);
    for (const { fingerprint } of [A, B]) expect(text).not.toContain(fingerprint);
    expect(secretsIn(text, ['metrics-secret-a', 'metrics-secret-b'])).toEqual([]);
    expect(METRICS_TYPE).toBe('text/plain; version=0.0.4; charset=utf-8');
  });
});
