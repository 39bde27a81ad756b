import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { bearer, type Scope } from '../../src/index.js';
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.js';
import { type Login, startTokenEndpoint, type TokenEndpoint } from '../support/token-endpoint.js';
import { moment, type Opening, type RunResult } from './processes/commands.js';
import { endFleet, type FleetProcess, openFleet, startProcesses } from './processes/driver.js';
import { until } from './processes/until.js';

const PROCESSES = 4;
const CALLS_EACH = 5;
const SEAL = 'a sealing secret of 32 characters or more';
const LATENCY_MS = 30;
const SCOPE = { tenant: 'acme', session: 's', provider: 'p' };

describeWithRedis('four processes with one login, whose refresh tokens serve once', () => {
  let server: RedisServer;
  let endpoint: TokenEndpoint;
  let processes: FleetProcess[];
  let folder: string;
  let file: string;
  let login: Login;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'latchkey-refresh-'));
    file = join(folder, 'refresh-token');
    [server, endpoint, processes] = await Promise.all([
      startRedis(),
      startTokenEndpoint({ latencyMs: LATENCY_MS }),
      startProcesses(PROCESSES),
    ]);
  });
  afterAll(async () => {
    await endFleet(processes);
    await Promise.all([server.stop(), endpoint.close()]);
    rmSync(folder, { recursive: true, force: true });
  });

  let asked: number;
  let reused: number;
  beforeEach(() => {
    asked = endpoint.calls;
    reused = endpoint.reused;
    endpoint.misbehave(undefined);
  });
  afterEach(() => Promise.all(processes.map(({ tell }) => tell.close())));

  /** A client logs in, and goes on presenting the access token that it got then: to each process, for that one's session. */
  const begin = async (options: Opening['options'], lastsMs?: number, scopeOf = (_index: number): Scope => SCOPE): Promise<void> => {
    login = endpoint.login(lastsMs === undefined ? {} : { lastsMs });
    writeFileSync(file, login.refreshToken);
    await openFleet(processes, {
      redisUrl: server.url,
      namespace: randomUUID(),
      seal: SEAL,
      options,
      refresh: { url: endpoint.url, file },
    });
    await everybody(({ tell }, index) => tell.capture(scopeOf(index), login.accessToken));
  };

  const everybody = <T>(does: (process: FleetProcess, index: number) => Promise<T>): Promise<T[]> => Promise.all(processes.map(does));

  const call = (scopeOf = (_index: number): Scope => SCOPE): Promise<RunResult[]> =>
    everybody(({ tell }, index) => tell.request(scopeOf(index), endpoint.upstreamUrl));

  /** Every process several times at once. */
  const storm = async (scopeOf?: (index: number) => Scope): Promise<RunResult[]> =>
    (await Promise.all(Array.from({ length: CALLS_EACH }, () => call(scopeOf)))).flat();

  const fingerprintOf = (result: RunResult): string => ('ran' in result ? result.ran.fingerprint : result.code);
  const before = (): string => bearer(login.accessToken).fingerprint;

  /** One refresh in all, nobody is logged out, and all go on with what it brought, whatever the clients present. */
  const expectOneRefresh = async (scopeOf = (_index: number): Scope => SCOPE): Promise<void> => {
    await until('every process works with the new token', async () => {
      const used = new Set((await call(scopeOf)).map(fingerprintOf));
      return used.size === 1 && !used.has(before());
    });
    const seen = endpoint.seen.length;
    await everybody(({ tell }, index) => tell.capture(scopeOf(index), login.accessToken));
    const used = new Set((await storm(scopeOf)).map(fingerprintOf));
    expect(used.size).toBe(1);
    expect(used).not.toContain(before());
    expect(endpoint.seen.slice(seen).filter(({ status }) => status !== 200)).toEqual([]);
    expect({ asked: endpoint.calls - asked, reused: endpoint.reused - reused }).toEqual({ asked: 1, reused: 0 });
    expect(endpoint.isAlive(login)).toBe(true);
    expect(readFileSync(file, 'utf8')).not.toBe(login.refreshToken);
    const stats = await everybody(({ tell }) => tell.stats());
    expect(stats.map(({ refreshesFailed, openIncidents, refreshing }) => [refreshesFailed, openIncidents, refreshing])).toEqual(
      Array(PROCESSES).fill([0, 0, 0]),
    );
    expect(stats.reduce((sum, { refreshes }) => sum + refreshes, 0)).toBe(1);
  };

  it('the access token is turned away: every call succeeds after one refresh', async () => {
    await begin({});
    expect((await call()).map(fingerprintOf)).toEqual(Array(PROCESSES).fill(before()));
    endpoint.revoke(login.accessToken);
    const results = await storm();
    expect(results.map(fingerprintOf).filter((name) => name === before() || name.includes('_'))).toEqual([]);
    await expectOneRefresh();
  });

  it('it is turned away, and each process knows another session that has it', async () => {
    const scopeOf = (index: number): Scope => ({ ...SCOPE, session: `s${index}` });
    await begin({}, undefined, scopeOf);
    expect((await call(scopeOf)).map(fingerprintOf)).toEqual(Array(PROCESSES).fill(before()));
    endpoint.revoke(login.accessToken);
    const results = await storm(scopeOf);
    expect(results.map(fingerprintOf).filter((name) => name === before() || name.includes('_'))).toEqual([]);
    await expectOneRefresh(scopeOf);
  });

  it('it expires: nothing is sent with it any more, and every call succeeds after one refresh', async () => {
    await begin({}, 1_500);
    expect((await call()).map(fingerprintOf)).toEqual(Array(PROCESSES).fill(before()));
    await until('it has expired', async () => (await everybody(({ tell }) => tell.canRun([SCOPE]))).flat().every((can) => !can));
    const seen = endpoint.seen.length;
    const results = await storm();
    expect(results.map(fingerprintOf).filter((name) => name === before() || name.includes('_'))).toEqual([]);
    expect(endpoint.seen.slice(seen).filter(({ status }) => status !== 200)).toEqual([]);
    await expectOneRefresh();
  });

  it('it is about to expire: it is refreshed beside the work, which goes on', async () => {
    const startedAt = moment();
    const lastsMs = 4_000;
    await begin({ expiry: { jitterMs: 0 } }, lastsMs);
    const results = await storm();
    expect(new Set(results.map(fingerprintOf))).toEqual(new Set([before()]));
    expect(endpoint.calls).toBe(asked);
    await until('the window has begun', async () => moment() > startedAt + lastsMs / 2 + 100);
    const meanwhile = await storm();
    expect(meanwhile.map(fingerprintOf).filter((name) => name.includes('_'))).toEqual([]);
    await expectOneRefresh();
    expect(endpoint.seen.filter(({ status, token }) => status !== 200 && token === login.accessToken)).toEqual([]);
  });

  it.each(['turned away', 'about to expire'])('it is %s, and a process hears of it only when it has been refreshed', async (why) => {
    const lastsMs = 4_000;
    await begin({ expiry: { jitterMs: 0 } }, why === 'turned away' ? undefined : lastsMs, (index) =>
      index === 0 ? SCOPE : { ...SCOPE, session: `other ${index}`, provider: 'other' },
    );
    const [first, ...others] = processes as [FleetProcess, ...FleetProcess[]];
    const works = async (): Promise<string> => fingerprintOf(await first.tell.request(SCOPE, endpoint.upstreamUrl));
    expect(await works()).toBe(before());
    if (why === 'turned away') endpoint.revoke(login.accessToken);
    await until('it has been refreshed', async () => (await works()) !== before());
    for (const { tell } of others) {
      await tell.capture(SCOPE, login.accessToken);
      expect(fingerprintOf(await tell.request(SCOPE, endpoint.upstreamUrl))).not.toContain('_');
    }
    await expectOneRefresh();
  });

  it('each process has an access token of its own of that login: refreshes of one key are made one after another', async () => {
    const scopeOf = (index: number): Scope => ({ ...SCOPE, session: `device ${index}` });
    login = endpoint.login();
    writeFileSync(file, login.refreshToken);
    await openFleet(processes, {
      redisUrl: server.url,
      namespace: randomUUID(),
      seal: SEAL,
      options: { fallback: 'none' },
      refresh: { url: endpoint.url, file, isKeyed: true },
    });
    await everybody(({ tell }, index) => tell.capture(scopeOf(index), `no longer good, of device ${index}`.replaceAll(' ', '-')));
    const used = (await storm(scopeOf)).map(fingerprintOf);
    expect(used.filter((name) => name.includes('_'))).toEqual([]);
    expect(new Set(used).size).toBe(PROCESSES);
    expect({ asked: endpoint.calls - asked, reused: endpoint.reused - reused }).toEqual({ asked: PROCESSES, reused: 0 });
    expect(endpoint.isAlive(login)).toBe(true);
  });

  it('the one that refreshes is killed in the middle of it: the next one goes on within the time that the right lasts', async () => {
    const refreshMs = 1_500;
    await begin({ refreshMs });
    expect((await call()).map(fingerprintOf)).toEqual(Array(PROCESSES).fill(before()));
    endpoint.revoke(login.accessToken);
    endpoint.misbehave('no answer');
    const askedAt = moment();
    const calls = processes.map(({ tell }) => tell.request(SCOPE, endpoint.upstreamUrl).catch(() => undefined));
    await until('somebody refreshes', async () => endpoint.calls === asked + 1);
    const refreshes = (await everybody(({ tell }) => tell.stats())).map((stats) => stats.refreshes);
    expect([...refreshes].sort()).toEqual([0, 0, 0, 1]);
    const holder = refreshes.indexOf(1);
    await processes[holder]!.kill();
    endpoint.misbehave(undefined);

    const ended = await Promise.all(calls.filter((_, index) => index !== holder));
    const used = new Set(ended.map((result) => (result === undefined ? 'gone' : fingerprintOf(result))));
    expect(used.size).toBe(1);
    expect([...used].filter((name) => name === before() || name === 'gone' || name.includes('_'))).toEqual([]);
    // The right lasts as long as a try and two seconds. A refresh and a call come on top; whoever missed that would wait ten seconds more.
    expect(moment() - askedAt).toBeLessThan(refreshMs + 2_000 + 4_000);
    expect({ asked: endpoint.calls - asked, reused: endpoint.reused - reused }).toEqual({ asked: 2, reused: 0 });
    expect(endpoint.isAlive(login)).toBe(true);
    processes.splice(holder, 1);
  });
});
