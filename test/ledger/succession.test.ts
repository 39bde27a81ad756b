import { describe, expect, it } from 'vitest';
import type { LatchkeyEvents } from '../../src/events.js';
import { bearer, type Credential, createLatchkey, type Latchkey, type LatchkeyOptions, type Scope } from '../../src/index.js';
import { bareLedger } from '../support/bare-ledger.js';
import { manualClock, START, settled } from '../support/clock.js';

const [A, B, C, D] = ['a', 'b', 'c', 'd'].map((name) => bearer(`token-${name}`)) as [Credential, Credential, Credential, Credential];
const HOUR = 3_600_000;

interface World {
  readonly latchkey: Latchkey;
  readonly captured: LatchkeyEvents['captured'][];
  /** The next refreshes bring these, one after the other. */
  readonly next: Credential[];
  /** What the scope works with is rejected, refreshed, and has worked. */
  refresh(scope: Scope): Promise<void>;
  readonly advance: (ms: number) => void;
}

function world(options: LatchkeyOptions = {}): World {
  const next: Credential[] = [];
  const clock = manualClock();
  const latchkey = createLatchkey({ clock, refresh: () => next.shift(), canary: 'off', ...options });
  const captured: LatchkeyEvents['captured'][] = [];
  latchkey.on('captured', (event) => captured.push(event));
  return {
    latchkey,
    captured,
    next,
    advance: clock.advance,
    refresh: async (scope) => {
      let isFirst = true;
      await latchkey.run(scope, () => {
        const status = isFirst ? 401 : 200;
        isFirst = false;
        return { status, headers: {} };
      });
    },
  };
}

function valueFor(latchkey: Latchkey, scope: Scope): string | undefined {
  const resolution = latchkey.resolve(scope);
  return resolution.ok ? resolution.lease.credential.reveal() : undefined;
}

const at = (tenant: string | undefined, session: string | undefined, provider = 'p'): Scope => ({
  ...(tenant === undefined ? {} : { tenant }),
  ...(session === undefined ? {} : { session }),
  provider,
});

describe('where it goes', () => {
  it('into every slot of its tenant and provider that holds what was refreshed, and no other', async () => {
    const { latchkey, next, refresh, captured } = world();
    next.push(B);
    latchkey.capture(at('t', 'other'), C);
    for (const session of ['one', 'two']) latchkey.capture(at('t', session), A);
    latchkey.capture(at('t', 'one', 'q'), A);
    latchkey.capture(at('u', 'one'), A);
    latchkey.pin({ tenant: 't', provider: 'p', purpose: 'x' }, A);
    latchkey.pin({ tenant: 't', provider: 'p', purpose: 'y' }, C);
    latchkey.pin({ tenant: 'u', provider: 'p', purpose: 'x' }, A);
    captured.length = 0;
    await refresh(at('t', 'one'));
    expect(valueFor(latchkey, at('t', 'one'))).toBe('token-b');
    expect(valueFor(latchkey, at('t', 'two'))).toBe('token-b');
    expect(valueFor(latchkey, at('t', undefined))).toBe('token-b');
    expect(valueFor(latchkey, at('t', 'other'))).toBe('token-c');
    expect(valueFor(latchkey, at('t', 'one', 'q'))).toBe('token-a');
    expect(valueFor(latchkey, at('u', 'one'))).toBeUndefined();
    expect(valueFor(latchkey, { tenant: 't', provider: 'p', purpose: 'x' })).toBe('token-b');
    expect(valueFor(latchkey, { tenant: 't', provider: 'p', purpose: 'y' })).toBe('token-c');
    expect(valueFor(latchkey, { tenant: 'u', provider: 'p', purpose: 'x' })).toBeUndefined();
    const told = { fingerprint: B.fingerprint, usable: true, refreshed: true };
    expect(captured).toEqual([
      { ...told, scope: { tenant: 't', session: 'one', provider: 'p' }, pinned: false },
      { ...told, scope: { tenant: 't', session: 'two', provider: 'p' }, pinned: false },
      { ...told, scope: { tenant: 't', provider: 'p', purpose: 'x' }, pinned: true },
    ]);
  });

  it('into the global slot alone, where no session has it', async () => {
    const { latchkey, next, refresh, captured } = world();
    next.push(B);
    latchkey.capture(at('t', undefined), A);
    captured.length = 0;
    await refresh(at('t', undefined));
    expect(captured).toEqual([
      { scope: { tenant: 't', provider: 'p' }, fingerprint: B.fingerprint, usable: true, pinned: false, refreshed: true },
    ]);
    expect(valueFor(latchkey, at('t', 'cold'))).toBe('token-b');
  });

  it('a credential that another session presented already is one and the same', async () => {
    const { latchkey, next, refresh } = world();
    next.push(B);
    latchkey.capture(at('t', 'other'), B);
    latchkey.capture(at('t', 's'), A);
    await refresh(at('t', 's'));
    expect(valueFor(latchkey, at('t', 's'))).toBe('token-b');
    const { verdicts } = latchkey.snapshot();
    expect(verdicts.filter(({ fingerprint }) => fingerprint === B.fingerprint)).toHaveLength(1);
  });
});

