import { sentryEndpoint } from '../../test/support/sentry-endpoint.js';
import { ErrorTracker } from './error-tracker.js';
import type { Replayed } from './incident.js';
import type { Gateway, Parts, Policy, Work } from './policies/policy.js';
import { providerClient } from './provider-client.js';
import type { Setting } from './settings.js';
import { tokenOf } from './tokens.js';
import { startUpstream } from './upstream.js';

/** What one policy came to in one setting. */
export interface Tally {
  readonly name: string;
  readonly upstreamCalls: number;
  readonly upstream401s: number;
  readonly sentryEvents: number;
  readonly foreignCredentialCalls: number;
  readonly ownWorkDone: number;
  readonly borrowedWorkDone: number;
}

const STARTED_AT = Date.UTC(2026, 0, 1);

/** Plays the incident through, from nothing: an upstream, an error tracker and gateways of its own. */
export async function replay({ outages, lastTick, tickMs }: Replayed, setting: Setting, policy: Policy): Promise<Tally> {
  const upstream = await startUpstream();
  const endpoint = await sentryEndpoint();
  const client = providerClient(upstream.port);
  const tracker = new ErrorTracker(endpoint.dsn);
  let tick = 0;
  const parts: Parts = { client, tracker, tickMs, clock: { now: () => STARTED_AT + tick * tickMs } };
  const shared = setting.shared ? policy.open(parts) : undefined;
  const gateways = new Map<string, Gateway>(outages.map(({ user }) => [user, shared ?? policy.open(parts)]));
  const due = new Map<Gateway, Work[]>();
  for (const { user, session } of outages) {
    const gateway = gateways.get(user)!;
    const own = Array.from({ length: setting.workers }, (_, worker): Work => ({ user, session, worker }));
    due.set(gateway, [...(due.get(gateway) ?? []), ...own]);
  }

  for (; tick <= lastTick; tick++) {
    for (const { user, session, tokenExpiresAtTick, returnsAtTick } of outages) {
      if (tick === tokenExpiresAtTick) upstream.expire(tokenOf(user, 'old'));
      const isDead = tick >= tokenExpiresAtTick && tick < returnsAtTick;
      const presents = isDead && setting.presentsDeadEvery !== undefined && tick % setting.presentsDeadEvery === 0;
      if (tick === 0 || presents) gateways.get(user)!.presented(user, session, tokenOf(user, 'old'));
      if (tick === returnsAtTick) gateways.get(user)!.presented(user, session, tokenOf(user, 'new'));
    }
    await Promise.all([...due].map(([gateway, work]) => gateway.tick(work)));
    await tracker.makeRoomFor(outages.length * setting.workers);
  }

  await Promise.all([...due.keys()].map((gateway) => gateway.close()));
  await tracker.close();
  client.close();
  const { calls, unauthorized, foreign, ownWorkDone, borrowedWorkDone } = upstream.seen;
  const sentryEvents = endpoint.items.filter(({ type }) => type === 'event').length;
  const lost = Object.keys(endpoint.discarded());
  if (lost.length > 0) throw new Error(`the error tracker lost events: ${lost.join(', ')}`);
  await Promise.all([upstream.close(), endpoint.close()]);
  return {
    name: policy.name,
    upstreamCalls: calls,
    upstream401s: unauthorized,
    sentryEvents,
    foreignCredentialCalls: foreign,
    ownWorkDone,
    borrowedWorkDone,
  };
}
