import type { Played, Scenario } from './scenario.js';
import { OLD, TokenEndpoint } from './token-endpoint.js';
import { Upstream } from './upstream.js';

export const IDLE_TICKS = 100;
export const PRESENTATIONS = 50;

/** A loop ticks on, and there is nothing but the dead token to be had. */
export const revoked: Scenario = (played) => play(played, { ticks: IDLE_TICKS, presents: false });

/** A client presents the dead token before each tick. */
export const represented: Scenario = (played) => play(played, { ticks: PRESENTATIONS, presents: true });

async function play({ policy, warm, brings }: Played, { ticks, presents }: { ticks: number; presents: boolean }) {
  const upstream = new Upstream(() => 1);
  const endpoint = new TokenEndpoint(upstream, brings, 1);
  let reports = 0;
  const session = await policy.open({
    send: upstream.send,
    refresh: endpoint.refresh,
    report: () => void reports++,
  });
  session.present(OLD);
  if (warm) {
    upstream.alive.add(OLD);
    await session.tick();
    upstream.alive.clear();
    upstream.reset();
  }
  let ticksDone = 0;
  for (let tick = 0; tick < ticks; tick++) {
    if (presents) session.present(OLD);
    if (await session.tick()) ticksDone++;
  }
  await session.close();
  return { upstream401s: upstream.unauthorized, refreshes: endpoint.refreshes, reports, ticksDone };
}
