import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Latchkey, type LatchkeyOptions } from '../../src/index.js';
import { statusError } from '../support/attempts.js';
import { freezeTime, settled } from '../support/clock.js';
import { hearAll, named } from '../support/heard.js';
import { endpointDown, invalidGrant } from '../support/refreshing.js';
import { TokenFamily } from '../support/token-family.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const DEVICES = ['laptop', 'phone', 'tablet'] as const;
const TRY_MS = 30_000;
const BY_TENANT: LatchkeyOptions['refreshKey'] = ({ tenant }) => tenant;

const tick = async (ms: number): Promise<void> => {
  await vi.advanceTimersByTimeAsync(ms);
  await settled(3);
};

const scopeOf = (session: string, tenant = 'ada') => ({ tenant, session });

/** One login, and a token of it for each device that the upstream turns away. */
function devices(options: LatchkeyOptions, tenant = 'ada', latchkey = createLatchkey({ fallback: 'none', ...options })): Latchkey {
  for (const device of DEVICES) latchkey.capture(scopeOf(device, tenant), bearer(`old-${device}`));
  return latchkey;
}

function work(latchkey: Latchkey, device: string, tenant = 'ada', signal?: AbortSignal): Promise<string> {
  const attempt = latchkey.run(
    scopeOf(device, tenant),
    async ({ credential }) => {
      if (credential.reveal().startsWith('old-')) throw statusError(401);
      return credential.reveal();
    },
    signal === undefined ? {} : { signal },
  );
  return attempt.catch((error: { code?: unknown; name: string }) => (typeof error.code === 'string' ? error.code : error.name));
}

