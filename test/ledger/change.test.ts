import { describe, expect, it } from 'vitest';
import { ANY, type Change, type Concerned, Watchlist } from '../../src/ledger/change.js';

interface Waiter {
  readonly id: string;
  readonly scope: Concerned;
}

const waiter = (id: string, tenant?: string, provider?: string, session?: string): Waiter => ({ id, scope: { tenant, provider, session } });
const change = (parts: Partial<Change>): Change => ({ cause: 'captured', tenant: ANY, provider: ANY, session: ANY, ...parts });

const ALL = [
  waiter('none'),
  waiter('s', undefined, undefined, 'S'),
  waiter('t', 't'),
  waiter('tp', 't', 'P'),
  waiter('tps', 't', 'P', 'S'),
  waiter('tps2', 't', 'P', 'S'),
  waiter('upS', 'u', 'P', 'S'),
  waiter('uqS', 'u', 'Q', 'S'),
];

function watching(entries: readonly Waiter[] = ALL): { list: Watchlist<Waiter>; concerned: (parts: Partial<Change>) => string[] } {
  const list = new Watchlist<Waiter>();
  for (const entry of entries) list.add(entry);
  return { list, concerned: (parts) => list.concernedBy(change(parts)).map(({ id }) => id) };
}

describe('Watchlist', () => {
  it.each<[Partial<Change>, string[]]>([
    [{}, ALL.map(({ id }) => id)],
    [{ tenant: 't' }, ['t', 'tp', 'tps', 'tps2']],
    [{ tenant: undefined }, ['none', 's']],
    [{ provider: 'P' }, ['tp', 'tps', 'tps2', 'upS']],
    [{ provider: undefined }, ['none', 's', 't']],
    [{ session: 'S' }, ['s', 'tps', 'tps2', 'upS', 'uqS']],
    [{ session: undefined }, ['none', 't', 'tp']],
    [{ tenant: 't', provider: 'P', session: 'S' }, ['tps', 'tps2']],
    [{ tenant: 't', provider: 'P', session: undefined }, ['tp']],
    [{ tenant: 'x' }, []],
    [{ provider: 'x' }, []],
    [{ session: 'x' }, []],
  ])('%j concerns those it can concern', (parts, ids) => {
    expect(watching().concerned(parts).sort()).toEqual([...ids].sort());
  });

  it('gives those of one realm in the order of arrival', () => {
    const { list, concerned } = watching([waiter('1', 't', 'P', 'S'), waiter('2', 't', 'P', 'T'), waiter('3', 't', 'P', 'S')]);
    expect(concerned({ tenant: 't', provider: 'P' })).toEqual(['1', '2', '3']);
    expect([...list].map(({ id }) => id)).toEqual(['1', '2', '3']);
  });

  it('counts, forgets each one once, and is empty after that', () => {
    const { list, concerned } = watching();
    list.add(ALL[0] as Waiter);
    expect(list.size).toBe(ALL.length);
    for (const entry of ALL) {
      expect(list.delete(entry)).toBe(true);
      expect(list.delete(entry)).toBe(false);
    }
    expect(list.size).toBe(0);
    expect([...list]).toEqual([]);
    expect(concerned({})).toEqual([]);
    list.add(ALL[1] as Waiter);
    expect(concerned({ session: 'S' })).toEqual(['s']);
  });

  it('does not take one for another of the same scope', () => {
    const { list, concerned } = watching([waiter('1', 't', 'P', 'S')]);
    expect(list.delete(waiter('1', 't', 'P', 'S'))).toBe(false);
    expect(concerned({})).toEqual(['1']);
  });

  it('gives any number of them', () => {
    const list = new Watchlist<Waiter>();
    for (let i = 0; i < 150_000; i++) list.add(waiter(`${i}`, undefined, undefined, `s${i}`));
    expect(list.concernedBy(change({}))).toHaveLength(150_000);
  });

  it('gives a list of its own, which may be deleted from meanwhile', () => {
    const { list } = watching();
    for (const entry of list.concernedBy(change({}))) list.delete(entry);
    expect(list.size).toBe(0);
  });
});
