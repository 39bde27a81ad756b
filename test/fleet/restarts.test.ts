import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { bearer, isLatchkeyError, type Latchkey } from '../../src/index.js';
import { GoodTokens } from '../support/good-tokens.js';
import { outlook } from '../support/known.js';
import { eventually, pause, type RedisFleet, startRedisFleet, unhandledRejections } from '../support/redis-fleet.js';
import { describeWithRedis } from '../support/redis-server.js';

const CYCLES = 20;
const PROCESSES = 4;
const SESSIONS = ['S0', 'S1', 'S2', 'S3', 'S4', 'S5'];
const LIMITS = { sessions: 50, identities: 100 };
/** A job that loses its credential twice in one run is given to its worker again, as a queue would. */
const MOST_RUNS = 3;
const MOST_GROWTH_BYTES = 8 * 2 ** 20;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

function anyOf<T>(all: readonly T[]): T {
  return all[Math.floor(Math.random() * all.length)]!;
}

/** The clients of all sessions: each knows when its token is dead, and presents a fresh one to whichever process it meets. */
class Clients {
  readonly #upstream: GoodTokens;
  readonly #tokens = new Map<string, string>();
  /** Some of those that were good once. */
  readonly dead: { session: string; token: string }[] = [];
  rotations = 0;

  constructor(upstream: GoodTokens) {
    this.#upstream = upstream;
  }

  token(session: string): string {
    return this.#tokens.get(session) ?? '';
  }

  rotate(session: string, latchkeys: readonly Latchkey[]): void {
    const old = this.token(session);
    const fresh = `token-${session}-${++this.rotations}`;
    this.#upstream.good.delete(old);
    this.#upstream.good.add(fresh);
    this.#tokens.set(session, fresh);
    if (old !== '' && this.dead.push({ session, token: old }) > 20) this.dead.shift();
    anyOf(latchkeys).capture(session, bearer(fresh));
  }

  /** Another device of a client goes on with a token that died some time ago. */
  presentDead(latchkeys: readonly Latchkey[]): void {
    if (this.dead.length === 0) return;
    const { session, token } = anyOf(this.dead);
    const capture = anyOf(latchkeys).capture(session, bearer(token), { provisional: true });
    // Who does not know that it is dead takes it for the newest; that is so in one process, too.
    if (capture.usable) capture.discard();
    else capture.commit();
  }
}

describeWithRedis(`${CYCLES} restarts of Redis`, () => {
  let fleet: RedisFleet | undefined;
  let unhandled: ReturnType<typeof unhandledRejections>;
  beforeEach(() => {
    unhandled = unhandledRejections();
  });
  afterEach(async () => {
    await fleet?.close();
    unhandled.stop();
  });

  it.each(['redis', 'ioredis'] as const)(
    '%s: lose no job, leave nothing blocked that works, and nothing usable that does not',
    {
      timeout: 120_000,
    },
    async (client) => {
      fleet = await startRedisFleet({
        processes: PROCESSES,
        client,
        options: { fallback: 'none', limits: LIMITS },
        store: { commandMs: 500, syncMs: 300 },
      });
      const { latchkeys, server } = fleet;
      const upstream = new GoodTokens();
      const clients = new Clients(upstream);
      for (const session of SESSIONS) clients.rotate(session, latchkeys);
      const jobs = { begun: 0, done: 0, again: 0, lost: [] as unknown[], slowestMs: 0 };

      const job = async (latchkey: Latchkey, session: string): Promise<void> => {
        jobs.begun++;
        const before = performance.now();
        for (let run = 1; ; run++) {
          try {
            await latchkey.run(session, upstream.attempt, { whenBlocked: 'park', parkMs: 30_000 });
            jobs.done++;
            break;
          } catch (error) {
            if (run === MOST_RUNS || !isLatchkeyError(error) || error.code !== 'CREDENTIAL_REJECTED') {
              jobs.lost.push(error);
              break;
            }
            jobs.again++;
          }
        }
        jobs.slowestMs = Math.max(jobs.slowestMs, performance.now() - before);
      };
      let stopped = false;
      const workers = latchkeys.flatMap((latchkey) =>
        SESSIONS.map(async (session) => {
          while (!stopped) {
            await job(latchkey, session);
            await pause(5 + Math.random() * 10);
          }
        }),
      );
      const clientsAtWork = (async () => {
        while (!stopped) {
          clients.rotate(anyOf(SESSIONS), latchkeys);
          await pause(60 + Math.random() * 60);
        }
      })();

      const heap: number[] = [];
      for (let cycle = 0; cycle < CYCLES; cycle++) {
        await pause(Math.random() * 300);
        await server.kill();
        await eventually(() => latchkeys.some((latchkey) => latchkey.stats().store === 'down'));
        await pause(Math.random() * 400);
        await server.restart();
        await eventually(() => latchkeys.every((latchkey) => latchkey.stats().store === 'up'));
        heap.push(heapBytes());
      }
      stopped = true;
      await clientsAtWork;
      await Promise.all(workers);
      expect(jobs.lost).toEqual([]);
      expect(jobs.done).toBe(jobs.begun);
      expect(jobs.done).toBeGreaterThan(CYCLES * SESSIONS.length);

      // Every session's client has a good token, and every process knows it.
      await fleet.converge(...SESSIONS);
      await eventually(() => {
        for (const latchkey of latchkeys)
          expect(SESSIONS.map((session) => outlook(latchkey, session))).toEqual(SESSIONS.map((session) => clients.token(session)));
      });

      // What died meanwhile is presented once more: after one try nobody uses it any more.
      const revived = clients.dead.slice(-8).map(({ token }, index) => ({ token, session: `dead-${index}` }));
      expect(revived.length).toBe(8);
      await Promise.all(latchkeys.map((latchkey) => latchkey.load(revived.map(({ session }) => session))));
      for (const { token, session } of revived) {
        const latchkey = anyOf(latchkeys);
        latchkey.capture(session, bearer(token));
        await expect(latchkey.run(session, upstream.attempt)).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
      }
      await eventually(() => {
        for (const latchkey of latchkeys) for (const { session } of revived) expect(outlook(latchkey, session)).toBe('rejected');
      });

      for (const { latchkey, problems } of fleet.processes) {
        expect(problems).toEqual([]);
        const { identities, tombstones, sessions, running, waiting, errors } = latchkey.stats();
        expect({ running, waiting, errors }).toEqual({ running: 0, waiting: 0, errors: 0 });
        expect(tombstones).toBeLessThanOrEqual(LIMITS.identities);
        expect(identities).toBeLessThanOrEqual(LIMITS.identities + sessions);
      }
      expect(jobs.slowestMs).toBeLessThan(10_000);
      expect(jobs.again).toBeLessThan(jobs.done / 20);
      expect(Math.min(...heap.slice(-3)) - Math.max(...heap.slice(2, 5))).toBeLessThan(MOST_GROWTH_BYTES);
      expect(unhandled.seen).toEqual([]);
    },
  );
});
