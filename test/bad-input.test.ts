import { describe, expect, it } from 'vitest';
import { bearer, createLatchkey, type Latchkey } from '../src/index.js';
import { manualClock } from './support/clock.js';
import { hearAll } from './support/heard.js';

const A = bearer('value-a');
const nothing = (): undefined => undefined;

/** A gateway that knows a bit of everything. */
function gateway(): Latchkey {
  const latchkey = createLatchkey({ clock: manualClock() });
  latchkey.capture('S', A).settle(200);
  latchkey.capture({ session: 'T', provider: 'P' }, bearer('value-b')).settle(401);
  latchkey.pin({ provider: 'Q' }, A);
  return latchkey;
}

/** A call with something bad in it, and what the TypeError must name. */
type Bad = readonly [what: string, call: (latchkey: Latchkey) => unknown, names: RegExp];

const BAD_SCOPES: readonly [string, unknown, RegExp][] = [
  ['no scope', undefined, /^scope: /],
  ['a null scope', null, /^scope: /],
  ['a number', 7, /^scope: /],
  ['a function', nothing, /^scope: /],
  ['an empty session', '', /`session` is empty/],
  ['an empty session part', { session: '' }, /`session` is empty/],
  ['an empty tenant', { tenant: '' }, /`tenant` is empty/],
  ['an empty provider', { provider: '' }, /`provider` is empty/],
  ['an empty purpose', { purpose: '' }, /`purpose` is empty/],
  ['a session of more than 1,024 characters', 's'.repeat(1_025), /`session` is longer than 1024 characters/],
  ['a tenant of more than 1,024 characters', { tenant: 't'.repeat(1_025) }, /`tenant` is longer than 1024 characters/],
  ['a null session', { session: null }, /`session` must be a string/],
  ['a numeric session', { session: 5 }, /`session` must be a string/],
  ['a numeric provider', { provider: 5 }, /`provider` must be a string/],
  ['an unknown part', { sesion: 'S' }, /`sesion`/],
  ['a list', ['S'], /string or a plain object/],
  ['a promise', Promise.resolve({ session: 'S' }), /string or a plain object/],
  ['a date', new Date(), /string or a plain object/],
  ['an empty list', [], /string or a plain object/],
];

const WITH_SCOPE: readonly [string, (latchkey: Latchkey, scope: never) => unknown][] = [
  ['capture', (latchkey, scope) => latchkey.capture(scope, A)],
  ['pin', (latchkey, scope) => latchkey.pin(scope, A)],
  ['resolve', (latchkey, scope) => latchkey.resolve(scope)],
  ['canRun', (latchkey, scope) => latchkey.canRun(scope)],
  ['explain', (latchkey, scope) => latchkey.explain(scope)],
  ['run', (latchkey, scope) => latchkey.run(scope, nothing)],
  ['whenRunnable', (latchkey, scope) => latchkey.whenRunnable(scope)],
  ['forgive', (latchkey, scope) => latchkey.forgive(scope)],
];

const scopes: Bad[] = WITH_SCOPE.flatMap(([name, call]) =>
  BAD_SCOPES.map(([what, scope, names]): Bad => [`${name} with ${what}`, (latchkey) => call(latchkey, scope as never), names]),
);

const bad = (value: unknown): never => value as never;

const evictions: Bad[] = [
  ['evict with nothing', (latchkey) => latchkey.evict(bad(undefined)), /^scope: /],
  ['evict with null', (latchkey) => latchkey.evict(bad(null)), /^scope: /],
  ['evict with neither', (latchkey) => latchkey.evict({}), /`session`.*`tenant`/],
  ['evict with undefined parts', (latchkey) => latchkey.evict({ tenant: undefined, session: undefined }), /`session`.*`tenant`/],
  ['evict with a provider', (latchkey) => latchkey.evict(bad({ session: 'S', provider: 'P' })), /`provider`/],
  ['evict with an empty session', (latchkey) => latchkey.evict(''), /`session`/],
  ['evict with an empty tenant', (latchkey) => latchkey.evict({ tenant: '' }), /`tenant`/],
];

const captures: Bad[] = [
  ['capture with no credential', (latchkey) => latchkey.capture('S', bad(undefined)), /`credential`/],
  ['capture with null', (latchkey) => latchkey.capture('S', bad(null)), /`credential`/],
  ['capture with a bare value', (latchkey) => latchkey.capture('S', bad('value-c')), /`credential`/],
  ['capture with a look-alike', (latchkey) => latchkey.capture('S', bad({ scheme: 'bearer', value: 'value-c' })), /`credential`/],
  ['capture with an unknown option', (latchkey) => latchkey.capture('S', A, bad({ tentative: true })), /`tentative`/],
  ['capture with null options', (latchkey) => latchkey.capture('S', A, bad(null)), /`options`/],
  ['capture with a flag for options', (latchkey) => latchkey.capture('S', A, bad(true)), /`options`/],
  ['capture, provisional in words', (latchkey) => latchkey.capture('S', A, bad({ provisional: 'yes' })), /`provisional`/],
  ['pin with a session', (latchkey) => latchkey.pin({ session: 'S', provider: 'P' }, A), /`session`/],
  ['pin with a bare string', (latchkey) => latchkey.pin('S', A), /`session`/],
  ['pin with no credential', (latchkey) => latchkey.pin({ provider: 'P' }, bad(undefined)), /`credential`/],
  ['pin with a bare value', (latchkey) => latchkey.pin({ provider: 'P' }, bad('value-c')), /`credential`/],
  ['on with an unknown event', (latchkey) => latchkey.on(bad('reject'), nothing), /`reject`/],
  ['on with a name of Object’s', (latchkey) => latchkey.on(bad('constructor'), nothing), /`constructor`/],
  ['on with a symbol', (latchkey) => latchkey.on(bad(Symbol('odd')), nothing), /odd/],
  ['on without a listener', (latchkey) => latchkey.on('rejected', bad(undefined)), /`listener`/],
  ['on with an object', (latchkey) => latchkey.on('rejected', bad({ handleEvent: nothing })), /`listener`/],
];

