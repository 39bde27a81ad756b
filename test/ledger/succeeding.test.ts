import { describe, expect, it } from 'vitest';
import { bearer } from '../../src/index.js';
import { Identities } from '../../src/ledger/identities.js';
import { Pins } from '../../src/ledger/pins.js';
import { Slots } from '../../src/ledger/slots.js';
import { Identity } from '../../src/ledger/verdicts.js';
import { START } from '../support/clock.js';

const [OLD, NEW] = [bearer('token-old'), bearer('token-new')];

function world() {
  const identities = new Identities(100);
  const slots = new Slots(100, identities, false, { evicted: () => {}, unlent: () => {} });
  const [from, to] = [identities.of('p', OLD.fingerprint), identities.of('p', NEW.fingerprint)];
  const present = (session: string, at: number, tenant = 'T'): void =>
    void slots.present({ tenant, session, provider: 'p' }, { identity: from, credential: OLD, at, now: START, sinceStart: 0 });
  const slotOf = (session: string, tenant = 'T') => slots.tenant(tenant)?.sessions.get(session)?.slot('p');
  return { identities, slots, from, to, present, slotOf };
}

describe('what a refresh brought, in slots', () => {
  it('has its own number where what was refreshed came before, and the greater one of what came while it was out', () => {
    const { slots, from, to, present, slotOf } = world();
    present('before', 10);
    present('meanwhile', 30);
    expect(slots.succeed('T', from, to, NEW, 20)).toEqual(['before', 'meanwhile']);
    expect(slotOf('before')).toMatchObject({ identity: to, at: 20 });
    expect(slotOf('meanwhile')).toMatchObject({ identity: to, at: 30 });
    expect(slots.tenant('T')?.globals.get('p')).toMatchObject({ identity: to, at: 30 });
  });

  it('is one tenant’s', () => {
    const { slots, from, to, present, slotOf } = world();
    present('s', 10);
    present('s', 10, 'U');
    expect(slots.succeed('T', from, to, NEW, 20)).toEqual(['s']);
    expect(slotOf('s', 'U')).toMatchObject({ identity: from, at: 10 });
    expect(slots.tenant('U')?.globals.get('p')).toMatchObject({ identity: from, at: 10 });
  });
});

describe('what a refresh brought, in pins', () => {
  function pinned() {
    const { identities, from, to } = world();
    const pins = new Pins(identities);
    const place = (tenant: string | undefined, purpose: string | undefined) => ({ tenant, provider: 'p', purpose });
    return { pins, from, to, place };
  }

  it('is one tenant’s, for whatever purpose that holds what was refreshed', () => {
    const { pins, from, to, place } = pinned();
    for (const [tenant, purpose] of [
      ['T', undefined],
      ['T', 'x'],
      ['U', 'x'],
      [undefined, 'x'],
    ] as const)
      pins.set(place(tenant, purpose), from, OLD, 10);
    const places = pins.succeed('T', from, to, NEW, 20, Number.POSITIVE_INFINITY);
    expect(places.map(({ tenant, provider, purpose }) => [tenant, provider, purpose])).toEqual([
      ['T', 'p', undefined],
      ['T', 'p', 'x'],
    ]);
    expect(pins.get('T', 'p', undefined)).toMatchObject({ identity: to, at: 20 });
    expect(pins.get('U', 'p', 'x')).toMatchObject({ identity: from, at: 10 });
    expect(pins.get(undefined, 'p', 'x')).toMatchObject({ identity: from, at: 10 });
  });

  it('is numbered after what was pinned while it was out, and leaves what was pinned from `before` on', () => {
    const { pins, from, to, place } = pinned();
    pins.set(place('T', 'meanwhile'), from, OLD, 30);
    pins.set(place('T', 'after'), from, OLD, 40);
    expect(pins.succeed('T', from, to, NEW, 20, 40)).toHaveLength(1);
    expect(pins.get('T', 'p', 'meanwhile')).toMatchObject({ identity: to, at: 31 });
    expect(pins.get('T', 'p', 'after')).toMatchObject({ identity: from, at: 40 });
  });
});

describe('that a refresh came to nothing', () => {
  const refusal = (at: number) => ({ at, until: undefined, status: 400, code: 'invalid_grant' });

  it('does not count if it was found out before a forgiveness', () => {
    const identity = new Identity('p', OLD.fingerprint);
    identity.forgive(10);
    identity.endRefresh('T', refusal(9));
    expect([identity.unrefreshable('T'), identity.isMemorable]).toEqual([undefined, false]);
    identity.endRefresh('T', refusal(10));
    expect([identity.unrefreshable('T'), identity.isMemorable]).toEqual([refusal(10), true]);
    expect(identity.unrefreshable('U')).toBeUndefined();
  });
});
