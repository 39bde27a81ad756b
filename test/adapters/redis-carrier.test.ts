import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Answer, Present, StoreChange, StoredRecord } from '../../src/fleet/carrier.js';
import { describeWithRedis, type RedisServer, redisAvailable, startRedis } from '../support/redis-server.js';
import {
  answered,
  type Backend,
  IDLE_MS,
  ioRedisBackend,
  type Listening,
  listening,
  memoryBackend,
  name,
  nodeRedisBackend,
  until,
} from './redis-backends.js';

const [TENANT, OTHER, S1, S2, P, Q] = ['tenant', 'other tenant', 'session 1', 'session 2', 'provider', 'provider 2'].map(name) as [
  string,
  string,
  string,
  string,
  string,
  string,
];
const [A, B, C] = ['a', 'b', 'c'].map(name) as [string, string, string];

let server: RedisServer | undefined;
let namespaces = 0;
const NOW = Date.now();

beforeAll(async () => {
  if (redisAvailable) server = await startRedis();
});
afterAll(() => server?.stop());

/** The number of a call so many milliseconds after the test began. */
function at(ms: number): string {
  return String((NOW - Date.UTC(2020, 0, 1) + ms) * 4_096).padStart(16, '0');
}

function present(session: string, identity: string, ms: number, more: Partial<Present> = {}): Present {
  const captured = NOW + ms;
  return { kind: 'present', tenant: TENANT, session, provider: P, identity, at: at(ms), captured, own: 'own', lent: 'lent', ...more };
}

function rejected(identity: string, ms: number): StoreChange {
  return { kind: 'learn', identity, fields: { r: `${at(ms)}2401` } };
}

function slot(ms: number, identity: string, session: string, { dead = 0, captured = NOW + ms, value = 'own' } = {}): string {
  return `${at(ms)}|${dead}|${identity}|${session}|${captured}|${value}`;
}

function fields(answer: Answer, kind: StoredRecord['kind'], recordName: string): StoredRecord['fields'] | undefined {
  return answer.records.find((record) => record.kind === kind && record.name === recordName)?.fields;
}

const own = (answer: Answer, session: string, provider = P): string | undefined => fields(answer, 'session', session)?.[`p.${provider}`];
const lent = (answer: Answer, provider = P): string | undefined => fields(answer, 'tenant', TENANT)?.[`g.${provider}`];
const holder = (text: string | undefined): string | undefined => text?.split('|')[2];