const runOptions: readonly [string, unknown, RegExp][] = [
  ['null options', null, /`options`/],
  ['a word for options', 'skip', /`options`/],
  ['an unknown option', { whenblocked: 'skip' }, /`whenblocked`/],
  ['an unknown whenBlocked', { whenBlocked: 'wait' }, /`whenBlocked`/],
  ['a negative parkMs', { parkMs: -1 }, /`parkMs`/],
  ['timeoutMs in words', { timeoutMs: '5s' }, /`timeoutMs`/],
  ['no number for timeoutMs', { timeoutMs: Number.NaN }, /`timeoutMs`/],
  ['a signal that is none', { signal: new AbortController() }, /`signal`/],
  ['urgent in words', { urgent: 'yes' }, /`urgent`/],
  ['a fallback that widens', { fallback: 'global' }, /`fallback`/],
  ['an unknown rejected', { rejected: 'ignore' }, /`rejected`/],
  ['transient as a number', { transient: 3 }, /`transient`/],
  ['null transient', { transient: null }, /`transient`/],
  ['transient without retries', { transient: {} }, /`transient.retries`/],
  ['negative retries', { transient: { retries: -1 } }, /`transient.retries`/],
  ['an unknown transient option', { transient: { retries: 1, factor: 2 } }, /`transient.factor`/],
  ['a negative minMs', { transient: { retries: 1, minMs: -1 } }, /`transient.minMs`/],
  ['an infinite maxMs', { transient: { retries: 1, maxMs: Number.POSITIVE_INFINITY } }, /`transient.maxMs`/],
  ['a negative maxRetryAfterMs', { transient: { retries: 1, maxRetryAfterMs: -1 } }, /`transient.maxRetryAfterMs`/],
];

const promised: Bad[] = [
  ...runOptions.map(([what, options, names]): Bad => [`run with ${what}`, (latchkey) => latchkey.run('S', nothing, bad(options)), names]),
  ['run without an attempt', (latchkey) => latchkey.run('S', bad(undefined)), /`attempt`/],
  ['run with a promise for an attempt', (latchkey) => latchkey.run('S', bad(Promise.resolve())), /`attempt`/],
  ['whenRunnable with null options', (latchkey) => latchkey.whenRunnable('S', bad(null)), /`options`/],
  ['whenRunnable with an unknown option', (latchkey) => latchkey.whenRunnable('S', bad({ parkMs: 5 })), /`parkMs`/],
  ['whenRunnable with a negative timeoutMs', (latchkey) => latchkey.whenRunnable('S', { timeoutMs: -1 }), /`timeoutMs`/],
  ['whenRunnable with no signal', (latchkey) => latchkey.whenRunnable('S', { signal: bad('x') }), /`signal`/],
  ['close with null options', (latchkey) => latchkey.close(bad(null)), /`options`/],
  ['close with a number', (latchkey) => latchkey.close(bad(5_000)), /`options`/],
  ['close with an unknown option', (latchkey) => latchkey.close(bad({ timeout: 5 })), /`timeout`/],
  ['close with a negative timeoutMs', (latchkey) => latchkey.close({ timeoutMs: -1 }), /`timeoutMs`/],
  ['close with timeoutMs in words', (latchkey) => latchkey.close({ timeoutMs: bad('5') }), /`timeoutMs`/],
  ['close with no number', (latchkey) => latchkey.close({ timeoutMs: Number.NaN }), /`timeoutMs`/],
];

const settlements: Bad[] = [
  ['a negative hold', { holdMs: -1 }],
  ['a hold in words', { holdMs: '5s' }],
  ['an endless hold', { holdMs: Number.POSITIVE_INFINITY }],
  ['a hold of no number', { holdMs: Number.NaN }],
  ['a null hold', { holdMs: null }],
  ['an undefined hold', { holdMs: undefined }],
].flatMap(([what, outcome]): Bad[] => [
  [
    `lease.settle with ${what as string}`,
    (latchkey) => {
      const resolution = latchkey.resolve('S');
      if (resolution.ok) resolution.lease.settle(outcome as object);
    },
    /`holdMs`/,
  ],
]);

const PROMISING = /^(run|whenRunnable|close) /;

describe('bad input', () => {
  it.each([...scopes, ...evictions, ...captures, ...promised, ...settlements])(
    '%s is a TypeError that names it, and nothing is lost',
    async (what, call, names) => {
      const latchkey = gateway();
      const heard = hearAll(latchkey);
      const before = [latchkey.snapshot(), latchkey.stats()];
      let thrown: unknown;
      try {
        const result = call(latchkey);
        // What gives promises rejects, and never throws at the caller.
        expect(PROMISING.test(what)).toBe(true);
        await result;
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(TypeError);
      expect((thrown as Error).message).toMatch(names);
      expect((thrown as Error).message).not.toContain('value-');
      expect([latchkey.snapshot(), latchkey.stats()]).toEqual(before);
      expect(heard).toEqual([]);
      expect(await latchkey.run('S', () => 'works')).toBe('works');
    },
  );

  it('capture.settle with a bad hold leaves the verdict as it was', () => {
    const latchkey = gateway();
    const capture = latchkey.capture('S', A);
    const before = latchkey.snapshot();
    expect(() => capture.settle({ holdMs: -1 })).toThrow(/`holdMs`/);
    expect(latchkey.snapshot()).toEqual(before);
    expect(capture.usable).toBe(true);
  });
});
