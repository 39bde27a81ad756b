import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bearer, createLatchkey, type Latchkey, type LatchkeyOptions, type Scope } from '../../src/index.js';
import { incidentRows, sameCounts, sameIncidents } from '../../src/operator/incident-rows.js';
import type { ScopeRow } from '../../src/operator/messages.js';
import { countStates, sameRow, scopeRows } from '../../src/operator/rows.js';
import { Gateway, manyOperations } from '../property/operations.js';
import { statusError } from '../support/attempts.js';
import { manualClock, START } from '../support/clock.js';

const A = bearer('row-secret-a');
const B = bearer('row-secret-b');
const S = { session: 's', provider: 'p' };
const T = { session: 't', provider: 'p' };

function gateway(options: LatchkeyOptions = {}): { latchkey: Latchkey; clock: ReturnType<typeof manualClock> } {
  const clock = manualClock();
  return { latchkey: createLatchkey({ clock, ...options }), clock };
}

function settle(latchkey: Latchkey, scope: Scope, outcome: unknown): void {
  const found = latchkey.resolve(scope);
  if (!found.ok) throw new Error(`nothing to settle: ${found.reason}`);
  found.lease.settle(outcome);
}

/** As they are sent: without what is undefined, and without the key. */
function shown(rows: readonly ScopeRow[]): object[] {
  return JSON.parse(JSON.stringify(rows.map(({ key: _, ...row }) => row)));
}

describe('a row of each slot', () => {
  it('is ready with its own credential, and borrowing with another', () => {
    const { latchkey } = gateway();
    latchkey.capture(S, A);
    latchkey.capture(T, B);
    settle(latchkey, S, 401);
    expect(shown(scopeRows(latchkey))).toEqual([
      { slot: 'global', scope: { provider: 'p' }, state: 'ready', fingerprint: B.fingerprint },
      {
        slot: 'session',
        scope: S,
        state: 'borrowing',
        fingerprint: A.fingerprint,
        lent: B.fingerprint,
        why: 'rejected',
        status: 401,
        since: START,
      },
      { slot: 'session', scope: T, state: 'ready', fingerprint: B.fingerprint },
    ]);
  });

  it('says since when it is blocked, held or expired, and what ends by itself ends', () => {
    const { latchkey, clock } = gateway({ fallback: 'none' });
    latchkey.capture(S, A);
    latchkey.capture(T, B);
    latchkey.capture({ session: 'u', provider: 'p' }, bearer('row-secret-c', { expiresAt: START + 3_000 }));
    clock.advance(1_000);
    settle(latchkey, S, 401);
    settle(latchkey, T, { holdMs: 4_000, reason: 'quota' });
    clock.advance(2_000);
    const sessions = (): object[] => shown(scopeRows(latchkey)).filter((row) => 'slot' in row && row.slot === 'session');
    const own = { slot: 'session', fingerprint: expect.any(String) };
    const incident = expect.any(String);
    expect(sessions()).toEqual([
      { ...own, scope: S, state: 'blocked', why: 'rejected', status: 401, since: START + 1_000, incident },
      { ...own, scope: T, state: 'held', why: 'held', since: START + 1_000, until: START + 5_000 },
      { ...own, scope: { session: 'u', provider: 'p' }, state: 'expired', why: 'expired', since: START + 3_000 },
    ]);
    clock.advance(2_000);
    expect(sessions()[1]).toEqual({ ...own, scope: T, state: 'ready' });
  });

  it('shows a pin, and that sessions work with it instead of their own', () => {
    const { latchkey } = gateway();
    latchkey.capture(S, A);
    latchkey.pin({ provider: 'p', purpose: 'x' }, B);
    expect(shown(scopeRows(latchkey))).toEqual([
      { slot: 'pinned', scope: { provider: 'p', purpose: 'x' }, state: 'ready', fingerprint: B.fingerprint },
      { slot: 'global', scope: { provider: 'p' }, state: 'ready', fingerprint: A.fingerprint },
      { slot: 'session', scope: S, state: 'ready', fingerprint: A.fingerprint },
    ]);
    latchkey.pin({ provider: 'p' }, B);
    expect(countStates(scopeRows(latchkey))).toEqual({
      ready: 2,
      borrowing: 2,
      refreshing: 0,
      auth_retrying: 0,
      blocked: 0,
      held: 0,
      expired: 0,
    });
  });

  it('tells of its own credential, whatever else its work waits for', () => {
    const { latchkey } = gateway();
    latchkey.capture(S, A);
    latchkey.capture(T, B);
    settle(latchkey, S, 401);
    settle(latchkey, T, { holdMs: 4_000 });
    const [global, own, other] = scopeRows(latchkey);
    expect(own).toMatchObject({ scope: S, state: 'blocked', fingerprint: A.fingerprint, why: 'rejected', status: 401 });
    for (const row of [global, other]) expect(row).toMatchObject({ state: 'held', fingerprint: B.fingerprint, why: 'held' });
    // What is pinned in front of it is all that is asked.
    latchkey.pin({ provider: 'p' }, bearer('row-secret-pin'));
    settle(latchkey, S, 401);
    const pinned = bearer('row-secret-pin').fingerprint;
    for (const row of scopeRows(latchkey)) expect(row).toMatchObject({ state: 'blocked', why: 'rejected', status: 401 });
    expect(scopeRows(latchkey).map(({ lent }) => lent)).toEqual([undefined, pinned, pinned, pinned]);
  });

  it('names the incident that stops its work, for each of the scopes that met it and no other', async () => {
    const { latchkey } = gateway();
    latchkey.capture(T, A);
    latchkey.capture(S, B);
    const work = { ...S, purpose: 'x' };
    settle(latchkey, work, 403);
    settle(latchkey, T, 401);
    await latchkey.run(work, async () => 'never', { whenBlocked: 'skip' });
    const [incident] = incidentRows(latchkey);
    const named = scopeRows(latchkey).filter((row) => row.incident === incident?.id);
    expect(named.map(({ scope }) => scope)).toEqual(expect.arrayContaining([work]));
    expect(named.every(({ state }) => state === 'blocked')).toBe(true);
    expect(scopeRows(latchkey).find(({ scope }) => scope.session === 's' && scope.purpose === undefined)?.incident).toBeUndefined();
  });

  it('is blocked once everything is closed', async () => {
    const { latchkey } = gateway();
    latchkey.capture(S, A);
    await latchkey.close();
    expect(scopeRows(latchkey).map(({ state }) => state)).toEqual(['blocked', 'blocked']);
  });
});

