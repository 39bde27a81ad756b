import { createHash, randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAuthProcessor } from '../../src/adapters/bullmq.js';
import { redisStore } from '../../src/adapters/redis.js';
import { apiKey, bearer, type Credential, createLatchkey, type Incident, type Latchkey, type Lease } from '../../src/index.js';
import { statusError } from '../support/attempts.js';
import { Bull, until } from '../support/bullmq.js';
import { RedisRecorder, type StoredKey } from '../support/redis-recorder.js';
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.js';
import { secretsIn } from '../support/secret-forms.js';
import { type ConnectedClient, connectClient } from './processes/clients.js';

// L7: No secret, plain, URL-encoded or base64, in anything that Latchkey creates or emits; and no name that the store could be read by.

const KEY = 'a sealing secret of 32 characters or more';
const NAMES = {
  tenant: 'tenant-of-acme/1',
  session: 'session-of-alice?',
  cold: 'session-of-bob~~~',
  refreshed: 'session-of-dave---',
  dying: 'session-of-carol!',
  provider: 'provider-anthropic',
  other: 'provider-openai>>',
  purpose: 'purpose-distillation',
};
/** Work of a queue: a job names its session in the clear, as its user wrote it. */
const QUEUED = 'session-of-a-job';
const TOKENS = {
  first: 'sk-ant-oat01-First+Token/of=Alice~~~',
  second: 'sk-ant-oat01-Second+Token/of=Alice???',
  third: 'sk-ant-oat01-Third+Token/of=Alice>>>',
  doomed: 'sk-ant-oat01-Doomed+Token/of=Carol%%%',
  key: 'sk-proj-Api+Key/of=Alice&&&',
  pinned: 'sk-gateway-Pinned+Key/of=Acme$$$',
  queued: 'sk-ant-oat01-Queued+Token/of=Jobs!!!',
  fresh: 'sk-ant-oat01-Fresh+Token/of=Jobs@@@',
  stale: 'sk-ant-oat01-Stale+Token/of=Dave^^^',
  rotated: 'sk-ant-oat01-Rotated+Token/of=Dave***',
};
const REASON = 'the quota is spent';
const DAY_MS = 24 * 3_600_000;

/** One token is exchanged for another; of another the issuer has nothing but words. */
async function refreshed(token: string): Promise<Credential | undefined> {
  if (token === TOKENS.rotated) throw Object.assign(new Error(`no: ${token}`), { status: 400, error: 'invalid_grant', body: token });
  return token === TOKENS.stale ? bearer(TOKENS.rotated) : undefined;
}

const credentials: readonly Credential[] = Object.values(TOKENS).flatMap((token) => [bearer(token), apiKey(token)]);
const secrets = [...Object.values(TOKENS), ...credentials.map(({ fingerprint }) => fingerprint)];

