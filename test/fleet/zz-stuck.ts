import { bearer } from '../../src/index.js';
import { startRedisFleet, eventually, pause } from '../support/redis-fleet.js';
import { startRedis } from '../support/redis-server.js';
const server = await startRedis();
const kind = (process.argv[2] ?? 'ioredis') as 'redis' | 'ioredis';
for (let n = 0; n < 60; n++) {
  const fleet = await startRedisFleet({ processes: 4, client: kind, server });
  const scopes = [0,1,2,3].map((i) => ({ tenant: 'fence', session: String(i) }));
  for (let round = 1; round < 6; round++) {
    const last = fleet.latchkeys.map((l, i) => { const c = bearer(`fence-${i}-${round}`); l.capture(scopes[i]!, c); return c.fingerprint; });
    if (round === 1) await Promise.all(fleet.latchkeys.map((l) => l.load(scopes)));
    const state = () => fleet.latchkeys.flatMap((l, p) => scopes.map((s, i) => [p, i, l.explain(s).candidates[0]?.fingerprint === last[i], l.isLoaded(s), l.explain(s).candidates[0]?.source]).filter((x) => !x[2]));
    const at = Date.now();
    try { await eventually(() => state().length === 0, { withinMs: 6000 }); } catch {
      console.log(n, 'round', round, state(), fleet.processes.map((p) => [p.states, p.problems]));
      const all = fleet.latchkeys.map((l)=>l.snapshot().slots.map((s)=>[s.slot,s.scope.session,s.fingerprint].join(' ')));
      console.log(last, all);
      process.exit(1);
    }
    if (Date.now() - at > 500) console.log('slow', n, round, Date.now() - at);
  }
  await fleet.close();
}
await server.stop();
console.log('ok');