describe('when the old one is presented again', () => {
  it('it takes no slot from one that came of it, however many refreshes ago', async () => {
    const { latchkey, next, refresh } = world();
    next.push(B, C, D);
    latchkey.capture(at('t', 's'), A);
    for (let times = 0; times < 3; times++) await refresh(at('t', 's'));
    for (const old of [A, B, C]) {
      // Forgiven, it is no more dead than the new one.
      latchkey.forgive(old.fingerprint);
      expect(latchkey.capture(at('t', 's'), old).changed).toBe(false);
      latchkey.capture(at('t', undefined), old);
      expect(valueFor(latchkey, at('t', 's'))).toBe('token-d');
      expect(valueFor(latchkey, at('t', undefined))).toBe('token-d');
    }
  });

  it('it takes the slot of one that is dead', async () => {
    const { latchkey, next, refresh } = world();
    next.push(B);
    latchkey.capture(at('t', 's'), A);
    await refresh(at('t', 's'));
    latchkey.capture(at('t', 's'), B).settle(401);
    latchkey.forgive(A.fingerprint);
    expect(latchkey.capture(at('t', 's'), A)).toMatchObject({ changed: true, usable: true });
    expect(valueFor(latchkey, at('t', 's'))).toBe('token-a');
  });

  it('it takes the slot of one that did not come of it', async () => {
    const { latchkey, next, refresh } = world();
    next.push(B);
    latchkey.capture(at('t', 's'), A);
    await refresh(at('t', 's'));
    latchkey.forgive(A.fingerprint);
    latchkey.capture(at('t', 's'), D);
    expect(latchkey.capture(at('t', 's'), A).changed).toBe(true);
    expect(valueFor(latchkey, at('t', 's'))).toBe('token-a');
  });

  it('a session of the tenant that held it not brings it for itself', async () => {
    const { latchkey, next, refresh } = world();
    next.push(B);
    latchkey.capture(at('t', 's'), A);
    await refresh(at('t', 's'));
    latchkey.forgive(A.fingerprint);
    latchkey.capture(at('t', 'late'), A);
    expect(valueFor(latchkey, at('t', 'late'))).toBe('token-a');
    expect(valueFor(latchkey, at('t', 's'))).toBe('token-b');
    expect(valueFor(latchkey, at('t', undefined))).toBe('token-b');
  });

  it('another tenant’s refresh is none of its business', async () => {
    const { latchkey, next, refresh } = world();
    next.push(B);
    for (const tenant of ['t', 'u']) latchkey.capture(at(tenant, 's'), A);
    await refresh(at('t', 's'));
    latchkey.capture(at('u', 's'), B);
    latchkey.forgive(A.fingerprint);
    expect(latchkey.capture(at('u', 's'), A).changed).toBe(true);
    expect(valueFor(latchkey, at('u', 's'))).toBe('token-a');
    expect(valueFor(latchkey, at('t', 's'))).toBe('token-b');
  });
});

describe('its place among captures', () => {
  /** A presentation waits while A is refreshed; it arrives before or while that is out. */
  async function provisional(arrives: 'before' | 'meanwhile'): Promise<string | undefined> {
    let bring = (_: Credential): void => {};
    const { latchkey } = world({ refresh: () => new Promise<Credential>((resolve) => (bring = resolve)) });
    latchkey.capture(at('t', 's'), A);
    const present = () => latchkey.capture(at('t', 's'), C, { provisional: true });
    let waiting = arrives === 'before' ? present() : undefined;
    const run = latchkey.run(at('t', 's'), (lease) => ({ status: lease.credential === A ? 401 : 200, headers: {} }));
    await settled(2);
    waiting ??= present();
    bring(B);
    await run;
    expect(valueFor(latchkey, at('t', 's'))).toBe('token-b');
    waiting.commit();
    return valueFor(latchkey, at('t', 's'));
  }

  it('what arrived before the refresh was sent, and is committed after, does not displace it', async () => {
    await expect(provisional('before')).resolves.toBe('token-b');
  });

  it('what arrived while it was out does', async () => {
    await expect(provisional('meanwhile')).resolves.toBe('token-c');
  });

  it('it goes when the session goes that brought what was refreshed', async () => {
    const { latchkey, next, refresh } = world();
    next.push(B);
    latchkey.capture(at('t', 's'), A);
    await refresh(at('t', 's'));
    latchkey.evict({ tenant: 't', session: 's' });
    expect(valueFor(latchkey, at('t', undefined))).toBeUndefined();
    expect(latchkey.status(at('t', undefined)).state).toBe('missing');
  });

  it('it stays for another session that held the same', async () => {
    const { latchkey, next, refresh } = world();
    next.push(B);
    for (const session of ['s', 'r']) latchkey.capture(at('t', session), A);
    await refresh(at('t', 's'));
    latchkey.evict({ tenant: 't', session: 's' });
    expect(valueFor(latchkey, at('t', 'r'))).toBe('token-b');
    expect(valueFor(latchkey, at('t', undefined))).toBe('token-b');
    latchkey.evict({ tenant: 't', session: 'r' });
    expect(valueFor(latchkey, at('t', undefined))).toBeUndefined();
  });
});