describeWithRedis('what a Redis server gets to see', () => {
  let server: RedisServer;
  let recorder: RedisRecorder;
  let namespace: string;
  let clients: ConnectedClient[];
  let bull: Bull;
  let fleet: Latchkey[];
  let incidents: Incident[];

  beforeEach(async () => {
    server = await startRedis();
    recorder = await RedisRecorder.start(server.port);
    namespace = `gateway-${randomUUID()}`;
    incidents = [];
    bull = new Bull(server.port);
  });
  afterEach(async () => {
    await bull.end();
    await Promise.all(fleet.map((latchkey) => latchkey.close({ timeoutMs: 100 })));
    for (const client of clients) client.end();
    recorder.close();
    await server.stop();
  });

  const open = async (keys: { seal: string } | { fingerprintKey: string }): Promise<[Latchkey, Latchkey]> => {
    clients = await Promise.all([connectClient('node-redis', server.url), connectClient('ioredis', server.url)]);
    const open = ({ client }: ConnectedClient): Latchkey =>
      createLatchkey({
        tenancy: 'multi',
        store: redisStore({ client, namespace, ...keys }),
        refresh: ({ credential }) => refreshed(credential.reveal()),
        reporter: { opened: (incident) => void incidents.push(incident), ended: (incident) => void incidents.push(incident) },
      });
    const [a, b] = clients.map(open) as [Latchkey, Latchkey];
    fleet = [a, b];
    await Promise.all(fleet.map((latchkey) => latchkey.ready()));
    return [a, b];
  };

  /** What was sent has been done, and what was published has been heard. */
  const quiet = async (): Promise<void> => {
    for (let round = 0; round < 3; round++) {
      for (const { ping } of clients) await ping();
      await recorder.settled();
    }
  };

  /** Everything that puts something into the store, by two processes. `both`: credentials are not shared, so that each captures for itself. */
  const play = async (a: Latchkey, b: Latchkey, both: boolean): Promise<void> => {
    const { tenant, session, provider, purpose } = NAMES;
    const own = { tenant, session, provider };
    const work = { ...own, purpose };
    const capture = (scope: Parameters<Latchkey['capture']>[0], credential: Credential): void => {
      a.capture(scope, credential);
      if (both) b.capture(scope, credential);
    };
    const step = async (what: () => unknown): Promise<void> => {
      await what();
      await quiet();
      await recorder.look();
    };
    const lease = (latchkey: Latchkey, scope: typeof work | typeof own): Lease => {
      const found = latchkey.resolve(scope);
      if (!found.ok) throw new Error(`blocked: ${found.reason}`);
      return found.lease;
    };
    const call = (latchkey: Latchkey, scope: object, outcome?: (value: string) => unknown) =>
      latchkey.run(scope, async ({ credential }) => {
        const failure = outcome?.(credential.reveal());
        if (failure !== undefined) throw failure;
        return credential.reveal();
      });

    await step(() => {
      capture(own, bearer(TOKENS.first, { expiresAt: Date.now() + DAY_MS }));
      capture({ ...own, provider: NAMES.other }, apiKey(TOKENS.key));
      capture({ tenant, provider }, bearer(TOKENS.first));
    });
    // Canaries of both, and those who wait behind them.
    await step(async () => {
      await b.load([work, { ...work, session: NAMES.cold }]);
      const canary = b.run(work, async () => void (await recorder.look()));
      expect(await Promise.all(Array.from({ length: 5 }, () => call(b, work)))).toEqual(Array.from({ length: 5 }, () => TOKENS.first));
      await canary;
      expect(await call(a, { ...own, session: NAMES.cold })).toBe(TOKENS.first);
      expect(await call(b, { ...own, provider: NAMES.other })).toBe(TOKENS.key);
    });
    let unpin = (): void => {};
    await step(() => {
      unpin = a.pin({ tenant, provider, purpose }, apiKey(TOKENS.pinned));
    });
    await step(async () => {
      if (both) b.pin({ tenant, provider, purpose }, apiKey(TOKENS.pinned))();
      else expect(await call(b, work)).toBe(TOKENS.pinned);
      unpin();
    });
    // A rejection that says more than it should, an incident, a presentation of what is dead, fresh auth.
    await step(async () => {
      const loud = (value: string) =>
        Object.assign(statusError(401), { message: `no: ${value}`, config: { headers: { authorization: value } } });
      await expect(call(b, work, loud)).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
      await quiet();
      await expect(call(a, work)).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
      capture(own, bearer(TOKENS.first));
    });
    await step(async () => {
      const parked = b.run(work, async ({ credential }) => credential.reveal(), { whenBlocked: 'park' });
      const late = a.capture(own, bearer(TOKENS.second), { provisional: true });
      await quiet();
      late.commit();
      if (both) b.capture(own, bearer(TOKENS.second));
      expect(await parked).toBe(TOKENS.second);
      a.capture(own, bearer(TOKENS.third), { provisional: true }).discard();
    });
    await step(() => lease(b, work).settle({ status: 403 }));
    await step(() => lease(a, own).settle({ holdMs: 60_000, reason: REASON }));
    await step(() => {
      b.forgive(own);
      a.forgive(bearer(TOKENS.first).fingerprint);
    });
    // Whoever says why may have the answer's words in hand.
    await step(() => lease(a, own).settle({ holdMs: 60_000, reason: `the upstream said: no credit for ${TOKENS.second}` }));
    await step(() => {
      capture({ ...own, session: NAMES.dying }, bearer(TOKENS.doomed));
      capture({ ...own, session: NAMES.dying, provider: NAMES.other }, bearer(TOKENS.doomed));
    });
    // A refresh, whose result is another process's, too; and one that is refused.
    await step(async () => {
      const scope = { ...own, session: NAMES.refreshed };
      capture(scope, bearer(TOKENS.stale));
      await quiet();
      await b.load([scope]);
      const dead = (value: string): unknown => (value === TOKENS.stale ? statusError(401) : undefined);
      expect(await call(a, scope, dead)).toBe(TOKENS.rotated);
      await quiet();
      expect(await call(b, scope, dead)).toBe(TOKENS.rotated);
      // Which of two processes' calls of one millisecond was sent last, their numbers do not say.
      const acceptedBy = Date.now();
      while (Date.now() <= acceptedBy + 1) await quiet();
      const refused = call(a, scope, (value) => Object.assign(statusError(401), { message: `no: ${value}` }));
      await expect(refused).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
      // It goes on beside the work, which has been lent another.
      while (a.stats().refreshing > 0) await quiet();
    });
    await step(() => {
      a.evict({ tenant, session: NAMES.dying });
      b.evict({ tenant: 'tenant-of-umbrella' });
      b.evict({ tenant, session: NAMES.cold });
    });
    await playJobs(a, b, both);
    await step(() => a.evict({ tenant }));
    await Promise.all([a.close(), b.close()]);
    await step(() => {});
  };

  /** A job whose token dies waits in its queue until there is another. */
  const playJobs = async (a: Latchkey, b: Latchkey, both: boolean): Promise<void> => {
    const name = bull.newName();
    const queue = await bull.queue<{ session: string }>(name);
    const scope = { tenant: NAMES.tenant, session: QUEUED, provider: NAMES.provider };
    a.capture(scope, bearer(TOKENS.queued));
    if (both) b.capture(scope, bearer(TOKENS.queued));
    const processor = createAuthProcessor(b, {
      queue,
      scope: ({ data }: { readonly data: { session: string } } & Parameters<Parameters<typeof bull.worker>[1]>[0]) => ({
        ...scope,
        session: data.session,
      }),
      process: (_, { run }) =>
        run(async ({ credential }) => {
          if (credential.reveal() === TOKENS.queued) throw Object.assign(statusError(401), { message: `no: ${credential.reveal()}` });
          return 'done';
        }),
    });
    await bull.worker(name, processor.process);
    await queue.add('work', { session: QUEUED });
    await until('the job is parked', () => processor.stats().parked === 1);
    await quiet();
    expect((await recorder.look()).some(({ key }) => key.endsWith('latchkey:parked'))).toBe(true);
    a.capture(scope, bearer(TOKENS.fresh));
    if (both) b.capture(scope, bearer(TOKENS.fresh));
    await until('the job is done', async () => (await queue.getCompletedCount()) === 1);
    await processor.close();
  };

  const isOfQueue = (text: string): boolean => text.includes('bull:');

  for (const [name, keys] of Object.entries({ 'with `seal`': { seal: KEY }, 'without `seal`': { fingerprintKey: KEY } })) {
    it(`holds no secret and no name, and nothing for ever, ${name}`, async () => {
      const [a, b] = await open(keys);
      await play(a, b, !('seal' in keys));
      const { commands, messages, seen } = recorder;
      const keysSeen = seen.map(({ key, type, value }) => `${key} ${type} ${value}`);

      // The story was told in full: there is something of everything to be found.
      expect(incidents.length).toBeGreaterThanOrEqual(2);
      const ofStore = seen.filter(({ key }) => !isOfQueue(key));
      const prefix = `{${namespace}}:lk:`;
      const kinds = new Set(ofStore.map(({ key }) => key.slice(prefix.length).split(':')[0]));
      expect([...kinds].sort()).toEqual(expect.arrayContaining(['h', 'i', 'l', 'log', 'm', 'meta', 's', 't']));
      for (const kind of ['evict', 'evict-tenant', 'learn', 'pin', 'present']) expect(commands).toContain(`\\"kind\\":\\"${kind}\\"`);
      for (const field of 'seal' in keys ? ['n.', 'u'] : ['u']) expect(commands).toContain(`\\"${field}`);
      expect(messages).toContain(`${prefix}changes`);
      expect(messages.length).toBeGreaterThan(5_000);

      const everything = [commands, messages, ...keysSeen];
      expect(secretsIn(everything.join('\n'), secrets)).toEqual([]);
      // A queue's jobs, and what is noted beside them, name their own scopes.
      const lines = everything.flatMap((text) => text.split('\n')).filter((line) => !isOfQueue(line));
      expect(secretsIn(lines.join('\n'), [...Object.values(NAMES), QUEUED, KEY])).toEqual([]);

      expect(ofStore.filter(({ key }) => !key.startsWith(prefix))).toEqual([]);
      expect(ofStore.filter(({ ttl }) => ttl === -1).map(({ key }: StoredKey) => key)).toEqual([]);
    });
  }
});

describe('the search', () => {
  const secret = 'sk-ant+oat/01=of Alice?';
  const hidden: Record<string, string> = {
    plain: `a ${secret} b`,
    'in JSON in JSON': JSON.stringify(JSON.stringify({ secret })),
    'URL-encoded': encodeURIComponent(secret),
    'in base64': Buffer.from(`x${secret}`).toString('base64'),
    'in base64url': Buffer.from(`xy${secret}`).toString('base64url'),
    'in base64 after other text': `abc${Buffer.from(secret).toString('base64')}`,
    'in hexadecimal digits': Buffer.from(secret).toString('hex'),
    'as a hash without a key': `k:${createHash('sha256').update(secret).digest('hex').slice(0, 16)}`,
  };
  for (const [how, text] of Object.entries(hidden)) {
    it(`finds a secret ${how}`, () => {
      expect(secretsIn(text, [secret])).not.toEqual([]);
    });
  }
  it('finds nothing where nothing is', () => {
    expect(secretsIn(`the quick brown fox ${Buffer.from('jumps over the lazy dog').toString('base64')} %41%42`, [secret])).toEqual([]);
  });
});
