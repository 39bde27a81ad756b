import { isOwn } from './scenarios/case.js';
import { PEERS } from './scenarios/policies.js';
import { measure, medians } from './support/child.js';
import { ensurePeers, peerVersions } from './support/peers-installed.js';
import type { Bench } from './support/report.js';

const RUNS = 3;
const CASES: readonly PeerCostCase[] = ['latchkey', ...PEERS].map((name) => ({ name }));

/** One case of `npm run bench -- peers`. */
export interface PeerCostCase {
  readonly name: string;
}

export const peerCost: Bench = {
  name: 'peers',

  async measure() {
    ensurePeers();
    const versions = peerVersions();
    const figures = await medians(CASES, RUNS, (one) => measure<{ usPerCall: number }>('peer-cost', one));
    const bare = figures[CASES.findIndex(({ name }) => name === 'bare')]!.usPerCall;
    return CASES.map(({ name }, index) => {
      const { usPerCall } = figures[index]!;
      return { name, version: versionOf(name, versions), usPerCall, usMoreThanBare: usPerCall - bare };
    });
  },

  target: () => undefined,

  readme: { columns: { name: '', version: 'version', usMoreThanBare: 'µs a call, beyond the bare call' } },

  notes: [
    'A call that succeeds, with a token that works, through each as it is set up in the scenarios; the upstream is a function that answers 204 at once.',
    'The newest version of each that runs on Node 20.19. How each is set up, and what it has to do: bench/peers/README.md.',
  ],
};

function versionOf(name: string, versions: Readonly<Record<string, string>>): string {
  if (isOwn({ name })) return '';
  return name === 'axios-auth-refresh' ? `${versions[name]}, axios ${versions['axios']}` : (versions[name] ?? '');
}
