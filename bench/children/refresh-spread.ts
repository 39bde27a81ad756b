import { setTimeout } from 'node:timers/promises';
import { connectClient } from '../../test/fleet/processes/clients.js';
import { importPackage } from '../../test/fleet/processes/package.js';
import { subject } from '../support/child.js';

/** What `npm run bench -- refresh-spread` tells each process. Moments are milliseconds since the epoch. */
export interface SpreadProcess {
  readonly redisUrl: string;
  readonly namespace: string;
  readonly sessions: number;
  readonly expiresAt: number;
  readonly advisoryMs: number;
  readonly jitterMs: number;
}

export interface SpreadPart {
  /** When this process asked for a new token. */
  readonly refreshedAt: readonly number[];
  readonly calls: number;
  readonly failed: number;
  /** How many sessions work with their new token. */
  readonly renewed: number;
}

/** Each session's work is done once a second, and not all at once. */
const SLICES = 50;
const SLICE_MS = 1_000 / SLICES;
/** A token endpoint's answer takes so long. */
const REFRESH_MS = 20;
const NEW_LASTS_MS = 3_600_000;

const { redisUrl, namespace, sessions, expiresAt, advisoryMs, jitterMs } = subject<SpreadProcess>();
const {
  latchkey: { bearer, createLatchkey },
  redis: { redisStore },
} = await importPackage('dist');
const { client, end } = await connectClient('node-redis', redisUrl);
const refreshedAt: number[] = [];
const latchkey = createLatchkey({
  store: redisStore({ client, namespace, seal: 'a sealing secret of 32 characters or more' }),
  expiry: { advisoryMs, jitterMs },
  refresh: async ({ scope }) => {
    refreshedAt.push(Date.now());
    await setTimeout(REFRESH_MS);
    return bearer(`${scope.session}-token-2`, { expiresAt: Date.now() + NEW_LASTS_MS });
  },
});
await latchkey.ready();

const scopes = Array.from({ length: sessions }, (_, index) => ({ session: `session-${index}`, provider: 'p' }));
const old = new Set<string>();
for (const scope of scopes) {
  const credential = bearer(`${scope.session}-token-1`, { expiresAt });
  old.add(credential.fingerprint);
  latchkey.capture(scope, credential);
}
if (Date.now() > expiresAt - 2 * advisoryMs) throw new Error('it took too long to start');

let [calls, failed] = [0, 0];
const renewed = new Set<string>();
const work = async (scope: (typeof scopes)[number]): Promise<void> => {
  calls++;
  const { fingerprint } = await latchkey.run(scope, async ({ credential }) => credential);
  if (!old.has(fingerprint)) renewed.add(scope.session);
};
for (let slice = 0, due = Date.now(); Date.now() < expiresAt - advisoryMs + jitterMs || renewed.size < sessions; slice++) {
  if (Date.now() > expiresAt) break;
  const ended = await Promise.allSettled(scopes.filter((_, index) => index % SLICES === slice % SLICES).map(work));
  failed += ended.filter(({ status }) => status === 'rejected').length;
  due += SLICE_MS;
  await setTimeout(due - Date.now());
}
console.log(JSON.stringify({ refreshedAt, calls, failed, renewed: renewed.size } satisfies SpreadPart));
await latchkey.close();
end();
