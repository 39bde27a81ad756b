import { subject } from '../support/child.js';
import { nsPerCall } from '../support/timing.js';
import { LOOK_UPS } from './look-ups.js';
import { PEERS } from './peers.js';

/** One case of `npm run bench -- overhead`. */
export interface OverheadCase {
  readonly name: string;
  readonly sessions?: number | undefined;
  readonly order?: 'insertion' | 'shuffled' | undefined;
}

const { name, sessions, order } = subject<OverheadCase>();
console.log(JSON.stringify({ nsPerCall: await take() }));

async function take(): Promise<number> {
  const lookUp = LOOK_UPS[name];
  if (lookUp !== undefined && sessions !== undefined && order !== undefined) {
    const { calls, pass } = await lookUp(sessions, order);
    return nsPerCall(calls, pass);
  }
  const peer = PEERS[name];
  if (peer === undefined) throw new Error(`no case ${name}`);
  const { calls, pass } = await peer();
  return nsPerCall(calls, pass);
}
