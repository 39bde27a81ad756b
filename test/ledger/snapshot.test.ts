import { describe, expect, it } from 'vitest';
import { bearer, createLatchkey, type Latchkey, type LatchkeyOptions, type Scope, type Snapshot } from '../../src/index.js';
import { answering } from '../support/answering.js';
import { manualClock, START } from '../support/clock.js';

const A = bearer('value-a');
const B = bearer('value-b');

const gateway = (options: LatchkeyOptions = {}): Latchkey => createLatchkey({ clock: manualClock(), ...options });

function settle(latchkey: Latchkey, scope: Scope, outcome: number | { holdMs: number; reason?: string }): void {
  const resolution = latchkey.resolve(scope);
  if (!resolution.ok) throw new Error('blocked');
  resolution.lease.settle(outcome);
}

/** As it would come back from a file. */
const throughJson = (snapshot: Snapshot): Snapshot => JSON.parse(JSON.stringify(snapshot)) as Snapshot;

describe('a snapshot', () => {
  it('lists slots, verdicts and open incidents by fingerprint, and no value', async () => {
    const latchkey = gateway();
    latchkey.capture({ tenant: 't', session: 'S', provider: 'P' }, A);
    latchkey.capture({ tenant: 't' }, B);
    latchkey.pin({ purpose: 'warming' }, B);
    await latchkey.run({ tenant: 't', session: 'S', provider: 'P' }, answering({ 'value-a': 401 }).attempt).catch(() => {});
    const snapshot = latchkey.snapshot();
    expect(snapshot).toMatchObject({ version: 1, at: START });
    const scoped = (slot: string) =>
      snapshot.slots.filter((one) => one.slot === slot).map(({ scope, fingerprint }) => ({ scope, fingerprint }));
    expect(scoped('session')).toEqual([{ scope: { tenant: 't', session: 'S', provider: 'P' }, fingerprint: A.fingerprint }]);
    expect(scoped('global')).toEqual([
      { scope: { tenant: 't', provider: 'P' }, fingerprint: A.fingerprint },
      { scope: { tenant: 't' }, fingerprint: B.fingerprint },
    ]);
    expect(scoped('pinned')).toEqual([{ scope: { purpose: 'warming' }, fingerprint: B.fingerprint }]);
    expect(snapshot.verdicts).toEqual([
      {
        provider: 'P',
        fingerprint: A.fingerprint,
        verdict: { state: 'rejected', reach: 'identity', status: 401, since: START },
        scopes: [],
      },
    ]);
    expect(snapshot.incidents).toMatchObject([{ provider: 'P', fingerprint: A.fingerprint, status: 401, scopeCount: 1 }]);
    expect(JSON.stringify(snapshot)).not.toMatch(/value-[ab]/);
  });

  it('is data of its own: changing it changes nothing', () => {
    const latchkey = gateway();
    latchkey.capture('S', A).settle(401);
    const snapshot = latchkey.snapshot();
    (snapshot.slots as unknown[]).length = 0;
    (snapshot.verdicts[0] as { fingerprint: string }).fingerprint = 'x';
    expect(latchkey.snapshot()).toMatchObject({ slots: [{}, {}], verdicts: [{ fingerprint: A.fingerprint }] });
  });

  it.each<[string, (snapshot: Snapshot) => LatchkeyOptions['tombstones']]>([
    ['the snapshot', (snapshot) => snapshot],
    ['the snapshot through JSON', throughJson],
    ['its verdicts', (snapshot) => snapshot.verdicts],
  ])('case 22: with %s as tombstones, a dead token captured after a restart is not sent', async (_, tombstones) => {
    const before = gateway();
    before.capture('S', A);
    settle(before, 'S', 401);
    const after = gateway({ tombstones: tombstones(before.snapshot()) });
    expect(after.stats()).toMatchObject({ sessions: 0, identities: 1, tombstones: 1, openIncidents: 0 });
    expect(after.resolve('S')).toEqual({ ok: false, reason: 'missing' });
    expect(after.capture('S', A)).toMatchObject({ changed: true, usable: false });
    const upstream = answering();
    await expect(after.run('S', upstream.attempt)).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED', status: 401, since: START });
    expect(upstream.sent).toEqual([]);
    expect(after.capture('S', B)).toMatchObject({ changed: true, usable: true });
    await after.run('S', upstream.attempt);
    expect(upstream.sent).toEqual(['value-b']);
  });

  it('case 22: 403 marks come back for their scopes, and for no other', () => {
    const before = gateway();
    const scopes: Scope[] = ['S', { tenant: 't', session: 'S' }, { session: '\0odd:"|', purpose: '__proto__' }, {}];
    for (const scope of scopes) {
      before.capture(scope, A);
      settle(before, scope, 403);
    }
    const after = gateway({ tombstones: throughJson(before.snapshot()) });
    for (const scope of scopes) {
      after.capture(scope, A);
      expect(after.resolve(scope)).toMatchObject({ ok: false, reason: 'rejected', status: 403 });
    }
    expect(after.canRun('T')).toBe(true);
    expect(after.canRun({ session: 'S', purpose: 'warming' })).toBe(true);
  });

  it('case 22: a hold comes back with its end and its reason', () => {
    const before = gateway();
    before.capture('S', A);
    settle(before, 'S', { holdMs: 10_000, reason: 'budget' });
    const clock = manualClock(START + 5_000);
    const after = createLatchkey({ clock, tombstones: throughJson(before.snapshot()) });
    const capture = after.capture('S', A);
    expect(after.resolve('S')).toMatchObject({ ok: false, reason: 'held', until: START + 10_000 });
    expect(capture.settle(404)).toMatchObject({ state: 'held', reason: 'budget' });
    clock.advance(5_000);
    expect(after.canRun('S')).toBe(true);
  });

  it('case 22: acceptances do not come back: what worked then may not now', () => {
    const before = gateway();
    before.capture('S', A).settle(200);
    const after = gateway({ tombstones: before.snapshot() });
    expect(after.stats().identities).toBe(0);
    expect(after.capture('S', A).settle(404)).toEqual({ state: 'unproven' });
  });

  it('case 22: what an earlier process knew gives way to any outcome since, and to forgiveness', () => {
    const before = gateway();
    before.capture('S', A).settle(401);
    before.capture('S', B).settle(401);
    const after = gateway({ tombstones: before.snapshot(), fallback: 'none' });
    after.capture('S', A).settle(200);
    expect(after.canRun('S')).toBe(true);
    after.capture('T', B);
    after.forgive(B.fingerprint);
    expect(after.canRun('T')).toBe(true);
  });

  it('case 22: it is given on by the next process too', () => {
    const before = gateway();
    before.capture('S', A).settle(401);
    const between = gateway({ tombstones: before.snapshot() });
    expect(between.snapshot().verdicts).toEqual(before.snapshot().verdicts);
  });

  it('case 8: aliases of a provider are folded in tombstones too', () => {
    const before = gateway();
    before.capture({ session: 'S', provider: 'amazon-bedrock' }, A).settle(401);
    const after = gateway({ tombstones: before.snapshot(), canonicalProvider: () => 'bedrock' });
    expect(after.capture({ session: 'S', provider: 'amazon-bedrock' }, A).usable).toBe(false);
  });

  it('case 20: tombstones are subject to `limits.identities`', () => {
    const before = gateway();
    for (let index = 0; index < 10; index++) before.capture('S', bearer(`dead-${index}`)).settle(401);
    const after = gateway({ tombstones: before.snapshot(), limits: { identities: 4 } });
    expect(after.stats()).toMatchObject({ identities: 4, tombstones: 4 });
  });

  const verdict = { state: 'rejected', reach: 'identity', status: 401, since: START };
  const good = { fingerprint: A.fingerprint, verdict, scopes: [] };
  it.each<[string, unknown]>([
    ['null', null],
    ['a number', 7],
    ['an object without verdicts', {}],
    ['verdicts that are no list', { verdicts: {} }],
    ['a list with null', [null]],
    ['a list with a fingerprint alone', [A.fingerprint]],
    ['no fingerprint', [{ ...good, fingerprint: undefined }]],
    ['a fingerprint that is none', [{ ...good, fingerprint: 'value-a' }]],
    ['an upper-case fingerprint', [{ ...good, fingerprint: 'ABCDEF0123456789' }]],
    ['a provider that is no string', [{ ...good, provider: 5 }]],
    ['an empty provider', [{ ...good, provider: '' }]],
    ['no scopes', [{ ...good, scopes: undefined }]],
    ['a scope that is null', [{ ...good, scopes: [null] }]],
    ['a scope without parts', [{ ...good, scopes: [{ verdict }] }]],
    ['a scope’s part that is no string', [{ ...good, scopes: [{ scope: { session: 5 }, verdict }] }]],
    ['a scope without a verdict', [{ ...good, scopes: [{ scope: { session: 'S' } }] }]],
    ['no verdict', [{ ...good, verdict: undefined }]],
    ['a verdict that is a word', [{ ...good, verdict: 'rejected' }]],
    ['an unknown state', [{ ...good, verdict: { state: 'dead' } }]],
    ['a hold without an end', [{ ...good, verdict: { state: 'held', since: START } }]],
  ])('bad tombstones: %s is a TypeError that names them', (_, tombstones) => {
    expect(() => createLatchkey({ tombstones: tombstones as never })).toThrow(TypeError);
    expect(() => createLatchkey({ tombstones: tombstones as never })).toThrow(/`tombstones`/);
  });
});