function contract(backendOf: (logLength?: number) => Backend): void {
  let backend: Backend;
  let a: Listening;
  let epoch: string;

  beforeEach(async () => {
    backend = backendOf();
    a = await listening(await backend.carrier());
    ({ epoch } = await a.carrier.hello());
  });
  afterEach(async () => {
    await a.carrier.close();
    await backend.close();
  });

  const push = async (...changes: StoreChange[]): Promise<Answer> => answered(await a.carrier.push(epoch, changes, NOW, at(0)));
  const pushAt = async (now: number, ...changes: StoreChange[]): Promise<Answer> =>
    answered(await a.carrier.push(epoch, changes, now, at(0)));

  describe('standing', () => {
    it('draws an epoch once, for everybody', async () => {
      const standing = await a.carrier.hello();
      expect(standing).toMatchObject({ epoch, seq: 0, latest: '0'.repeat(16) });
      expect(Math.abs(standing.now - Date.now())).toBeLessThan(5_000);
      const other = await backend.carrier();
      expect((await other.hello()).epoch).toBe(epoch);
      await other.close();
    });

    it('remembers the greatest number that was sent, and counts messages', async () => {
      expect(answered(await a.carrier.push(epoch, [], NOW, at(5)))).toMatchObject({ seq: 0, latest: at(5), records: [] });
      const answer = answered(await a.carrier.push(epoch, [rejected(A, 1)], NOW, at(3)));
      expect(answer).toMatchObject({ epoch, seq: 1, latest: at(5) });
      expect(await a.carrier.hello()).toMatchObject({ seq: 1, latest: at(5) });
    });

    it('refuses another epoch, and numbers from far in the future, and changes nothing', async () => {
      expect(await a.carrier.push('another', [rejected(A, 1)], NOW, at(1))).toEqual({ refused: 'epoch' });
      expect(await a.carrier.push(epoch, [rejected(A, 1)], NOW, at(3_600_000))).toEqual({ refused: 'skew' });
      expect(await a.carrier.hello()).toMatchObject({ seq: 0, latest: '0'.repeat(16) });
      expect((await a.carrier.load([{ kind: 'identity', name: A }])).records).toEqual([]);
      expect(answered(await a.carrier.push(epoch, [rejected(A, 1)], NOW, at(50_000))).seq).toBe(1);
    });
  });

  describe('registers', () => {
    it('keep the greater text, in any order', async () => {
      const answer = await push({ kind: 'learn', identity: A, fields: { r: `${at(2)}0|b`, 's.x': `${at(1)}b`, h: `${at(1)}|5` } });
      expect(answer.records).toEqual([
        { kind: 'identity', name: A, version: 1, fields: { r: `${at(2)}0|b`, 's.x': `${at(1)}b`, h: `${at(1)}|5` } },
      ]);
      const older = await push({ kind: 'learn', identity: A, fields: { r: `${at(1)}2`, 's.x': `${at(1)}B`, f: at(3) } });
      expect(fields(older, 'identity', A)).toEqual({ r: `${at(2)}0|b`, 's.x': `${at(1)}b`, h: `${at(1)}|5`, f: at(3) });
      expect(fields(await push({ kind: 'learn', identity: A, fields: { r: `${at(2)}2|b`, 's.x': `${at(1)}ba` } }), 'identity', A)).toEqual({
        r: `${at(2)}2|b`,
        's.x': `${at(1)}ba`,
        h: `${at(1)}|5`,
        f: at(3),
      });
    });

    it('tell only what changed', async () => {
      await push(rejected(A, 2));
      const answer = await push(rejected(A, 1), rejected(A, 2));
      expect(answer).toMatchObject({ seq: 1, records: [{ name: A, version: 1 }] });
      await push(rejected(B, 1));
      await until(() => a.messages.length >= 2);
      expect(a.messages.map(({ seq, records }) => [seq, records.map((record) => record.name)])).toEqual([
        [1, [A]],
        [2, [B]],
      ]);
    });

    it('of a tenant are pins', async () => {
      await push({ kind: 'pin', tenant: TENANT, field: `x.${P}`, value: `${at(2)}0|pin` });
      const answer = await push({ kind: 'pin', tenant: TENANT, field: `x.${P}`, value: `${at(1)}1` });
      expect(answer.records).toEqual([{ kind: 'tenant', name: TENANT, version: 1, fields: { [`x.${P}`]: `${at(2)}0|pin` } }]);
    });

    it('of more scopes than a process remembers drop the oldest', async () => {
      const rulings = Object.fromEntries(Array.from({ length: 1_105 }, (_, n) => [`s.${n}`, `${at(n)}2`]));
      const answer = await push({ kind: 'learn', identity: A, fields: rulings }, { kind: 'learn', identity: A, fields: { f: at(1) } });
      const left = Object.keys(fields(answer, 'identity', A) ?? {}).filter((field) => field.startsWith('s.'));
      expect(left).toHaveLength(1_100);
      expect(left).not.toContain('s.4');
      expect(left).toContain('s.5');
    });
  });

  describe('messages', () => {
    it('reach every process once, with the state of what changed', async () => {
      const b = await listening(await backend.carrier());
      const answer = await push(rejected(A, 1), present(S1, A, 2));
      await until(() => a.messages.length > 0 && b.messages.length > 0);
      expect(b.messages).toEqual(a.messages);
      expect(b.messages).toEqual([{ epoch, seq: 1, latest: at(0), records: answer.records }]);
      expect([a.gaps.count, b.gaps.count]).toEqual([1, 1]);
      await b.carrier.close();
      await push(present(S1, B, 3));
      await until(() => a.messages.length > 1);
      expect(b.messages).toHaveLength(1);
    });

    it('give every changed record one and the same version', async () => {
      await push(rejected(A, 1));
      const answer = await push(present(S1, B, 2), present(S1, C, 3));
      expect(answer.records.map(({ kind, version }) => [kind, version])).toEqual([
        ['session', 2],
        ['tenant', 2],
      ]);
    });

    it('are not sent for a credential that the same session presents again, dead', async () => {
      await push(rejected(A, 1), present(S1, A, 2));
      const answer = await push(present(S1, A, 3, { own: 'new seal' }));
      expect(answer.seq).toBe(1);
      expect(own(answer, S1)).toBe(slot(2, A, S1, { dead: 1, captured: NOW + 3, value: 'new seal' }));
    });
  });

  describe('a presentation', () => {
    it('fills both slots, and is answered with the identity first', async () => {
      const answer = await push(present(S1, A, 1), rejected(A, 2));
      expect(answer.records).toEqual([
        { kind: 'identity', name: A, version: 1, fields: { r: `${at(2)}2401` } },
        { kind: 'session', name: S1, version: 1, fields: { [`p.${P}`]: slot(1, A, S1) } },
        { kind: 'tenant', name: TENANT, version: 1, fields: { [`g.${P}`]: slot(1, A, S1, { value: 'lent' }) } },
      ]);
    });

    it('displaces an older one, and not a newer one', async () => {
      const answer = await push(present(S1, B, 2), present(S1, A, 1), present(S2, C, 3));
      expect(own(answer, S1)).toBe(slot(2, B, S1));
      expect(lent(answer)).toBe(slot(3, C, S2, { value: 'lent' }));
    });

    it('of a dead credential displaces no live one, and a dead one', async () => {
      await push(rejected(A, 0), rejected(C, 0), present(S1, B, 1));
      expect(holder(own(await push(present(S1, A, 2)), S1))).toBe(B);
      await push(rejected(B, 3));
      expect(own(await push(present(S1, A, 4)), S1)).toBe(slot(4, A, S1, { dead: 1 }));
      expect(holder(own(await push(present(S1, C, 3)), S1))).toBe(A);
    });

    it('of a live credential displaces one that was dead on arrival, however late it is told', async () => {
      await push(rejected(A, 0), present(S1, A, 5));
      expect(own(await push(present(S1, B, 2)), S1)).toBe(slot(2, B, S1));
    });

    it('does not displace one that has died since, if that one came later', async () => {
      await push(present(S1, A, 5), rejected(A, 6));
      expect(holder(own(await push(present(S1, B, 2)), S1))).toBe(A);
    });

    it('again renews its place, and clears the mark of having been dead', async () => {
      await push(rejected(A, 1), present(S1, A, 2));
      await push({ kind: 'learn', identity: A, fields: { f: at(3) } });
      const answer = await push(present(S1, A, 4, { own: 'again' }));
      expect(own(answer, S1)).toBe(slot(4, A, S1, { value: 'again' }));
      expect(answer.seq).toBe(3);
      const older = await push(present(S1, A, 3, { captured: NOW + 9 }));
      expect(own(older, S1)).toBe(slot(4, A, S1, { captured: NOW + 9 }));
      expect(older.seq).toBe(3);
    });

    it('by another session is told, since the global slot is that session’s now', async () => {
      await push(present(S1, A, 2));
      const answer = await push(present(S2, A, 1));
      expect(lent(answer)).toBe(slot(2, A, S2, { captured: NOW + 2, value: 'lent' }));
      expect(answer.records.map(({ kind, version }) => [kind, version])).toEqual([
        ['session', 2],
        ['tenant', 2],
      ]);
    });

    it('counts an expiry hint by the time of the push, unless it was shown to be wrong', async () => {
      const hint: StoreChange = { kind: 'learn', identity: A, fields: { h: `${at(0)}|${NOW + 1_000}` } };
      await push(hint, present(S1, A, 1));
      expect(holder(own(await pushAt(NOW + 999, present(S1, C, 0)), S1))).toBe(A);
      expect(own(await pushAt(NOW + 1_000, present(S2, A, 2)), S2)?.split('|')[1]).toBe('1');
      const shown: StoreChange = { kind: 'learn', identity: A, fields: { x: `${at(9)}|${NOW + 1_000}` } };
      expect(own(await pushAt(NOW + 1_000, shown, present(S2, A, 3)), S2)?.split('|')[1]).toBe('0');
      const later: StoreChange = { kind: 'learn', identity: A, fields: { h: `${at(4)}|${NOW + 1_001}` } };
      await pushAt(NOW + 2_000, later);
      expect(holder(own(await pushAt(NOW + 2_000, present(S1, B, 6), present(S1, A, 7)), S1))).toBe(B);
    });

    it('counts an expiry hint by the upstream’s clock like any other', async () => {
      await push({ kind: 'learn', identity: A, fields: { h: `${at(0)}|${NOW + 1_000}u` } }, present(S1, A, 1));
      expect(holder(own(await pushAt(NOW + 999, present(S1, C, 0)), S1))).toBe(A);
      expect(own(await pushAt(NOW + 1_000, present(S2, A, 2)), S2)?.split('|')[1]).toBe('1');
      const shown: StoreChange = { kind: 'learn', identity: A, fields: { x: `${at(9)}|${NOW + 1_000}` } };
      expect(own(await pushAt(NOW + 1_000, shown, present(S2, A, 3)), S2)?.split('|')[1]).toBe('0');
    });

    it('of a rejection for one scope, a hold, or a forgiven rejection is not dead', async () => {
      await push({ kind: 'learn', identity: A, fields: { 's.x': `${at(1)}2`, r: `${at(1)}1` } });
      await push({ kind: 'learn', identity: B, fields: { r: `${at(1)}2`, f: at(2) } });
      await push({ kind: 'learn', identity: C, fields: { r: `${at(2)}2`, f: at(2) } });
      const dead = [];
      for (const identity of [A, B, C])
        dead.push(own(await push(present(name(`of ${identity}`), identity, 3)), name(`of ${identity}`))?.[17]);
      expect(dead).toEqual(['0', '0', '1']);
    });

    it('of more providers than a process remembers drops the oldest slot, and what it lent', async () => {
      const changes = Array.from({ length: 66 }, (_, n) => present(S1, name(`i${n}`), n, { provider: name(`p${n}`) }));
      const answer = await push(...changes);
      const slots = Object.keys(fields(answer, 'session', S1) ?? {});
      expect(slots).toHaveLength(64);
      expect(slots).not.toContain(`p.${name('p1')}`);
      expect(Object.keys(fields(answer, 'tenant', TENANT) ?? {})).toHaveLength(64);
    });

    it('of a new provider takes away what sessions lent that are idle by now', async () => {
      await push(present(S1, A, 1));
      const fresh = await pushAt(NOW + IDLE_MS, present(S2, B, 2, { provider: Q, captured: NOW + IDLE_MS }));
      expect(holder(lent(fresh))).toBe(A);
      const late = await pushAt(NOW + IDLE_MS + 1, present(S2, C, 3, { provider: name('third'), captured: NOW + IDLE_MS }));
      expect([holder(lent(late)), holder(lent(late, Q))]).toEqual([undefined, B]);
    });
  });

  describe('what a refresh put in a credential’s place', () => {
    const successor = (from: string, to: string, ms: number, tenant = TENANT): StoreChange => ({
      kind: 'learn',
      identity: from,
      fields: { [`n.${tenant}`]: `${at(ms)}|${to}|sealed` },
    });

    it('takes the slots of that whatever the numbers, and has the greater one then', async () => {
      await push(present(S1, A, 30), successor(A, B, 20));
      const answer = await push(present(S1, B, 20));
      expect([own(answer, S1), lent(answer)]).toEqual([slot(30, B, S1), slot(30, B, S1, { value: 'lent' })]);
      const later = await push(present(S2, A, 10), present(S2, B, 20));
      expect(own(later, S2)).toBe(slot(20, B, S2));
    });

    it('keeps them when that is presented again, by any client', async () => {
      const answer = await push(present(S1, A, 10), successor(A, B, 20), present(S1, B, 20), present(S1, A, 40), present(S2, A, 50));
      expect([own(answer, S1), lent(answer)]).toEqual([slot(20, B, S1), slot(20, B, S1, { value: 'lent' })]);
      expect(holder(own(answer, S2))).toBe(A);
    });

    it('gives way to it once it is dead, and takes no slot of a live one then', async () => {
      await push(present(S1, A, 10), successor(A, B, 20), present(S1, B, 20), rejected(B, 25));
      expect(holder(own(await push(present(S1, A, 30)), S1))).toBe(A);
      expect(holder(own(await push(present(S1, B, 40)), S1))).toBe(A);
      expect(holder(own(await push(rejected(A, 41), present(S1, B, 40)), S1))).toBe(B);
    });

    it('gives way to any other credential that is newer, as ever', async () => {
      await push(present(S1, A, 10), successor(A, B, 20), present(S1, B, 20));
      expect(holder(own(await push(present(S1, C, 15)), S1))).toBe(B);
      expect(holder(own(await push(present(S1, C, 21)), S1))).toBe(C);
      expect(holder(own(await push(present(S1, B, 20)), S1))).toBe(C);
    });

    it('is told as such where nobody presented it: it takes what holds that, and leaves who lent it and when', async () => {
      await push(present(S1, A, 10, { captured: NOW + 10 }), present(S2, A, 30, { captured: NOW + 30 }));
      const instead = { captured: NOW, instead: A };
      const answer = await push(present(S1, B, 20, instead));
      expect(own(answer, S1)).toBe(slot(20, B, S1, { captured: NOW + 10 }));
      expect(lent(answer)).toBe(slot(30, B, S2, { captured: NOW + 30, value: 'lent' }));
      expect(own(await push(present(S2, B, 20, instead)), S2)).toBe(slot(30, B, S2, { captured: NOW + 30 }));
    });

    it('told as such takes nothing else, however old, and fills nothing', async () => {
      await push(present(S1, C, 10));
      const answer = await push(present(S1, B, 20, { instead: A }), present(S2, B, 20, { instead: A }), present(S1, C, 20, { instead: C }));
      expect([own(answer, S1), lent(answer), own(answer, S2)]).toEqual([slot(10, C, S1), slot(10, C, S1, { value: 'lent' }), undefined]);
    });

    it('told as such takes what is left of a session that was evicted, and nothing from before its tenant was', async () => {
      await push(present(S1, A, 10), present(S2, A, 20), { kind: 'evict', tenant: TENANT, session: S2, at: at(25) });
      const answer = await push(present(S2, B, 15, { instead: A }));
      expect([holder(lent(answer)), own(answer, S2)]).toEqual([B, undefined]);
      await push({ kind: 'evict-tenant', tenant: TENANT, at: at(30) });
      const after = await push(present(S1, C, 29, { instead: A }));
      expect([own(after, S1), lent(after)]).toEqual([undefined, undefined]);
    });

    it('is that after several refreshes, too, up to 16 of them', async () => {
      const line = Array.from({ length: 18 }, (_, generation) => name(`gen ${generation}`));
      const refreshed = line.slice(1).map((to, index) => successor(line[index] ?? '', to, index + 1));
      await push(...refreshed, present(S1, line[17] ?? '', 20));
      expect(holder(own(await push(present(S1, line[1] ?? '', 50)), S1))).toBe(line[17]);
      expect(holder(own(await push(present(S1, line[0] ?? '', 60)), S1))).toBe(line[0]);
    });

    it('is nothing in between if the same token was given again', async () => {
      await push(present(S1, A, 10), successor(A, B, 20), present(S1, B, 20), successor(B, A, 30), present(S1, A, 30));
      expect(holder(own(await push(present(S1, B, 40)), S1))).toBe(A);
      expect(own(await push(present(S2, B, 50), present(S2, A, 30)), S2)).toBe(slot(50, A, S2));
    });

    it('is one tenant’s', async () => {
      const answer = await push(present(S1, A, 10), successor(A, B, 20, OTHER), present(S1, B, 5));
      expect(holder(own(answer, S1))).toBe(A);
      expect(holder(own(await push(present(S1, B, 20), present(S1, A, 30)), S1))).toBe(A);
    });

    it('is remembered for 64 tenants, the latest', async () => {
      const tenants = Array.from({ length: 66 }, (_, index) => name(`tenant ${index}`));
      const answer = await push(...tenants.map((tenant, index) => successor(A, B, index, tenant)));
      expect(Object.keys(fields(answer, 'identity', A) ?? {}).sort()).toEqual(
        tenants
          .slice(2)
          .map((tenant) => `n.${tenant}`)
          .sort(),
      );
    });

    it('comes with what points at what it was made of', async () => {
      const answer = await push(present(S1, A, 10), successor(A, B, 20), successor(B, C, 30), rejected(B, 31), rejected(C, 32));
      const read = (found: Answer) => found.records.filter(({ kind }) => kind === 'identity').map((record) => record.name);
      expect(read(answer).sort()).toEqual([A, B, C].sort());
      expect(read(await a.carrier.load([{ kind: 'session', name: S1 }])).sort()).toEqual([A, B, C].sort());
      await until(() => a.messages.length === 1);
      expect(a.messages[0]?.records.map((record) => record.name)).toEqual(expect.arrayContaining([A, B, C]));
    });

    it('is nothing if it was not written by us', async () => {
      const foreign = (text: string): StoreChange => ({ kind: 'learn', identity: A, fields: { [`n.${TENANT}`]: text } });
      for (const [index, text] of ['', `|${B.slice(1)}|`, `|${B}`, '|nobody|', `|${B}0|`].entries()) {
        const answer = await push(foreign(`${at(index)}${text}`), present(name(`s${index}`), A, 30), present(name(`s${index}`), B, 29));
        expect(holder(own(answer, name(`s${index}`))), text).toBe(A);
      }
    });
  });

  describe('an eviction', () => {
    it('of a session drops its older slots, and presentations from before', async () => {
      await push(present(S1, A, 1), present(S1, B, 5, { provider: Q }));
      const answer = await push({ kind: 'evict', tenant: TENANT, session: S1, at: at(3) });
      expect(fields(answer, 'session', S1)).toEqual({ e: at(3), [`p.${Q}`]: slot(5, B, S1) });
      expect([holder(lent(answer)), holder(lent(answer, Q))]).toEqual([undefined, B]);
      const late = await push(present(S1, C, 2));
      expect([own(late, S1), lent(late), late.seq]).toEqual([undefined, undefined, 2]);
      expect(holder(own(await push(present(S1, C, 3)), S1))).toBe(C);
    });

    it('leaves a global slot whose credential somebody else presented', async () => {
      await push(present(S1, A, 1), present(S2, A, 2));
      const evict = (session: string): StoreChange => ({ kind: 'evict', tenant: TENANT, session, at: at(9) });
      expect(holder(lent(await push(evict(S2))))).toBe(A);
      expect(lent(await push(evict(S1)))).toBeUndefined();
    });

    it('does not count holders that are idle by now', async () => {
      await push(present(S1, A, 1));
      await pushAt(NOW + 10, present(S2, A, 2));
      const evict: StoreChange = { kind: 'evict', tenant: TENANT, session: S2, at: at(9) };
      expect(lent(await pushAt(NOW + IDLE_MS, evict))).toBeUndefined();
    });

    it('does not count holders that hold something else by now', async () => {
      await push(present(S1, A, 1), present(S2, A, 5), present(S1, B, 2));
      expect(lent(await push({ kind: 'evict', tenant: TENANT, session: S2, at: at(9) }))).toBeUndefined();
    });

    it('takes away what a session that is gone had presented last, once nobody holds it', async () => {
      // S1 presents A last without holding it; S2 holds it, and then something dead that the global slot does not take.
      await push(present(S1, C, 5), present(S2, A, 4), rejected(A, 9), rejected(C, 9), rejected(B, 9), present(S1, A, 7));
      await push({ kind: 'evict', tenant: TENANT, session: S1, at: at(8) });
      const answer = await push(present(S2, B, 6));
      expect([holder(own(answer, S2)), holder(lent(answer))]).toEqual([B, A]);
      expect(lent(await push({ kind: 'evict', tenant: TENANT, session: S2, at: at(9) }))).toBeUndefined();
    });

    it('takes away what a session had presented before it was evicted and came back with something else', async () => {
      await push(present(S1, A, 1), present(S2, A, 2), { kind: 'evict', tenant: TENANT, session: S2, at: at(3) });
      expect(holder(lent(await push(present(S2, B, 4, { provider: Q }))))).toBe(A);
      expect(lent(await push({ kind: 'evict', tenant: TENANT, session: S1, at: at(5) }))).toBeUndefined();
    });

    it('leaves what somebody who is still there presented last', async () => {
      await push(present(S1, A, 2), present(S2, B, 3), present(S1, B, 1));
      expect(holder(lent(await push({ kind: 'evict', tenant: TENANT, session: S2, at: at(4) })))).toBe(B);
      expect(lent(await push({ kind: 'evict', tenant: TENANT, session: S1, at: at(5) }))).toBeUndefined();
    });

    it('of a tenant drops what it lent, and makes its sessions’ slots count no more', async () => {
      const pin = { [`x.${P}`]: `${at(1)}0|pin` };
      await push(present(S1, A, 1), present(S2, B, 2), { kind: 'pin', tenant: TENANT, field: `x.${P}`, value: `${at(1)}0|pin` });
      const answer = await push({ kind: 'evict-tenant', tenant: TENANT, at: at(3) });
      expect(answer.records).toEqual([{ kind: 'tenant', name: TENANT, version: 2, fields: { ...pin, e: at(3) } }]);
      await push(rejected(C, 3));
      const late = await push(present(S1, C, 2));
      expect([late.seq, holder(own(late, S1))]).toEqual([3, A]);
      const next = await push(present(S1, C, 4));
      expect(own(next, S1)).toBe(slot(4, C, S1, { dead: 1 }));
      // S2's slot from before is no reason to keep what nobody else presented since.
      await push(present(S1, B, 5, { provider: P }));
      expect(lent(await push({ kind: 'evict', tenant: TENANT, session: S1, at: at(6) }))).toBeUndefined();
    });

    it('of a tenant or a session concerns no other', async () => {
      await push(present(S1, A, 1), present(S2, B, 2, { tenant: OTHER }));
      await push({ kind: 'evict-tenant', tenant: OTHER, at: at(3) });
      const answer = await a.carrier.load([
        { kind: 'tenant', name: TENANT },
        { kind: 'session', name: S1 },
      ]);
      expect([holder(own(answer, S1)), holder(lent(answer))]).toEqual([A, A]);
    });

    it('is remembered by its greatest number', async () => {
      await push({ kind: 'evict', tenant: TENANT, session: S1, at: at(5) }, { kind: 'evict-tenant', tenant: TENANT, at: at(6) });
      const answer = await push(
        { kind: 'evict', tenant: TENANT, session: S1, at: at(3) },
        { kind: 'evict-tenant', tenant: TENANT, at: at(4) },
      );
      expect([fields(answer, 'session', S1), fields(answer, 'tenant', TENANT), answer.seq]).toEqual([{ e: at(5) }, { e: at(6) }, 1]);
    });
  });

  describe('reading', () => {
    it('gives what is there, with the identities that slots point at', async () => {
      await push(rejected(A, 1), present(S1, A, 2), present(S2, B, 3));
      const answer = await a.carrier.load([
        { kind: 'session', name: S1 },
        { kind: 'session', name: name('nobody') },
        { kind: 'tenant', name: OTHER },
        { kind: 'identity', name: B },
      ]);
      expect(answer.records.map((record) => [record.kind, record.name])).toEqual([
        ['identity', A],
        ['session', S1],
      ]);
      expect(answer).toMatchObject({ epoch, seq: 1, latest: at(0) });
      expect((await a.carrier.load([])).records).toEqual([]);
    });

    it('gives many at once, the identities first', async () => {
      const sessions = Array.from({ length: 1_200 }, (_, n) => name(`s${n}`));
      await push(rejected(A, 1), ...sessions.map((session, n) => present(session, n % 2 === 0 ? A : B, n)));
      const { records } = await a.carrier.load(sessions.map((session) => ({ kind: 'session', name: session })));
      expect(records.map((record) => record.kind)).toEqual(['identity', ...sessions.map(() => 'session')]);
      expect(new Set(records.slice(1).map((record) => record.name))).toEqual(new Set(sessions));
    });

    it('says what changed since', async () => {
      await push(present(S1, A, 1));
      await push(rejected(A, 2));
      await push(rejected(B, 2));
      const keys = async (seq: number): Promise<string[] | undefined> =>
        (await a.carrier.changedSince(seq))?.map((ref) => `${ref.kind} ${ref.name}`).sort();
      expect(await keys(0)).toEqual([`identity ${A}`, `identity ${B}`, `session ${S1}`, `tenant ${TENANT}`]);
      expect(await keys(2)).toEqual([`identity ${B}`]);
      expect(await keys(3)).toEqual([]);
      expect(await keys(4)).toBeUndefined();
    });

    it('does not say what changed too long ago', async () => {
      const small = backendOf(2);
      const carrier = await small.carrier();
      const standing = await carrier.hello();
      for (const identity of [A, B, C, A]) {
        const number = Number(at(0)) + Number.parseInt(identity.slice(0, 4), 16) + (await carrier.hello()).seq;
        const next = String(number).padStart(16, '0');
        answered(await carrier.push(standing.epoch, [{ kind: 'learn', identity, fields: { f: next } }], NOW, at(0)));
      }
      expect(await carrier.changedSince(1)).toBeUndefined();
      expect((await carrier.changedSince(2))?.map((ref) => ref.name)).toEqual([C, A]);
      await carrier.close();
      await small.close();
    });
  });

  describe('locks', () => {
    const isLeftOf =
      (ms: number) =>
      (left: number): boolean =>
        left > ms - 20_000 && left <= ms;

    it('belong to one owner at a time', async () => {
      expect(await a.carrier.lock(A, 'one', 60_000)).toBe(0);
      expect(await a.carrier.lock(A, 'two', 90_000)).toSatisfy(isLeftOf(60_000));
      expect(await a.carrier.lock(A, 'one', 60_000)).toBe(0);
      expect(await a.carrier.lock(B, 'two', 60_000)).toBe(0);
    });

    it('last as long as their owner said last, longer or shorter', async () => {
      await a.carrier.lock(A, 'one', 60_000);
      await a.carrier.lock(A, 'one', 120_000);
      expect(await a.carrier.lock(A, 'two', 1)).toSatisfy(isLeftOf(120_000));
      await a.carrier.lock(A, 'one', 30);
      await until(async () => (await a.carrier.lock(A, 'two', 60_000)) === 0, 2_000);
    });

    it('are given back by their owner only, and everybody is told', async () => {
      const b = await listening(await backend.carrier());
      await a.carrier.lock(A, 'one', 60_000);
      await a.carrier.unlock(A, 'two', 'not mine');
      expect(await b.carrier.lock(A, 'two', 90_000)).toSatisfy(isLeftOf(60_000));
      await a.carrier.unlock(A, 'one', 'go');
      await a.carrier.unlock(A, 'one', 'again');
      expect(await b.carrier.lock(A, 'two', 60_000)).toBe(0);
      await until(() => a.released.length > 0 && b.released.length > 0);
      expect([a.released, b.released]).toEqual([[[A, 'go']], [[A, 'go']]]);
      await b.carrier.close();
    });

    it('end by themselves', async () => {
      await a.carrier.lock(A, 'one', 30);
      await until(async () => (await a.carrier.lock(A, 'two', 60_000)) === 0, 2_000);
      await a.carrier.unlock(A, 'one', 'late');
      expect(await a.carrier.lock(A, 'three', 90_000)).toSatisfy(isLeftOf(60_000));
    });
  });

  describe('groups', () => {
    it('say who came first and who left last, with the first one’s tag', async () => {
      expect(await a.carrier.enter(A, 'one', 'first', 60_000)).toEqual({ first: true, tag: 'first' });
      expect(await a.carrier.enter(A, 'two', 'second', 60_000)).toEqual({ first: false, tag: 'first' });
      expect(await a.carrier.enter(A, 'one', 'third', 60_000)).toEqual({ first: false, tag: 'first' });
      expect(await a.carrier.leave(A, 'one')).toEqual({ last: false, tag: 'first' });
      expect(await a.carrier.leave(A, 'two')).toEqual({ last: true, tag: 'first' });
      expect(await a.carrier.leave(A, 'two')).toEqual({ last: true, tag: undefined });
      expect(await a.carrier.enter(A, 'two', 'anew', 60_000)).toEqual({ first: true, tag: 'anew' });
    });

    it('do not count members that were not heard of for too long', async () => {
      await a.carrier.enter(A, 'dead', 'dead’s', 30);
      await a.carrier.enter(A, 'alive', 'alive’s', 60_000);
      const end = Date.now() + 40;
      await until(() => Date.now() > end);
      expect(await a.carrier.leave(A, 'alive')).toEqual({ last: true, tag: 'dead’s' });
    });

    it('vanish with their last member', async () => {
      await a.carrier.enter(A, 'one', 'first', 20);
      const end = Date.now() + 30;
      await until(() => Date.now() > end);
      expect(await a.carrier.leave(A, 'one')).toEqual({ last: true, tag: undefined });
      expect(await a.carrier.enter(A, 'two', 'second', 60_000)).toEqual({ first: true, tag: 'second' });
    });
  });
}

describe('a carrier in memory', () => contract(memoryBackend));

describeWithRedis('a carrier on Redis', () => {
  const of = (make: typeof nodeRedisBackend) => {
    let namespace = '';
    return (logLength?: number): Backend => {
      namespace = `test-${++namespaces}`;
      return make(server?.url ?? '', namespace, logLength);
    };
  };
  describe('by node-redis', () => contract(of(nodeRedisBackend)));
  describe('by ioredis', () => contract(of(ioRedisBackend)));
});
