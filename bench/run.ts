import { readFileSync, writeFileSync } from 'node:fs';
import { ensureBuilt, ROOT } from './support/built.js';
import { markdownTable, sectionsOf, withSection } from './support/markdown.js';
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
  contamination: async () => (await import('./contamination.js')).contamination,
  peers: async () => (await import('./peer-cost.js')).peerCost,
  demo: async () => (await import('./demo.js')).demo,
};

const README = `${ROOT}README.md`;
const OPTIONS = ['--json', '--markdown'];

const [name = '', ...options] = process.argv.slice(2);
const asJson = options.includes('--json');
if (options.some((option) => !OPTIONS.includes(option)) || !(name === 'readme' ? options.length === 0 : Object.hasOwn(BENCHES, name))) {
  console.error(`usage: npm run bench -- ${Object.keys(BENCHES).join('|')} [--json] [--markdown]\n       npm run bench -- readme`);
  process.exitCode = 2;
} else {
  ensureBuilt();
  if (name === 'readme') await renewReadme();
  else if (options.includes('--markdown')) await renewSection(name);
  else await report(await BENCHES[name]!(), asJson);
}

/** Every table of the README that was measured, one after another; each is written as soon as it is there. */
async function renewReadme(): Promise<void> {
  const sections = sectionsOf(readFileSync(README, 'utf8'));
  const unknown = sections.filter((section) => !Object.hasOwn(BENCHES, section));
  if (unknown.length > 0 || sections.length === 0) {
    console.error(
      `README.md: ${unknown.length > 0 ? `no bench is called ${unknown.join(' or ')}` : 'no markers of the form `<!-- bench:NAME -->`'}`,
    );
    process.exitCode = 1;
    return;
  }
  for (const section of sections) await renewSection(section);
}

async function renewSection(section: string): Promise<void> {
  // Before minutes are spent on it.
  if (!hasPlaceFor(section)) return;
  if (!asJson) console.log(`\n${section}\n`);
  const bench = await BENCHES[section]!();
  const table = markdownTable(bench, await report(bench, asJson));
  // As it is now: somebody may have written to it in the meantime.
  writeFileSync(README, withSection(readFileSync(README, 'utf8'), section, table));
}

function hasPlaceFor(section: string): boolean {
  try {
    withSection(readFileSync(README, 'utf8'), section, '');
    return true;
  } catch (error) {
    console.error(`README.md: ${(error as Error).message}`);
    process.exitCode = 1;
    return false;
  }
}
