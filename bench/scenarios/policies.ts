import { bare } from './bare.js';
import { latchkey, latchkeyRefresh } from './latchkey.js';
import { markAndSkip } from './mark-and-skip.js';
import { type Peer, policyOf } from './peer.js';
import type { Policy } from './policy.js';

const HERE: Readonly<Record<string, Policy>> = {
  latchkey,
  'latchkey refresh': latchkeyRefresh,
  bare: policyOf(bare),
  'mark-and-skip': policyOf(markAndSkip),
};

/** Other packages, and the files of `bench/peers` that set them up. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  '@azure/core-rest-pipeline': 'azure-core-rest-pipeline',
  'google-auth-library': 'google-auth-library',
  '@smithy/core': 'smithy-core',
  '@badgateway/oauth2-client': 'badgateway-oauth2-client',
  'axios-auth-refresh': 'axios-auth-refresh',
  ky: 'ky',
  '@modelcontextprotocol/sdk': 'mcp-sdk',
  cockatiel: 'cockatiel',
  opossum: 'opossum',
};

/** Those that latchkey is compared with. */
export const PEERS: readonly string[] = ['bare', ...Object.keys(ELSEWHERE), 'mark-and-skip'];

export async function policyNamed(name: string): Promise<Policy> {
  const file = ELSEWHERE[name];
  const policy = HERE[name] ?? (file === undefined ? undefined : policyOf(await peerIn(file)));
  if (policy === undefined) throw new Error(`no policy ${name}`);
  return policy;
}

/** By its address, since its packages are installed apart, and their types with them. */
async function peerIn(file: string): Promise<Peer> {
  const { peer } = (await import(new URL(`../peers/${file}.mjs`, import.meta.url).href)) as { peer: Peer };
  return peer;
}