describe('a row of a scope with a verdict of its own', () => {
  it('is there for a purpose that is not allowed, and only as long as that credential is what it is offered', () => {
    const { latchkey } = gateway();
    latchkey.capture(S, A);
    settle(latchkey, { ...S, purpose: 'x' }, 403);
    const rest = [
      { slot: 'global', scope: { provider: 'p' }, state: 'ready', fingerprint: A.fingerprint },
      { slot: 'session', scope: S, state: 'ready', fingerprint: A.fingerprint },
    ];
    const own = {
      slot: 'session',
      scope: { ...S, purpose: 'x' },
      state: 'blocked',
      fingerprint: A.fingerprint,
      why: 'rejected',
      status: 403,
      since: START,
      incident: expect.any(String),
    };
    expect(shown(scopeRows(latchkey))).toEqual([...rest, own]);
    latchkey.capture(S, B);
    expect(scopeRows(latchkey)).toHaveLength(2);
    latchkey.evict('s');
    expect(scopeRows(latchkey)).toEqual([]);
  });

  it('is not there where a slot stands for it, whoever brought what was rejected', () => {
    const { latchkey } = gateway();
    latchkey.capture(T, B);
    latchkey.capture(S, A);
    settle(latchkey, S, 403);
    // The global credential is the session's own, so that nothing is left for it.
    expect(shown(scopeRows(latchkey)).filter((row) => JSON.stringify(row).includes('"s"'))).toEqual([
      {
        slot: 'session',
        scope: S,
        state: 'blocked',
        fingerprint: A.fingerprint,
        why: 'rejected',
        status: 403,
        since: START,
        incident: expect.any(String),
      },
    ]);
  });

  it('shows a session that brought nothing, by the slot that it borrows from, once for all verdicts', () => {
    const { latchkey } = gateway();
    latchkey.capture(S, A);
    settle(latchkey, { ...T, purpose: 'x' }, 403);
    latchkey.capture(T, B);
    settle(latchkey, { ...T, purpose: 'x' }, 403);
    const own = { ...T, purpose: 'x' };
    expect(shown(scopeRows(latchkey)).filter((row) => JSON.stringify(row).includes('"x"'))).toEqual([
      {
        slot: 'session',
        scope: own,
        state: 'blocked',
        fingerprint: B.fingerprint,
        why: 'rejected',
        status: 403,
        since: START,
        incident: expect.any(String),
      },
    ]);
    latchkey.evict('t');
    expect(scopeRows(latchkey).filter(({ scope }) => scope.purpose === 'x')).toEqual([]);
    latchkey.capture(S, bearer('row-secret-d'));
    settle(latchkey, { session: 'nobody', provider: 'p', purpose: 'x' }, 403);
    expect(scopeRows(latchkey).filter(({ scope }) => scope.purpose === 'x')).toMatchObject([
      { slot: 'global', scope: { session: 'nobody', provider: 'p', purpose: 'x' }, state: 'blocked' },
    ]);
  });

  it('is about the pin where there is one', () => {
    const { latchkey } = gateway();
    latchkey.capture(S, A);
    settle(latchkey, { ...S, purpose: 'x' }, 403);
    latchkey.pin({ provider: 'p' }, B);
    expect(scopeRows(latchkey).filter(({ scope }) => scope.purpose === 'x')).toEqual([]);
    settle(latchkey, { ...S, purpose: 'x' }, 403);
    expect(scopeRows(latchkey).filter(({ scope }) => scope.purpose === 'x')).toMatchObject([
      { slot: 'pinned', scope: { ...S, purpose: 'x' }, state: 'blocked', fingerprint: B.fingerprint },
    ]);
  });
});

