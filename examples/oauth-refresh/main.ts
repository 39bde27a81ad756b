import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Attempt, createIdleLoop, createLatchkey, isLatchkeyError, type LatchkeyEventName } from 'latchkey';
import { printEvents, secondsTo } from './event-lines.js';
import { startProvider } from './fake-provider.js';
import { createOAuthRefresh } from './oauth-refresh.js';
import { createTokenStore } from './token-store.js';

const OWNER = { tenant: 'ada', provider: 'calendar' };
const SCOPE = { ...OWNER, session: 'laptop', purpose: 'sync' };
const TOKEN_MS = 2_000;
const EVERY_MS = 250;
const LONGEST_STEP_MS = 30_000;

const provider = await startProvider({ tokenMs: TOKEN_MS });
const folder = mkdtempSync(join(tmpdir(), 'latchkey-oauth-'));
const print = (line: string): void => console.log(`${new Date().toISOString().slice(11, 21)} ${line}`);
const say = (line: string): void => console.log(`\n${line}`);

const oauth = createOAuthRefresh({
  servers: { calendar: { issuer: provider.url, token_endpoint: `${provider.url}/token` } },
  clientId: 'example',
  tokens: createTokenStore(folder),
  allowInsecure: true,
  onUnsaved: () => print('a rotated refresh token could not be written'),
});
const latchkey = createLatchkey({
  tenancy: 'multi',
  refresh: oauth.refresh,
  refreshKey: oauth.refreshKey,
  // For tokens that live for an hour the defaults will do.
  expiry: { advisoryMs: TOKEN_MS / 2, jitterMs: 0, mandatoryMs: 200 },
});
printEvents(latchkey, print);
oauth.watch(latchkey);

const sync: Attempt<unknown> = async (lease, { check, signal }) => {
  const response = await fetch(`${provider.url}/work`, { headers: lease.headers(), signal, redirect: 'error' });
  return (await check(response)).json();
};
const loop = createIdleLoop(latchkey, {
  everyMs: EVERY_MS,
  items: () => [SCOPE],
  scope: (scope) => scope,
  task: async (_, { run }) => void (await run(sync)),
  wakeOnFreshAuth: true,
});

/** What a gateway does at the end of a login; the password and the rest have been seen to before. */
function logIn(): void {
  latchkey.capture(SCOPE, oauth.loggedIn(OWNER, provider.logIn()));
}

const ending = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort());

/** Does something, and waits for an event of after that. */
function next(name: LatchkeyEventName, act: () => void = () => {}): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      stop();
      clearTimeout(timer);
      ending.signal.removeEventListener('abort', giveUp);
      settle();
    };
    const giveUp = (): void => end(() => reject(new Error(`no ${name} came`)));
    const stop = latchkey.on(name, () => end(resolve));
    const timer = setTimeout(giveUp, LONGEST_STEP_MS);
    ending.signal.addEventListener('abort', giveUp);
    if (ending.signal.aborted) giveUp();
    else act();
  });
}

async function play(): Promise<void> {
  say('Ada logs in. Before her access token ends it is refreshed, and the work goes on meanwhile.');
  await next('refreshed', () => {
    logIn();
    loop.start();
  });
  await next('accepted');

  say('The provider takes the access token back: a call is turned away, and made again with what a refresh brings.');
  await next('retried', () => provider.revokeAccess());
  await next('accepted');

  say('The token endpoint is down. The access token is used to its end; then nothing is sent, and callers are told at once.');
  await next('refreshFailed', () => provider.outage(true));
  await next('status');
  const before = provider.seen.calls;
  await latchkey.run(SCOPE, sync).catch((error: unknown) => {
    if (!isLatchkeyError(error)) throw error;
    print(`a caller gets ${error.code}${error.until === undefined ? '' : `, next try in ${secondsTo(error.until)} s`}`);
  });

  say('The token endpoint is back. Nobody has to do anything.');
  await next('refreshed', () => provider.outage(false));
  print(`calls to the upstream in between: ${provider.seen.calls - before}`);
  await next('accepted');

  say('Ada ends her login at the provider: there is nothing to refresh with any more. One incident, and the ticks are skipped.');
  await next('incident', () => provider.endLogins());
  await next('skipped');
  await next('skipped');

  say('She logs in again, and the work resumes.');
  await next('recovered', logIn);
  await next('accepted');
}

try {
  await play();
  const { calls, unauthorized, refreshes } = provider.seen;
  say(`${calls} calls, ${unauthorized} of them turned away; ${refreshes} tries to refresh.`);
} catch (error) {
  if (!ending.signal.aborted) throw error;
} finally {
  await loop.stop();
  await latchkey.close();
  await provider.close();
  rmSync(folder, { recursive: true, force: true });
}
