import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Carrier, RecordKind, StoreChange } from '../../src/fleet/carrier.js';
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.js';
import { answered, type Listening, listening, name, redisCarrier, until } from './redis-backends.js';

const NOW = Date.now();
const [TENANT, SESSION, OTHER, PROVIDER, IDENTITY] = ['t', 's', 'other', 'p', 'i'].map(name) as [string, string, string, string, string];

function stamp(number: number): string {
  return String((NOW - Date.UTC(2020, 0, 1)) * 4_096 + number).padStart(16, '0');
}

function present(session: string, at: number): StoreChange {
  const who = { tenant: TENANT, session, provider: PROVIDER, identity: IDENTITY };
  return { kind: 'present', ...who, at: stamp(at), captured: NOW, own: 'own', lent: 'lent' };
}

describeWithRedis('what somebody else has written over the records of a store', () => {
  let server: RedisServer;
  let client: ReturnType<typeof createClient>;
  let namespaces = 0;
  let prefix: string;
  let heard: Listening;
  let carrier: Carrier;
  let epoch: string;

  beforeAll(async () => {
    server = await startRedis();
    client = createClient({ url: server.url });
    await client.connect();
  });
  afterAll(async () => {
    client.destroy();
    await server.stop();
  });
  beforeEach(async () => {
    const namespace = `foreign-${++namespaces}`;
    prefix = `{${namespace}}:lk:`;
    heard = await listening(redisCarrier(client, { namespace }));
    carrier = heard.carrier;
    ({ epoch } = await carrier.hello());
  });
  afterEach(() => carrier.close());

  const push = async (...changes: StoreChange[]): ReturnType<Carrier['load']> =>
    answered(await carrier.push(epoch, changes, NOW, stamp(99)));
  const fieldsOf = async (kind: RecordKind, record: string): Promise<Readonly<Record<string, string>> | undefined> =>
    (await carrier.load([{ kind, name: record }])).records.find((one) => one.kind === kind && one.name === record)?.fields;
  const slot = (at: number, session: string, value: string): string => `${stamp(at)}|0|${IDENTITY}|${session}|${NOW}|${value}`;

  const GARBAGE = ['nonsense', '', '|||||', '999', '9'.repeat(15)];

  it.each(GARBAGE)('a slot that is none counts as absent, and is overwritten: %j', async (text) => {
    await push(present(SESSION, 1));
    await client.hSet(`${prefix}s:${SESSION}`, `p.${PROVIDER}`, text);
    await client.hSet(`${prefix}t:${TENANT}`, `g.${PROVIDER}`, text);
    expect(await fieldsOf('session', SESSION)).toEqual({});
    await push(present(SESSION, 2), { kind: 'evict', tenant: TENANT, session: OTHER, at: stamp(1) });
    expect(await fieldsOf('session', SESSION)).toEqual({ [`p.${PROVIDER}`]: slot(2, SESSION, 'own') });
    expect(await fieldsOf('tenant', TENANT)).toEqual({ [`g.${PROVIDER}`]: slot(2, SESSION, 'lent') });
    await until(() => heard.messages.length === 2);
  });

  it.each(GARBAGE)('nor does one stand in the way of an eviction: %j', async (text) => {
    await push(present(SESSION, 1), present(OTHER, 2));
    await client.hSet(`${prefix}s:${OTHER}`, `p.${PROVIDER}`, text);
    await client.hSet(`${prefix}s:${SESSION}`, 'p.more', text);
    await client.hSet(`${prefix}t:${TENANT}`, 'g.more', text);
    await push({ kind: 'evict', tenant: TENANT, session: SESSION, at: stamp(3) });
    expect(await fieldsOf('session', SESSION)).toEqual({ e: stamp(3) });
    // Nobody else holds it any more: the other session's slot is none.
    expect(await fieldsOf('tenant', TENANT)).toEqual({});
    await push({ kind: 'evict-tenant', tenant: TENANT, at: stamp(4) });
    expect(await fieldsOf('tenant', TENANT)).toEqual({ e: stamp(4) });
  });

  it.each(GARBAGE)('a register that is none counts as absent, and is overwritten: %j', async (text) => {
    for (const field of ['r', 'f', 's.one']) await client.hSet(`${prefix}i:${IDENTITY}`, field, text);
    for (const field of ['e', 'x.one']) await client.hSet(`${prefix}t:${TENANT}`, field, text);
    await client.hSet(`${prefix}s:${SESSION}`, 'e', text);
    expect(await fieldsOf('identity', IDENTITY)).toEqual({});
    await push(present(SESSION, 1));
    expect(await fieldsOf('session', SESSION)).toEqual({ [`p.${PROVIDER}`]: slot(1, SESSION, 'own') });
    const learnt = { r: `${stamp(1)}2401`, f: stamp(2), 's.one': `${stamp(3)}2` };
    await push(
      { kind: 'learn', identity: IDENTITY, fields: learnt },
      { kind: 'pin', tenant: TENANT, field: 'x.one', value: `${stamp(3)}1` },
      { kind: 'evict-tenant', tenant: TENANT, at: stamp(4) },
      { kind: 'evict', tenant: TENANT, session: SESSION, at: stamp(5) },
    );
    expect(await fieldsOf('identity', IDENTITY)).toEqual(learnt);
    expect(await fieldsOf('tenant', TENANT)).toEqual({ 'x.one': `${stamp(3)}1`, e: stamp(4) });
    expect(await fieldsOf('session', SESSION)).toEqual({ e: stamp(5) });
  });

  it.each(['nonsense', '', '-1', '1.5', 'nan', '9'.repeat(20)])('a version that is none begins anew: %j', async (text) => {
    await push(present(SESSION, 1));
    await client.hSet(`${prefix}s:${SESSION}`, 'v', text);
    await push(present(SESSION, 2));
    const { records } = await carrier.load([{ kind: 'session', name: SESSION }]);
    expect(records.map(({ version }) => version)).toEqual([2]);
  });

  it('a record of another type is absent, and is deleted before it is written', async () => {
    await push(present(SESSION, 1));
    const keys = [`s:${SESSION}`, `t:${TENANT}`, `i:${IDENTITY}`, `h:${TENANT}:${IDENTITY}`].map((key) => prefix + key);
    for (const key of keys) {
      await client.del(key);
      await client.set(key, 'x');
    }
    expect((await carrier.load([{ kind: 'session', name: SESSION }])).records).toEqual([]);
    expect((await carrier.load([{ kind: 'identity', name: IDENTITY }])).records).toEqual([]);
    await push(present(SESSION, 2), { kind: 'learn', identity: IDENTITY, fields: { f: stamp(2) } });
    expect(await fieldsOf('session', SESSION)).toEqual({ [`p.${PROVIDER}`]: slot(2, SESSION, 'own') });
    expect(await fieldsOf('tenant', TENANT)).toEqual({ [`g.${PROVIDER}`]: slot(2, SESSION, 'lent') });
    expect(await fieldsOf('identity', IDENTITY)).toEqual({ f: stamp(2) });
    expect(await Promise.all(keys.map((key) => client.type(key)))).toEqual(['hash', 'hash', 'hash', 'zset']);
    for (const key of keys) expect(await client.pTTL(key)).toBeGreaterThan(0);
    await until(() => heard.messages.length === 2);
  });

  it('one that a change only comes across does not end it half-way', async () => {
    await push(present(SESSION, 1), present(OTHER, 2));
    for (const key of [`s:${OTHER}`, `i:${IDENTITY}`]) {
      await client.del(prefix + key);
      await client.rPush(prefix + key, 'x');
    }
    await push({ kind: 'evict', tenant: TENANT, session: SESSION, at: stamp(3) });
    expect(await fieldsOf('session', SESSION)).toEqual({ e: stamp(3) });
    expect(await fieldsOf('tenant', TENANT)).toEqual({});
  });

  it('locks and groups of another type are free', async () => {
    for (const key of ['l:lock', 'm:group', 'm:group:tag']) await client.hSet(prefix + key, 'x', 'x');
    expect(await carrier.lock('lock', 'owner', 10_000)).toBe(0);
    expect(await carrier.lock('lock', 'another', 10_000)).toBeGreaterThan(0);
    await carrier.unlock('lock', 'owner', '');
    expect(await carrier.enter('group', 'one', 'tag', 10_000)).toEqual({ first: true, tag: 'tag' });
    expect(await carrier.enter('group', 'two', 'other', 10_000)).toEqual({ first: false, tag: 'tag' });
    for (const key of ['l:lock', 'm:group', 'm:group:tag']) {
      await client.del(prefix + key);
      await client.hSet(prefix + key, 'x', 'x');
    }
    await carrier.unlock('lock', 'owner', '');
    expect(await carrier.leave('group', 'one')).toEqual({ last: true, tag: undefined });
  });

  it.each(['deleted', 'of another type'])('a log that is %s is begun anew, and nobody claims to know what it held', async (what) => {
    await push(present(SESSION, 1));
    await push(present(OTHER, 2));
    await client.del(`${prefix}log`);
    if (what !== 'deleted') await client.set(`${prefix}log`, 'x');
    expect(await carrier.changedSince(0)).toBeUndefined();
    await push({ kind: 'learn', identity: IDENTITY, fields: { f: stamp(3) } });
    expect(await carrier.changedSince(0)).toBeUndefined();
    expect(await carrier.changedSince(2)).toEqual([{ kind: 'identity', name: IDENTITY }]);
  });

  it.each(['nonsense', '1.5'])('a count of messages that is none makes the store another: %j', async (text) => {
    await push(present(SESSION, 1));
    await client.hSet(`${prefix}meta`, { seq: text, latest: text, floor: text });
    expect(await carrier.changedSince(0)).toBeUndefined();
    expect(await carrier.push(epoch, [present(SESSION, 2)], NOW, stamp(99))).toEqual({ refused: 'epoch' });
    expect(await fieldsOf('session', SESSION)).toEqual({ [`p.${PROVIDER}`]: slot(1, SESSION, 'own') });
    const standing = await carrier.hello({ epoch, seq: 1 });
    expect(standing).toMatchObject({ seq: 0, latest: '0'.repeat(16) });
    expect(standing.epoch).not.toBe(epoch);
    epoch = standing.epoch;
    expect(await push(present(SESSION, 2))).toMatchObject({ seq: 1, latest: stamp(99) });
  });
});