describe('what it knows of itself', () => {
  it('its own expiry counts, and not that of what it replaced', async () => {
    const { latchkey, next, refresh, advance } = world();
    next.push(bearer('token-b', { expiresAt: START + 10 * HOUR }));
    latchkey.capture(at('t', 's'), bearer('token-a', { expiresAt: START + HOUR }));
    await refresh(at('t', 's'));
    advance(2 * HOUR);
    expect(valueFor(latchkey, at('t', 's'))).toBe('token-b');
    advance(8 * HOUR);
    expect(valueFor(latchkey, at('t', 's'))).toBeUndefined();
  });

  it('no verdict is inherited: what was forbidden to one scope is tried again with the new one', async () => {
    const { latchkey, next, refresh } = world();
    next.push(B);
    latchkey.capture(at('t', 's'), A);
    const denied = { ...(at('t', 's') as object), purpose: 'x' };
    await latchkey.run(denied, () => ({ status: 403, headers: {} })).catch(() => {});
    expect(latchkey.canRun(denied)).toBe(false);
    await refresh(at('t', 's'));
    expect(valueFor(latchkey, denied)).toBe('token-b');
  });
});

describe('bounds', () => {
  it('two hundred refreshes leave as many identities as may be remembered', async () => {
    const { latchkey, next, refresh } = world({ limits: { sessions: 5, identities: 20 } });
    latchkey.capture(at('t', 's'), A);
    for (let times = 0; times < 200; times++) {
      next.push(bearer(`token-${times}`));
      await refresh(at('t', 's'));
    }
    expect(valueFor(latchkey, at('t', 's'))).toBe('token-199');
    expect(latchkey.stats().identities).toBeLessThanOrEqual(21);
    expect(latchkey.stats()).toMatchObject({ refreshed: 200, sessions: 1, refreshing: 0 });
  });

  it('a hundred tenants with the same bytes: each has its own, and the old one comes back to none of the last', async () => {
    const { latchkey } = world({ refresh: (lease) => bearer(`token-of-${lease.scope.tenant}`) });
    const tenants = Array.from({ length: 100 }, (_, index) => `t${index}`);
    for (const tenant of tenants) latchkey.capture(at(tenant, 's'), A);
    for (const tenant of tenants) {
      const attempt = (lease: { credential: Credential }) => ({ status: lease.credential.reveal() === 'token-a' ? 401 : 200, headers: {} });
      await latchkey.run(at(tenant, 's'), attempt);
    }
    latchkey.forgive(A.fingerprint);
    for (const tenant of tenants.slice(-64)) {
      latchkey.capture(at(tenant, 's'), A);
      expect(valueFor(latchkey, at(tenant, 's'))).toBe(`token-of-${tenant}`);
    }
  });
});

it('what is forgotten itself holds on to nothing that came of it', () => {
  const { ledger, present } = bareLedger({ identities: 3 });
  const line = [present('s', bearer('token-0'))];
  for (let i = 1; i <= 6; i++) {
    const from = line.at(-1) as (typeof line)[number];
    const to = ledger.succeed(from, { tenant: 't', credential: bearer(`token-${i}`), at: ledger.sequence.next() }, () => {});
    if (to !== undefined) line.push(to);
  }
  const [forgotten, kept] = [line.filter(({ known }) => !known), line.filter(({ known }) => known)];
  expect([forgotten.length, kept.length]).toEqual([3, 4]);
  for (const identity of forgotten) expect(identity.successor('t')).toBeUndefined();
  expect(kept.slice(0, -1).map((identity) => identity.successor('t'))).toEqual(kept.slice(1));
});

it('what came of it is remembered, though the only session that presented it is evicted: it comes back to nothing else', async () => {
  const { latchkey, next, advance } = world({ expiry: { jitterMs: 0 } });
  const old = bearer('token-old', { expiresAt: START + HOUR });
  latchkey.capture('owner', old);
  advance(HOUR - 60_000);
  next.push(B);
  // Ahead of its end: nobody has said anything of it.
  await latchkey.run('owner', (_, { unused }) => unused());
  await settled();
  latchkey.capture('late', old);
  latchkey.evict('late');
  latchkey.capture('late', old);
  const lent = latchkey.resolve({});
  expect(lent.ok && lent.lease.credential).toBe(B);
});
