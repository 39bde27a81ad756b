import { ensureBuilt } from './support/built.js';
import { type Bench, report } from './support/report.js';

const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  overhead: async () => (await import('./overhead.js')).overhead,
  scale: async () => (await import('./scale.js')).scale,
  memory: async () => (await import('./memory.js')).memory,
  startup: async () => (await import('./startup.js')).startup,
  fleet: async () => (await import('./fleet.js')).fleet,
  'refresh-spread': async () => (await import('./refresh-spread.js')).refreshSpread,
  storm: async () => (await import('./storm.js')).storm,
  late: async () => (await import('./late.js')).late,
  revoked: async () => (await import('./revoked.js')).revoked,
  represented: async () => (await import('./represented.js')).represented,
};

const [name = '', ...options] = process.argv.slice(2);
const load = BENCHES[name];
const unknown = options.filter((option) => option !== '--json');
if (load === undefined || unknown.length > 0) {
  console.error(`usage: npm run bench -- ${Object.keys(BENCHES).join('|')} [--json]`);
  process.exitCode = 2;
} else {
  ensureBuilt();
  await report(await load(), options.includes('--json'));
}
