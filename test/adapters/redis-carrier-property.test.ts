import fc from 'fast-check';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Credential } from '../../src/credential/credential.js';
import type { Answer, Message, RecordRef, Refusal, StoreChange, StoredRecord } from '../../src/fleet/carrier.js';
import { Identities } from '../../src/ledger/identities.js';
import type { Session } from '../../src/ledger/session.js';
import { Slots } from '../../src/ledger/slots.js';
import { isDead } from '../../src/policy/choose.js';
import { MemoryStore } from '../support/memory-carrier.js';
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.js';
import { answered, IDLE_MS, listening, name, redisCarrier, until } from './redis-backends.js';

const NOW = Date.now();
const TENANTS = ['t0', 't1'];
const SESSIONS = ['s0', 's1', 's2'];
const PROVIDERS = ['p0', 'p1'];
/** An identity belongs to one provider. */
const IDENTITIES = PROVIDERS.flatMap((provider) => ['a', 'b', 'c'].map((credential) => `${provider}${credential}`));

const ALL: RecordRef[] = [
  ...IDENTITIES.map((one) => ({ kind: 'identity', name: name(one) }) as const),
  ...TENANTS.flatMap((tenant) => SESSIONS.map((one) => ({ kind: 'session', name: name(tenant + one) }) as const)),
  ...TENANTS.map((one) => ({ kind: 'tenant', name: name(one) }) as const),
];

/** The numbers of calls of one test are so close together that equal ones are common. */
function stamp(number: number): string {
  return String((NOW - Date.UTC(2020, 0, 1)) * 4_096 + number).padStart(16, '0');
}

const stamps = fc.nat(12).map(stamp);
const times = fc.nat(6).map((sixth) => NOW + (sixth * IDLE_MS) / 4);
const expiries = fc.tuple(times, fc.constantFrom('', 'u')).map(([ms, suffix]) => `|${ms}${suffix}`);
const successors = fc.tuple(stamps, fc.constantFrom(...IDENTITIES)).map(([at, to]) => `${at}|${name(to)}|sealed`);

const learn = fc.record({
  kind: fc.constant('learn' as const),
  identity: fc.constantFrom(...IDENTITIES).map(name),
  fields: fc.record(
    {
      r: fc.tuple(stamps, fc.constantFrom('0', '1', '2,x', '2,X')).map((parts) => parts.join('')),
      f: stamps,
      h: fc.tuple(stamps, expiries).map((parts) => parts.join('')),
      x: fc.tuple(stamps, expiries).map((parts) => parts.join('')),
      u: stamps.map((at) => `${at}|400|invalid_grant`),
      [`n.${name('t0')}`]: successors,
      [`n.${name('t1')}`]: successors,
      's.one': fc.tuple(stamps, fc.constantFrom('0', '2', '2-', '2_', '2a', '2B')).map((parts) => parts.join('')),
    },
    { requiredKeys: [] },
  ) as fc.Arbitrary<Record<string, string>>,
});

const present = fc
  .record({
    tenant: fc.constantFrom(...TENANTS),
    session: fc.constantFrom(...SESSIONS),
    identity: fc.constantFrom(...IDENTITIES),
    at: stamps,
    captured: times,
    own: fc.constantFrom('', 'own', 'other'),
    lent: fc.constantFrom('', 'lent'),
    instead: fc.option(fc.constantFrom(...IDENTITIES), { nil: undefined }),
  })
  .map(({ tenant, session, identity, instead, ...rest }) => ({
    kind: 'present' as const,
    ...(instead === undefined ? {} : { instead: name(instead) }),
    tenant: name(tenant),
    session: name(tenant + session),
    provider: name(identity.slice(0, 2)),
    identity: name(identity),
    ...rest,
  }));

const pin = fc
  .record({
    tenant: fc.constantFrom(...TENANTS),
    field: fc.constantFrom('x.one', 'x.two'),
    at: stamps,
    what: fc.constantFrom('0|pin', '1'),
  })
  .map(({ tenant, field, at, what }) => ({ kind: 'pin' as const, tenant: name(tenant), field, value: at + what }));

const evict = fc
  .record({ tenant: fc.constantFrom(...TENANTS), session: fc.constantFrom(...SESSIONS), at: stamps })
  .map(({ tenant, session, at }) => ({ kind: 'evict' as const, tenant: name(tenant), session: name(tenant + session), at }));

const evictTenant = fc
  .record({ tenant: fc.constantFrom(...TENANTS), at: stamps })
  .map(({ tenant, at }) => ({ kind: 'evict-tenant' as const, tenant: name(tenant), at }));

const change: fc.Arbitrary<StoreChange> = fc.oneof(
  { weight: 5, arbitrary: present },
  { weight: 3, arbitrary: learn },
  { weight: 2, arbitrary: evict },
  { weight: 1, arbitrary: evictTenant },
  { weight: 1, arbitrary: pin },
);

const pushes = fc.array(fc.record({ changes: fc.array(change, { minLength: 1, maxLength: 5 }), now: times, latest: stamps }), {
  minLength: 1,
  maxLength: 14,
});

