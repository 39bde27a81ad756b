import { setTimeout as sleep } from 'node:timers/promises';
import { randomBetween } from '../support/random.js';
import type { Scenario } from './scenario.js';
import { NEW, OLD, TokenEndpoint } from './token-endpoint.js';
import { Upstream } from './upstream.js';

export const WORKERS = 200;
const START_MS = 30;
const FRESH_MS = 20;

/** Two hundred workers start at nearly the same time on one token that has just expired. */
export const storm: Scenario = async ({ policy, warm, brings, seed }) => {
  const upstream = new Upstream(randomBetween(seed, 5, 60), () => {
    if (!policy.refreshes) void bring();
  });
  const endpoint = new TokenEndpoint(upstream, brings, FRESH_MS);
  const session = await policy.open({ send: upstream.send, refresh: endpoint.refresh, report() {} });
  async function bring(): Promise<void> {
    await sleep(FRESH_MS);
    upstream.alive.add(NEW);
    session.present(NEW);
  }
  session.present(OLD);
  if (warm) {
    upstream.alive.add(OLD);
    await session.work();
    upstream.alive.clear();
    upstream.reset();
  }
  const startMs = randomBetween(seed + 1, 0, START_MS);
  const ends = await Promise.allSettled(
    Array.from({ length: WORKERS }, async () => {
      await sleep(startMs());
      await session.work();
    }),
  );
  await session.close();
  const { calls, unauthorized, callsOut } = upstream;
  const failed = ends.filter(({ status }) => status === 'rejected').length;
  return { upstreamCalls: calls, upstream401s: unauthorized, refreshes: endpoint.refreshes, failed, callsOut };
};
