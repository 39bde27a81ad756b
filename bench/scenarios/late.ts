import { setTimeout as sleep } from 'node:timers/promises';
import type { Scenario } from './scenario.js';
import { NEW, OLD, TokenEndpoint } from './token-endpoint.js';
import { Upstream } from './upstream.js';

const FIRST_401_MS = 5;
const SECOND_401_MS = 60;
const NEW_TOKEN_MS = 10;

/** Two calls leave with the old token. One is turned away before the new one is there, the other long after. */
export const late: Scenario = async ({ policy, warm, brings }) => {
  const latencies: number[] = [];
  const upstream = new Upstream(() => latencies.shift() ?? 1);
  const endpoint = new TokenEndpoint(upstream, brings, NEW_TOKEN_MS - FIRST_401_MS);
  const session = await policy.open({ send: upstream.send, refresh: endpoint.refresh, report() {} });
  session.present(OLD);
  if (warm) {
    upstream.alive.add(OLD);
    await session.work();
    upstream.alive.clear();
    upstream.reset();
  }
  latencies.push(FIRST_401_MS, SECOND_401_MS);
  const ends = Promise.allSettled([session.work(), session.work()]);
  if (!policy.refreshes) {
    await sleep(NEW_TOKEN_MS);
    upstream.alive.add(NEW);
    session.present(NEW);
  }
  const failed = (await ends).filter(({ status }) => status === 'rejected').length;

  // Usable is what the next call goes out with, and gets through at once.
  const before = { calls: upstream.calls, unauthorized: upstream.unauthorized, refreshes: endpoint.refreshes };
  const worked = await session.work().then(
    () => true,
    () => false,
  );
  const newTokenUsable =
    worked &&
    upstream.calls === before.calls + 1 &&
    upstream.unauthorized === before.unauthorized &&
    endpoint.refreshes === before.refreshes;
  await session.close();
  return { refreshes: before.refreshes, failed, newTokenUsable, upstream401s: before.unauthorized };
};