/** What none of our processes has written, and what one of them may have. */
const foreign = fc.record({
  before: fc.nat(13),
  ref: fc.constantFrom(...ALL),
  field: fc.constantFrom(
    'r',
    'f',
    'h',
    'x',
    'e',
    's.one',
    'x.one',
    `n.${name('t0')}`,
    ...PROVIDERS.flatMap((one) => [`p.${name(one)}`, `g.${name(one)}`]),
  ),
  text: fc.oneof(
    fc.constantFrom('', 'nonsense', '|||||', '-1', '99', stamp(3), `${stamp(4)}|0|`, `${stamp(5)}2`),
    fc.constantFrom(...IDENTITIES, 'nobody').map((one) => `${stamp(6)}|0|${name(one)}|${name('t0s0')}|${NOW}|own`),
    fc.constantFrom(...IDENTITIES, 'nobody').map((one) => `${stamp(6)}|${name(one)}|own`),
    fc.constantFrom(...IDENTITIES).map((one) => `${stamp(6)}|2|${name(one)}|${name('t0s0')}|soon|own`),
  ),
});

function sorted(records: readonly StoredRecord[]): StoredRecord[] {
  const key = (record: StoredRecord): string => `${record.kind} ${record.name}`;
  return [...records].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** Without what is drawn, or read from a clock. */
function comparable(answer: Answer | Refusal): unknown {
  const { epoch: _, now: __, records, ...rest } = answered(answer);
  const kinds = records.map((record) => record.kind === 'identity');
  return { ...rest, identitiesFirst: kinds.lastIndexOf(true) < kinds.concat(false).indexOf(false), records: sorted(records) };
}

function told({ seq, latest, records }: Message): unknown {
  return { seq, latest, records: sorted(records) };
}

describeWithRedis('the scripts on a server, and their twin in memory', () => {
  let server: RedisServer;
  let client: ReturnType<typeof createClient>;
  let namespaces = 0;

  beforeAll(async () => {
    server = await startRedis();
    client = createClient({ url: server.url });
    await client.connect();
  });
  afterAll(async () => {
    client.destroy();
    await server.stop();
  });

  it('answer, keep and publish the same, whatever is pushed', async () => {
    await fc.assert(
      fc.asyncProperty(
        pushes,
        fc.array(foreign, { maxLength: 4 }),
        fc.integer({ min: 1, max: 6 }),
        fc.nat(16),
        async (all, others, logLength, since) => {
          const namespace = `property-${++namespaces}`;
          const store = new MemoryStore({ clock: { now: () => NOW }, logLength });
          const redis = await listening(redisCarrier(client, { namespace, logLength }));
          const memory = await listening(store.carrier());
          try {
            const [one, two] = [await redis.carrier.hello(), await memory.carrier.hello()];
            for (const [index, { changes, now, latest }] of all.entries()) {
              for (const { ref, field, text } of others.filter(({ before }) => before === index)) {
                await client.hSet(`{${namespace}}:lk:${ref.kind[0]}:${ref.name}`, field, text);
                store.write(ref, field, text);
              }
              const answers = [
                await redis.carrier.push(one.epoch, changes, now, latest),
                await memory.carrier.push(two.epoch, changes, now, latest),
              ];
              expect(comparable(answers[0]!)).toEqual(comparable(answers[1]!));
            }
            expect(comparable(await redis.carrier.load(ALL))).toEqual(comparable(await memory.carrier.load(ALL)));
            const [changedHere, changedThere] = [await redis.carrier.changedSince(since), await memory.carrier.changedSince(since)];
            const names = (refs: readonly RecordRef[] | undefined): unknown => refs?.map((ref) => `${ref.kind} ${ref.name}`).sort();
            expect(names(changedHere)).toEqual(names(changedThere));
            await until(() => redis.messages.length >= memory.messages.length);
            expect(redis.messages.map(told)).toEqual(memory.messages.map(told));
          } finally {
            await redis.carrier.close();
          }
        },
      ),
      { numRuns: 250 },
    );
  });
});

type Step =
  | { readonly do: 'present'; readonly session: string; readonly identity: string; readonly back: number }
  | { readonly do: 'reject' | 'forgive'; readonly identity: string }
  | { readonly do: 'refresh'; readonly identity: string; readonly to: string; readonly back: number }
  | { readonly do: 'evict'; readonly session: string }
  | { readonly do: 'evict all' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('present' as const),
      session: fc.constantFrom(...SESSIONS),
      identity: fc.constantFrom(...IDENTITIES),
      back: fc.nat(6),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('reject' as const, 'forgive' as const), identity: fc.constantFrom(...IDENTITIES) }),
  },
  {
    weight: 3,
    arbitrary: fc
      .record({
        do: fc.constant('refresh' as const),
        identity: fc.constantFrom(...IDENTITIES),
        other: fc.constantFrom('a', 'b', 'c'),
        back: fc.nat(6),
      })
      .map(({ other, ...rest }) => ({ ...rest, to: `${rest.identity.slice(0, 2)}${other}` }))
      .filter(({ identity, to }) => identity !== to),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('evict' as const), session: fc.constantFrom(...SESSIONS) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'evict all' } as const) },
);

