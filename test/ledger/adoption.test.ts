import { describe, expect, it } from 'vitest';
import { bearer, type Credential } from '../../src/credential/credential.js';
import { ANY } from '../../src/ledger/change.js';
import type { Session } from '../../src/ledger/session.js';
import type { Placed } from '../../src/ledger/slots.js';
import { type BareLedger, bareLedger, scopeOf } from '../support/bare-ledger.js';
import { START } from '../support/clock.js';

const [A, B, C] = ['a', 'b', 'c'].map((name) => bearer(`token-${name}`)) as [Credential, Credential, Credential];

function placed({ ledger }: BareLedger, credential: Credential, by: Session, at = 5, provider = 'p'): Placed {
  return { identity: ledger.adoption.identity(provider, credential.fingerprint), credential, at, deadOnArrival: false, by };
}

describe('a session that others know', () => {
  it('is opened once, and counts as having presented something then', () => {
    const { ledger, clock } = bareLedger({ shared: true });
    const { adoption } = ledger;
    expect(adoption.find('t', 's')).toBeUndefined();
    clock.advance(5_000);
    const session = adoption.open('t', 's');
    expect(adoption.find('t', 's')).toBe(session);
    expect(adoption.find('t', 'other')).toBeUndefined();
    expect(adoption.tenant('t')).toBe(session.tenant);
    expect(adoption.capturedAt(session)).toBe(START + 5_000);
    clock.advance(1_000);
    expect(adoption.open('t', 's')).toBe(session);
    expect(adoption.capturedAt(session)).toBe(START + 5_000);
  });

  it.each([
    ['before', START + 1_000, START + 5_000],
    ['after', START + 9_000, START + 9_000],
  ])('what it presented elsewhere %s that counts if it is later', (_, captured, expected) => {
    const { ledger, clock } = bareLedger({ shared: true });
    clock.advance(5_000);
    const session = ledger.adoption.open('t', 's', captured);
    expect(ledger.adoption.capturedAt(session)).toBe(expected);
  });

  it('is dropped once it has been idle for too long, counted from when it was opened', () => {
    const { ledger, clock } = bareLedger({ shared: true });
    clock.advance(5_000);
    ledger.adoption.open('t', 's');
    clock.advance(999);
    ledger.evictIdle(1_000);
    expect(ledger.adoption.find('t', 's')).toBeDefined();
    clock.advance(1);
    ledger.evictIdle(1_000);
    expect(ledger.adoption.find('t', 's')).toBeUndefined();
  });

  it('does not make a session the next to be dropped', () => {
    const { ledger, present, evicted } = bareLedger({ shared: true, sessions: 2 });
    present('first', A);
    present('second', B);
    ledger.adoption.open('t', 'first');
    present('third', C);
    expect(evicted).toEqual([['t', 'second', 'limit']]);
  });
});

describe('what a slot holds elsewhere', () => {
  it('is worked with, and who waits for it is told once', () => {
    const world = bareLedger({ shared: true });
    const { adoption } = world.ledger;
    const session = adoption.open('t', 's');
    const change = { cause: 'captured', tenant: 't', provider: 'p', session: 's' };
    expect(adoption.slot(session, 'p', placed(world, A, session))).toEqual(change);
    expect(world.valueFor('s')).toBe('token-a');
    expect(world.valueFor('other')).toBeUndefined();
    expect(adoption.slot(session, 'p', placed(world, A, session, 6))).toBeUndefined();
    expect(adoption.slot(session, 'p', placed(world, B, session, 7))).toEqual(change);
    expect(world.valueFor('s')).toBe('token-b');
    expect(world.changes).toEqual([]);
    adoption.tell({ cause: 'captured', tenant: 't', provider: 'p', session: 's' });
    expect(world.changes).toEqual([change]);
  });

  it('is taken away when it is gone there, and forgotten if no call has had an outcome with it', () => {
    const world = bareLedger({ shared: true });
    const { adoption } = world.ledger;
    const session = adoption.open('t', 's');
    adoption.slot(session, 'p', placed(world, A, session));
    expect(adoption.slot(session, 'p', undefined)).toEqual({ cause: 'unlent', tenant: 't', provider: 'p', session: 's' });
    expect(world.valueFor('s')).toBeUndefined();
    expect(world.ledger.sizes.identities).toBe(0);
    expect(adoption.slot(session, 'p', undefined)).toBeUndefined();
  });

  it.each([
    ['p1', ['p2', 'p3']],
    ['p2', ['p1', 'p3']],
    ['p3', ['p1', 'p2']],
  ])('of several providers only %s', (gone, left) => {
    const world = bareLedger({ shared: true });
    const { adoption } = world.ledger;
    const session = adoption.open('t', 's');
    for (const provider of ['p1', 'p2', 'p3']) adoption.slot(session, provider, placed(world, A, session, 5, provider));
    adoption.slot(session, gone, undefined);
    expect([...session.allSlots()].map(({ provider }) => provider).toSorted()).toEqual(left);
  });

  it('is lent to the whole tenant from its global slot, until it is gone there', () => {
    const world = bareLedger({ shared: true });
    const { adoption } = world.ledger;
    const lender = adoption.open('t', 'lender');
    const told = { tenant: 't', provider: 'p', session: ANY };
    expect(adoption.global(lender.tenant, 'p', placed(world, A, lender))).toEqual({ ...told, cause: 'captured' });
    expect(world.valueFor('s')).toBe('token-a');
    expect(world.valueFor(undefined)).toBe('token-a');
    expect(world.ledger.lenderOf(scopeOf('s'))).toBe('lender');
    expect(adoption.global(lender.tenant, 'p', placed(world, A, lender, 6))).toBeUndefined();
    expect(adoption.global(lender.tenant, 'p', undefined)).toEqual({ ...told, cause: 'unlent' });
    expect(world.valueFor('s')).toBeUndefined();
    expect(world.ledger.lenderOf(scopeOf('s'))).toBeUndefined();
    expect(world.ledger.sizes.identities).toBe(0);
    expect(adoption.global(lender.tenant, 'p', undefined)).toBeUndefined();
  });

  it('ends when the fleet has learnt that it does, whatever it was made with', () => {
    const world = bareLedger({ shared: true });
    const { adoption } = world.ledger;
    const ending = bearer('token-ending', { expiresAt: START + 60_000 });
    const session = adoption.open('t', 's');
    const there = placed(world, ending, session);
    adoption.slot(session, 'p', there);
    expect(there.identity.expiresAt).toBeUndefined();
    adoption.hint(there.identity, { expiresAt: START + 5_000, at: 7, byUpstream: false });
    adoption.slot(session, 'p', there);
    adoption.global(session.tenant, 'p', there);
    expect(there.identity.expiresAt).toBe(START + 5_000);
    world.clock.advance(5_000);
    expect(world.valueFor('s')).toBeUndefined();
  });
});

