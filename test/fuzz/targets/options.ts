import fc from 'fast-check';
import { createAuthFetch } from '../../../src/adapters/fetch.js';
import { createUnauthorizedMonitor } from '../../../src/adapters/proxy/monitor.js';
import { createGuard } from '../../../src/guard/guard.js';
import { createIdleLoop, createLatchkey } from '../../../src/index.js';
import { sessionCookies } from '../../../src/signals/cookies.js';
import { createSessionGate } from '../../../src/signals/session-gate.js';
import { ended, within } from '../ground.js';
import { target } from '../target.js';
import { anyHostile } from '../values.js';

const NAMES = {
  latchkey: [
    'tenancy',
    'fallback',
    'canonicalProvider',
    'canary',
    'canaryMs',
    'proofMs',
    'limits',
    'idleMs',
    'classify',
    'report',
    'reporter',
    'expiry',
    'refresh',
    'refreshMs',
    'refreshKey',
    'probe',
    'strikes',
    'tombstones',
    'store',
    'clock',
    'other',
  ],
  run: ['whenBlocked', 'parkMs', 'signal', 'timeoutMs', 'urgent', 'minTtlMs', 'fallback', 'rejected', 'once', 'transient', 'other'],
  loop: ['everyMs', 'items', 'scope', 'key', 'task', 'concurrency', 'wakeOnFreshAuth', 'onError', 'other'],
  gate: ['verify', 'refresh', 'loginPath', 'apiPrefix', 'trusted', 'timeoutMs', 'reuseMs', 'limit', 'onError', 'other'],
  guard: ['token', 'realm', 'healthPath', 'clientCertificates', 'onRefused', 'other'],
  monitor: ['scope', 'provisional', 'onUnauthorized', 'onWorkload', 'credential', 'limit', 'onError', 'clock', 'other'],
  fetch: ['scope', 'origins', 'allowCleartext', 'placeholder', 'fetch', 'whenBlocked', 'transient', 'other'],
} as const;

const latchkey = createLatchkey();
const cookies = sessionCookies({ https: true });

/** What each cannot do without. */
const NEEDED: Readonly<Record<keyof typeof NAMES, object>> = {
  latchkey: {},
  run: {},
  loop: { everyMs: 1_000, items: () => [], scope: () => 's', task: async () => {} },
  gate: { cookies, verify: () => true },
  guard: {},
  monitor: { scope: () => 's' },
  fetch: { scope: 's' },
};
const MAKE: Readonly<Record<keyof typeof NAMES, (options: never) => unknown>> = {
  latchkey: (options) => void createLatchkey(options).close({ timeoutMs: 0 }),
  run: () => undefined,
  loop: (options) => createIdleLoop(latchkey, options),
  gate: createSessionGate,
  guard: createGuard,
  monitor: (options) => createUnauthorizedMonitor(latchkey, options),
  fetch: (options) => createAuthFetch(latchkey, options),
};

const anyOptions = fc.constantFrom(...(Object.keys(NAMES) as (keyof typeof NAMES)[])).chain((of) =>
  fc.record({
    of: fc.constant(of),
    entries: fc.array(fc.tuple(fc.constantFrom(...NAMES[of]), anyHostile()), { maxLength: 2 }),
    whole: fc.option(anyHostile(), { nil: undefined, freq: 10 }),
  }),
);

export const optionsTarget = target({
  name: 'options of everything that is created',
  share: 2,
  input: anyOptions,
  async check({ of, entries, whole }) {
    const options = whole === undefined ? { ...NEEDED[of], ...Object.fromEntries(entries.map(([name, make]) => [name, make()])) } : whole();
    if (of === 'run')
      await ended(
        Promise.resolve().then(() => latchkey.run('nobody', () => 'fine', withTime(options) as never)),
        'passed on',
      );
    else within(() => MAKE[of](options as never), 'passed on');
  },
});

/** A run that parks is given no time to. */
function withTime(options: unknown): unknown {
  const isParking =
    typeof options === 'object' && options !== null && Object.getOwnPropertyDescriptor(options, 'whenBlocked')?.value === 'park';
  return isParking ? { ...options, timeoutMs: 0 } : options;
}
