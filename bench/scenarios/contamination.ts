import type { Place } from './policy.js';
import type { Scenario } from './scenario.js';
import { Upstream } from './upstream.js';

const TENANTS = ['tenant-1', 'tenant-2'];
const PROVIDERS = ['provider-1', 'provider-2'];
export const TICKS = 25;
/** Pieces of work that each tenant has with each provider at a tick. */
export const WORKERS = 3;

/** Two tenants work with two providers, a token for each, and one of the four tokens is revoked. */
export const contamination: Scenario = async ({ policy, warm }) => {
  const upstreams = new Map(PROVIDERS.map((provider) => [provider, new Upstream(() => 1)]));
  let foreign = 0;
  const places = TENANTS.flatMap((tenant) =>
    PROVIDERS.map((provider): Place & { token: string } => {
      const token = `token-${tenant}-${provider}`;
      const upstream = upstreams.get(provider)!;
      upstream.alive.add(token);
      return {
        tenant,
        provider,
        token,
        send(presented) {
          if (presented !== token) foreign++;
          return upstream.send(presented);
        },
        // There is no other: of three of them it is alive.
        refresh: async () => token,
        report() {},
      };
    }),
  );
  const { sessions, instances } = await policy.openAll(places);
  for (const [at, { token }] of places.entries()) sessions[at]!.present(token);
  if (warm) {
    for (const session of sessions) await session.tick();
    for (const upstream of upstreams.values()) upstream.reset();
  }
  const revoked = places[0]!;
  upstreams.get(revoked.provider)!.alive.delete(revoked.token);

  const blocked = new Set<Place>();
  for (let tick = 0; tick < TICKS; tick++) {
    await Promise.all(
      places.flatMap((place, at) =>
        Array.from({ length: WORKERS }, async () => {
          if (!(await sessions[at]!.tick()) && place !== revoked) blocked.add(place);
        }),
      ),
    );
  }
  await Promise.all(sessions.map((session) => session.close()));
  const upstream401s = [...upstreams.values()].reduce((sum, { unauthorized }) => sum + unauthorized, 0);
  return { foreignCredentialCalls: foreign, healthyScopesBlocked: blocked.size, upstream401s, instances };
};