describe('a row of a slot that others have to work with', () => {
  const stop = (latchkey: Latchkey, scope: Scope): Promise<unknown> =>
    expect(latchkey.run(scope, () => Promise.reject(statusError(401)))).rejects.toThrow();
  const stopped = (latchkey: Latchkey): string[][] =>
    scopeRows(latchkey)
      .filter(({ incident }) => incident !== undefined && incident === incidentRows(latchkey)[0]?.id)
      .map(({ slot, scope }) => [slot, scope.session ?? '']);

  it('names the incident of a session that brought nothing: it has no row of its own', async () => {
    const { latchkey } = gateway({ canary: 'off' });
    latchkey.capture(S, A);
    await stop(latchkey, { session: 'nobody', provider: 'p' });
    expect(stopped(latchkey)).toEqual([['global', '']]);
    await stop(latchkey, S);
    expect(stopped(latchkey)).toEqual([
      ['global', ''],
      ['session', 's'],
    ]);
  });

  it('names that of work which the pin stopped, whatever else its session works with', async () => {
    const { latchkey } = gateway({ canary: 'off' });
    latchkey.capture(S, A);
    latchkey.pin({ provider: 'p', purpose: 'x' }, B);
    await stop(latchkey, { ...S, purpose: 'x' });
    expect(stopped(latchkey)).toEqual([['pinned', '']]);
  });
});

