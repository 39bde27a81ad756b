import { setImmediate } from 'node:timers/promises';
import { connectClient } from '../../test/fleet/processes/clients.js';
import { importPackage } from '../../test/fleet/processes/package.js';
import { subject } from '../support/child.js';
import { nsPerCall } from '../support/timing.js';
import type { Passes } from './passes.js';

/** One case of the calls that `npm run bench -- fleet` times. */
export interface FleetCallsCase {
  readonly name: 'bare' | 'latchkey' | 'latchkey with a store';
  readonly redisUrl: string;
}

const CALLS = 20_000;
const { name, redisUrl } = subject<FleetCallsCase>();
const {
  latchkey: { createLatchkey, bearer },
  redis: { redisStore },
} = await importPackage('dist');
const attempt = async (): Promise<number> => 1;

const { calls, pass, end } = await prepare();
const taken = await nsPerCall(calls, async () => {
  await pass();
  // Turns of the event loop are what a store lives on.
  await setImmediate();
});
console.log(JSON.stringify({ nsPerCall: taken }));
await end();

async function prepare(): Promise<Passes & { end(): Promise<void> }> {
  if (name === 'bare') {
    const pass = async (): Promise<void> => {
      for (let call = 0; call < CALLS; call++) await attempt();
    };
    return { calls: CALLS, pass, end: async () => {} };
  }
  const client = name === 'latchkey' ? undefined : await connectClient('node-redis', redisUrl);
  const store = client && redisStore({ client: client.client, namespace: 'calls', seal: 'a sealing secret of 32 characters or more' });
  const latchkey = createLatchkey({ store });
  latchkey.capture('session', bearer('sk-bench'));
  await latchkey.run('session', attempt);
  return {
    calls: CALLS,
    async pass() {
      for (let call = 0; call < CALLS; call++) await latchkey.run('session', attempt);
      if (store !== undefined && latchkey.stats().store !== 'up') throw new Error('the store is down');
    },
    async end() {
      await latchkey.close();
      client?.end();
    },
  };
}