describe('a store', () => {
  it('decides about slots as the ledger of one process does', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const identities = new Identities(1_000);
        const slots = new Slots(1_000, identities, false, { evicted: () => {}, unlent: () => {} });
        const carrier = new MemoryStore({ clock: { now: () => NOW } }).carrier();
        const { epoch } = await carrier.hello();
        const push = async (pushed: StoreChange): Promise<void> => void answered(await carrier.push(epoch, [pushed], NOW, stamp(0)));
        const known = new Map(IDENTITIES.map((one) => [one, identities.of(one.slice(0, 2), one)]));
        for (const identity of known.values()) identities.shelve(identity);
        let number = 0;
        let evictedAt = 0;
        let refreshedAt = 0;
        for (const taken of steps) {
          number++;
          if (taken.do === 'evict') {
            evictedAt = number;
            slots.evict(undefined, taken.session, 'asked');
            await push({ kind: 'evict', tenant: name('t'), session: name(taken.session), at: stamp(number) });
            continue;
          }
          if (taken.do === 'evict all') {
            evictedAt = number;
            slots.evictTenant(undefined);
            await push({ kind: 'evict-tenant', tenant: name('t'), at: stamp(number) });
            continue;
          }
          const provider = taken.identity.slice(0, 2);
          const identity = known.get(taken.identity)!;
          if (taken.do === 'refresh') {
            const to = known.get(taken.to)!;
            // Nobody installs what is dead.
            if (isDead(to, NOW)) continue;
            // Taken before it was made, but after the last one.
            refreshedAt = Math.max(refreshedAt + 1, evictedAt, number - taken.back);
            const at = refreshedAt;
            const credential = new Credential('bearer', 'authorization', taken.to, undefined);
            identity.succeeded(undefined, to, at);
            await push({
              kind: 'learn',
              identity: name(taken.identity),
              fields: {
                [`n.${name('t')}`]: `${stamp(identity.successors!.get(undefined)!.at)}|${name(identity.successors!.get(undefined)!.identity.fingerprint)}|`,
              },
            });
            const { globals } = slots.tenant(undefined)!;
            for (const own of slots.succeed(undefined, identity, to, credential, at)) {
              const session = own ?? globals.get(provider)!.by.name!;
              await push({
                kind: 'present',
                tenant: name('t'),
                session: name(session),
                provider: name(provider),
                identity: name(taken.to),
                at: stamp(at),
                captured: NOW,
                own: '',
                lent: '',
                instead: name(taken.identity),
              });
            }
          } else if (taken.do === 'present') {
            const at = Math.max(evictedAt, number - taken.back);
            const credential = new Credential('bearer', 'authorization', taken.identity, undefined);
            slots.present({ tenant: undefined, session: taken.session, provider }, { identity, credential, at, now: NOW, sinceStart: 0 });
            await push({
              kind: 'present',
              tenant: name('t'),
              session: name(taken.session),
              provider: name(provider),
              identity: name(taken.identity),
              at: stamp(at),
              captured: NOW,
              own: '',
              lent: '',
            });
          } else if (taken.do === 'reject') {
            identity.judge({ state: 'rejected', reach: 'identity', sent: number, passed: number, since: NOW, status: 401 });
            await push({ kind: 'learn', identity: name(taken.identity), fields: { r: `${stamp(number)}2` } });
          } else {
            identity.forgive(number);
            await push({ kind: 'learn', identity: name(taken.identity), fields: { f: stamp(number) } });
          }
        }
        const stored = await carrier.load([
          { kind: 'tenant', name: name('t') },
          ...SESSIONS.map((session) => ({ kind: 'session', name: name(session) }) as const),
        ]);
        const tenantEvicted = stored.records.find((record) => record.kind === 'tenant')?.fields['e'] ?? '';
        const kept = stored.records
          .filter((record) => record.kind !== 'identity')
          .flatMap((record) => Object.entries(record.fields).map(([field, text]) => [record.name, field, ...text.split('|').slice(0, 4)]))
          .filter(([, field, at = '']) => field !== 'e' && at >= tenantEvicted);
        expect(kept.sort()).toEqual(spelt(slots).sort());
      }),
      { numRuns: 1_000 },
    );
  });
});

/** The ledger's slots as a store would have them. */
function spelt(slots: Slots): string[][] {
  const tenant = slots.tenant(undefined)!;
  const text = (
    of: string,
    field: string,
    provider: string | undefined,
    slot: { at: number; deadOnArrival: boolean; by: Session },
    to: string,
  ) => [of, `${field}.${name(provider ?? '')}`, stamp(slot.at), slot.deadOnArrival ? '1' : '0', name(to), name(slot.by.name ?? '')];
  return [
    ...[...tenant.globals].map(([provider, slot]) => text(name('t'), 'g', provider, slot, slot.identity.fingerprint)),
    ...[...tenant.sessions.values()].flatMap((session) =>
      [...session.allSlots()].map((slot) => text(name(session.name ?? ''), 'p', slot.provider, slot, slot.identity.fingerprint)),
    ),
  ];
}