describe('rows', () => {
  it('have keys of their own, however the parts of their scopes are chosen', () => {
    const { latchkey } = gateway();
    const names = ['a', 'a,a', '-', ',', '"', '","', 'null', '\0', '\ud800', '\\ud800', '1:a', 'a"b', 'toString', '__proto__'];
    for (const one of names) {
      for (const other of names) {
        latchkey.capture({ tenant: one, session: other }, A);
        latchkey.capture({ session: one, provider: other }, A);
      }
    }
    const expected = 2 * names.length ** 2;
    const rows = scopeRows(latchkey);
    const sessions = rows.filter(({ slot }) => slot === 'session');
    expect(sessions).toHaveLength(expected);
    expect(new Set(rows.map(({ key }) => key)).size).toBe(rows.length);
    expect(scopeRows(latchkey)).toEqual(rows);
  });

  it('have short keys, however long the names', () => {
    const { latchkey } = gateway();
    for (const last of ['a', 'b']) latchkey.capture({ session: `${'"'.repeat(1_000)}${last}` }, A);
    const keys = scopeRows(latchkey).map(({ key }) => key);
    expect(new Set(keys).size).toBe(3);
    for (const key of keys) expect(key.length).toBeLessThanOrEqual(256);
  });

  it('are the same only if nothing that is shown differs', () => {
    const row: ScopeRow = {
      key: 'k',
      slot: 'session',
      scope: S,
      state: 'held',
      fingerprint: 'f',
      lent: 'l',
      why: 'held',
      incident: 'i',
      status: 1,
      since: 2,
      until: 3,
      refreshingSince: 4,
      next: 5,
      probe: true,
    };
    expect(sameRow(row, { ...row })).toBe(true);
    const others = {
      state: 'blocked',
      fingerprint: 'g',
      lent: undefined,
      why: 'expired',
      incident: 'j',
      status: 2,
      since: 3,
      until: 4,
      refreshingSince: 5,
      next: undefined,
      probe: undefined,
    } as const;
    for (const [name, value] of Object.entries(others)) expect([name, sameRow(row, { ...row, [name]: value })]).toEqual([name, false]);
  });

  it('are there for the others when one scope cannot be asked about', () => {
    const { latchkey } = gateway();
    for (const session of ['s', 't', 'u']) latchkey.capture({ session, provider: 'p' }, A);
    const broken: Latchkey = {
      ...latchkey,
      resolve(scope) {
        if (typeof scope === 'object' && scope.session === 't') throw new TypeError('no');
        return latchkey.resolve(scope);
      },
    };
    expect(scopeRows(broken).map(({ scope }) => scope.session)).toEqual([undefined, 's', 'u']);
  });

  it('say what resolve says, one for each slot, and asking for them changes nothing', () => {
    fc.assert(
      fc.property(manyOperations, (operations) => {
        const clocks = [manualClock(), manualClock()] as const;
        const [asked, unasked] = clocks.map((clock) => {
          const latchkey = createLatchkey({ clock, canary: 'off' });
          return { latchkey, gateway: new Gateway({ latchkey, model: undefined, advance: clock.advance }) };
        });
        if (asked === undefined || unasked === undefined) return;
        for (const operation of operations) {
          asked.gateway.apply(operation);
          unasked.gateway.apply(operation);
          const { latchkey } = asked;
          const rows = scopeRows(latchkey);
          incidentRows(latchkey);
          expect(new Set(rows.map(({ key }) => key)).size).toBe(rows.length);
          const slots = latchkey.snapshot().slots.map(({ slot, scope }) => ({ slot, scope }));
          expect(rows.slice(0, slots.length).map(({ slot, scope }) => ({ slot, scope }))).toEqual(slots);
          for (const { state, scope, fingerprint, lent } of rows) {
            const found = latchkey.resolve(scope);
            expect(state === 'ready' || state === 'borrowing').toBe(found.ok);
            if (found.ok) expect(found.lease.credential.fingerprint).toBe(lent ?? fingerprint);
          }
          // Every scope that is not allowed where its session's slot is, or that slot's place, is among them.
          for (const { scopes, provider, fingerprint } of latchkey.snapshot().verdicts) {
            for (const { scope } of scopes) {
              const whose = { ...scope, ...(provider === undefined ? {} : { provider }) };
              if (!latchkey.explain(whose).candidates.some((candidate) => candidate.fingerprint === fingerprint)) continue;
              expect(rows.map((row) => row.scope)).toContainEqual(whose);
            }
          }
        }
        const known = ({ latchkey }: { latchkey: Latchkey }): string =>
          JSON.stringify([latchkey.snapshot(), latchkey.stats()]).replaceAll(/"id":"[^"]*"/g, '');
        expect(known(asked)).toBe(known(unasked));
      }),
      { numRuns: 60 },
    );
  });
});

describe('a row of an open incident', () => {
  it('counts its scopes and what was not sent, and names none', async () => {
    const { latchkey } = gateway({ canary: 'off' });
    latchkey.capture(S, A);
    const rejected = (): never => {
      throw statusError(401);
    };
    await expect(latchkey.run(S, rejected)).rejects.toThrow();
    await expect(latchkey.run(T, rejected)).rejects.toThrow();
    const [row, ...others] = incidentRows(latchkey);
    expect(others).toEqual([]);
    expect(row).toEqual({
      id: latchkey.snapshot().incidents[0]?.id,
      provider: 'p',
      fingerprint: A.fingerprint,
      status: 401,
      openedAt: START,
      scopeCount: 2,
      suppressed: 1,
    });
    for (const count of ['scopeCount', 'suppressed'] as const) {
      const more = row === undefined ? [] : [{ ...row, [count]: 3 }];
      expect([sameIncidents([row!], more), sameCounts([row!], more)]).toEqual([true, false]);
    }
    latchkey.forgive(A.fingerprint);
    expect(incidentRows(latchkey)).toEqual([]);
  });
});