describe('refreshes of one key', () => {
  it('are one: the others of the login get what the first brought', async () => {
    const family = new TokenFamily();
    const latchkey = devices({ refresh: family.refresh, refreshKey: BY_TENANT });
    const refreshed: unknown[] = [];
    latchkey.on('refreshed', ({ scope }) => refreshed.push(scope.session));
    const runs = DEVICES.map((device) => work(latchkey, device));
    await tick(2_000);
    expect(await Promise.all(runs)).toEqual(['token-1', 'token-1', 'token-1']);
    expect(family).toMatchObject({ tries: ['old-laptop'], isDead: false });
    expect(refreshed).toEqual([...DEVICES]);
    expect(latchkey.stats()).toMatchObject({ refreshing: 0, openIncidents: 0, refreshes: 1, refreshed: 3 });
    // One that comes later, too, and what the client goes on presenting changes nothing.
    latchkey.capture(scopeOf('watch'), bearer('old-watch'));
    for (const device of DEVICES) latchkey.capture(scopeOf(device), bearer(`old-${device}`));
    const later = ['watch', ...DEVICES].map((device) => work(latchkey, device));
    await tick(2_000);
    expect(await Promise.all(later)).toEqual(Array(4).fill('token-1'));
    expect(family.tries).toHaveLength(1);
  });

  it('are made one after the other where what the last one brought does not last', async () => {
    const family = new TokenFamily();
    const latchkey = devices({ refresh: family.refresh, refreshKey: BY_TENANT });
    // An upstream that has never heard of any of them.
    const runs = DEVICES.map((device) =>
      latchkey.run(scopeOf(device), () => Promise.reject(statusError(401))).catch((error: { code: string }) => error.code),
    );
    await tick(500);
    expect(family.tries).toEqual(['old-laptop']);
    await tick(10_000);
    expect(await Promise.all(runs)).toEqual(Array(3).fill('CREDENTIAL_REJECTED'));
    expect(family.isDead).toBe(false);
  });

  it('bring another where the last one is about to expire, too', async () => {
    const family = new TokenFamily(100, 60_000);
    const latchkey = createLatchkey({
      fallback: 'none',
      refresh: family.refresh,
      refreshKey: BY_TENANT,
      expiry: { advisoryMs: 30_000, jitterMs: 0 },
    });
    latchkey.capture(scopeOf('laptop'), bearer('old-laptop'));
    void work(latchkey, 'laptop');
    await tick(45_000);
    latchkey.capture(scopeOf('phone'), bearer('old-phone'));
    const phone = work(latchkey, 'phone');
    await tick(1_000);
    expect(await phone).toBe('token-2');
    // It is due, and what it would be refreshed for is there.
    expect(await work(latchkey, 'laptop')).toBe('token-1');
    await tick(1_000);
    expect(await work(latchkey, 'laptop')).toBe('token-2');
    expect(family).toMatchObject({ tries: ['old-laptop', 'old-phone'], isDead: false });
  });

  it('are another tenant’s and another provider’s own, though the name is the same', async () => {
    const places = [
      { tenant: 'ada', provider: 'p' },
      { tenant: 'ada', provider: 'q' },
      { tenant: 'bob', provider: 'p' },
    ];
    const calls: unknown[] = [];
    const latchkey = createLatchkey({
      refresh: async ({ scope }) => {
        calls.push(scope);
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        return bearer(`new-${scope.tenant}-${scope.provider}`);
      },
      refreshKey: () => 'the same',
    });
    for (const place of places) latchkey.capture({ ...place, session: 's' }, bearer(`old-${place.tenant}-${place.provider}`));
    const runs = places.map((place) =>
      latchkey.run({ ...place, session: 's' }, async ({ credential }) => {
        if (credential.reveal().startsWith('old-')) throw statusError(401);
        return credential.reveal();
      }),
    );
    await tick(500);
    expect(calls).toHaveLength(3);
    await tick(1_000);
    expect(await Promise.all(runs)).toEqual(['new-ada-p', 'new-ada-q', 'new-bob-p']);
  });

  it('would end that login without a key', async () => {
    const family = new TokenFamily();
    const latchkey = devices({ refresh: family.refresh });
    const runs = DEVICES.map((device) => work(latchkey, device));
    await tick(5_000);
    await Promise.all(runs);
    expect(family.isDead).toBe(true);
  });

  it('keep no other key’s waiting, nor those without one', async () => {
    const families = new Map(['ada', 'bob', 'eve'].map((tenant) => [tenant, new TokenFamily()]));
    const latchkey = createLatchkey({
      fallback: 'none',
      refresh: (lease, context) => families.get(lease.scope.tenant ?? '')?.refresh(lease, context),
      refreshKey: ({ tenant }) => (tenant === 'eve' ? undefined : tenant),
    });
    for (const tenant of families.keys()) devices({}, tenant, latchkey);
    const runs = [...families.keys()].flatMap((tenant) => DEVICES.map((device) => work(latchkey, device, tenant)));
    await tick(500);
    expect([...families.values()].map(({ tries }) => tries.length)).toEqual([1, 1, 3]);
    await tick(5_000);
    await Promise.all(runs);
    expect([...families.values()].map(({ isDead }) => isDead)).toEqual([false, false, true]);
  });

  it('are asked for by the scope that the refresh gets', async () => {
    const asked: unknown[] = [];
    const latchkey = createLatchkey({
      refresh: ({ scope }) => void asked.push(['refresh', scope]) as undefined,
      refreshKey: (scope) => void asked.push(['key', scope]) as undefined,
    });
    latchkey.capture(scopeOf('owner'), bearer('old-token'));
    // Lent, it is its owner's login that is used up.
    await Promise.all([work(latchkey, 'borrower'), tick(1_000)]);
    expect(asked).toEqual([
      ['key', { tenant: 'ada', session: 'owner' }],
      ['refresh', { tenant: 'ada', session: 'owner' }],
    ]);
  });

  it('pause together: while one’s token endpoint is down, no other asks it', async () => {
    const tries: string[] = [];
    let isDown = true;
    const latchkey = devices({
      refresh: ({ scope }) => {
        tries.push(scope.session ?? '');
        if (isDown) throw endpointDown();
        return bearer(`new-${scope.session}`);
      },
      refreshKey: BY_TENANT,
    });
    const runs = DEVICES.map((device) => work(latchkey, device));
    await tick(100);
    expect(await Promise.all(runs)).toEqual(Array(3).fill('AUTH_RETRYING'));
    expect(tries).toEqual(['laptop']);
    isDown = false;
    await tick(11_000);
    expect(await Promise.all(DEVICES.map((device) => work(latchkey, device)))).toEqual(Array(3).fill('new-laptop'));
    expect(tries).toHaveLength(2);
  });

  it('are each refused on their own account', async () => {
    const tries: string[] = [];
    const refresh: LatchkeyOptions['refresh'] = ({ scope }) => {
      tries.push(scope.session ?? '');
      if (scope.session === 'laptop') throw invalidGrant();
      return scope.session === 'phone' ? undefined : bearer('new-tablet');
    };
    const latchkey = devices({ refresh, refreshKey: BY_TENANT });
    const runs = DEVICES.map((device) => work(latchkey, device));
    await tick(100);
    expect(await Promise.all(runs)).toEqual(['CREDENTIAL_REJECTED', 'CREDENTIAL_REJECTED', 'new-tablet']);
    expect(tries).toEqual([...DEVICES]);
  });

  it('wait for one that hangs no longer than its try, and are broken off on their own account', async () => {
    const { latchkey, tries } = hanging();
    const controller = new AbortController();
    const [one, two, three] = DEVICES.map((device) => work(latchkey, device, 'ada', device === 'phone' ? controller.signal : undefined));
    await tick(1_000);
    controller.abort();
    expect(await two).toBe('AbortError');
    await tick(TRY_MS);
    expect(await Promise.all([one, three])).toEqual(['AUTH_RETRYING', 'AUTH_RETRYING']);
    expect(tries).toEqual(['laptop']);
  });

  it('are over when Latchkey is closed, whoever’s turn it is', async () => {
    const { latchkey, tries } = hanging();
    const runs = DEVICES.map((device) => work(latchkey, device));
    await tick(100);
    const closing = latchkey.close({ timeoutMs: 1_000 });
    await tick(1_000);
    await closing;
    expect(await Promise.all(runs)).toEqual(Array(3).fill('CLOSED'));
    await tick(10 * TRY_MS);
    expect(tries).toEqual(['laptop']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    ['throws', () => assertNever()],
    ['answers later', async () => 'ada'],
    ['names nothing', () => ''],
    ['answers with what is no name', () => 7],
  ])('a rule that %s leaves each to itself, and is told once', async (_, rule) => {
    const latchkey = createLatchkey({
      fallback: 'none',
      refresh: ({ scope }) => bearer(`new-${scope.session}`),
      refreshKey: rule as unknown as NonNullable<LatchkeyOptions['refreshKey']>,
    });
    const heard = hearAll(latchkey);
    devices({}, 'ada', latchkey);
    const runs = DEVICES.map((device) => work(latchkey, device));
    await tick(100);
    expect(await Promise.all(runs)).toEqual(DEVICES.map((device) => `new-${device}`));
    expect(named(heard, 'error')).toMatchObject([{ origin: 'refreshKey' }]);
  });
});

/** Nothing comes of any refresh. */
function hanging() {
  const tries: string[] = [];
  const refresh: LatchkeyOptions['refresh'] = ({ scope }) => {
    tries.push(scope.session ?? '');
    return new Promise(() => {});
  };
  return { latchkey: devices({ refresh, refreshKey: BY_TENANT }), tries };
}

function assertNever(): never {
  throw new Error('no');
}
