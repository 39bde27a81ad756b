import type { PeerCostCase } from '../peer-cost.js';
import { policyNamed } from '../scenarios/policies.js';
import { subject } from '../support/child.js';
import { nsPerCall } from '../support/timing.js';

const CALLS = 2_000;

const { name } = subject<PeerCostCase>();
const policy = await policyNamed(name);
// Without a body one answer does for all calls, and costs none of them anything.
const done = new Response(null, { status: 204 });
const session = await policy.open({
  send: async () => done,
  refresh: () => Promise.reject(new Error('there is nothing to refresh')),
  report() {},
});
session.present('token');

const ns = await nsPerCall(CALLS, async () => {
  for (let call = 0; call < CALLS; call++) await session.work();
});
process.stdout.write(JSON.stringify({ usPerCall: ns / 1_000 }), () => process.exit());