describe('what is pinned elsewhere', () => {
  const place = { tenant: 't', provider: 'p', purpose: 'x' };
  const pinned = { cause: 'pinned', tenant: 't', provider: 'p', session: ANY };
  const pinOf = ({ ledger }: BareLedger, credential: Credential, at: number) => ({
    identity: ledger.adoption.identity('p', credential.fingerprint),
    credential,
    at,
  });
  const pinnedValue = ({ ledger }: BareLedger): string | undefined => ledger.choose(scopeOf('s', 'x'))?.credential.reveal();

  it('is worked with until it is taken away', () => {
    const world = bareLedger({ shared: true });
    const { adoption } = world.ledger;
    expect(adoption.pinned(place, pinOf(world, A, 5))).toEqual(pinned);
    expect(pinnedValue(world)).toBe('token-a');
    expect(adoption.pin('t', 'p', 'x')).toMatchObject({ at: 5 });
    expect(adoption.pinned(place, undefined)).toEqual(pinned);
    expect(pinnedValue(world)).toBeUndefined();
    expect(adoption.pin('t', 'p', 'x')).toBeUndefined();
    expect(adoption.pinned(place, undefined)).toBeUndefined();
  });

  it('in place of another pin takes the right to unpin with it', () => {
    const world = bareLedger({ shared: true });
    const unpin = world.ledger.pin(scopeOf(undefined, 'x'), A, () => {});
    world.ledger.adoption.pinned(place, pinOf(world, B, 50));
    unpin();
    expect(pinnedValue(world)).toBe('token-b');
  });

  it('by a refresh of what is pinned here is still for who pinned it to take away', () => {
    const world = bareLedger({ shared: true });
    const { adoption } = world.ledger;
    const unpin = world.ledger.pin(scopeOf(undefined, 'x'), A, () => {});
    const pin = pinOf(world, B, 50);
    adoption.identity('p', A.fingerprint).succeeded('t', pin.identity, 50);
    adoption.pinned(place, pin);
    expect(pinnedValue(world)).toBe('token-b');
    expect(adoption.pin('t', 'p', 'x')?.at).toBe(50);
    unpin();
    expect(pinnedValue(world)).toBeUndefined();
  });
});

describe('an eviction elsewhere', () => {
  it.each([['lender'], [undefined]])('of %s leaves what it lent, and is not told back', (name) => {
    const { ledger, present, valueFor, evicted, told } = bareLedger({ shared: true });
    present('other', B);
    present(name, A);
    told.length = 0;
    ledger.adoption.evictSession('t', name);
    expect(ledger.adoption.find('t', name)).toBeUndefined();
    expect(ledger.adoption.find('t', 'other')).toBeDefined();
    expect(evicted).toEqual([['t', name, 'asked']]);
    expect(valueFor('third')).toBe('token-a');
    expect(ledger.lenderOf(scopeOf('third'))).toBe(name);
    expect(told).toEqual([['dropped', 't', name]]);
  });

  it('of a session that waits to have its presentation committed drops that', () => {
    const { ledger } = bareLedger({ shared: true });
    const [own, other] = [ledger.pending(scopeOf('s')), ledger.pending(scopeOf('other'))];
    ledger.adoption.evictSession('t', 's');
    expect([own.dropped, other.dropped]).toEqual([true, false]);
  });

  it('of the requests of no session drops nothing that others of them are about to present', () => {
    const { ledger, present, changes } = bareLedger({ shared: true });
    present('s', B);
    present(undefined, A);
    const pending = ledger.pending(scopeOf(undefined));
    ledger.adoption.evictSession('t', undefined);
    expect(pending.dropped).toBe(false);
    changes.length = 0;
    ledger.adoption.evictSession('t', undefined);
    expect(changes).toEqual([]);
  });
});
