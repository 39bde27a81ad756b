import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Workload } from '../../src/adapters/proxy.js';
import { bearer, type Credential, createLatchkey, type Latchkey, type LatchkeyOptions, type Scope } from '../../src/index.js';
import { throwing } from '../support/attempts.js';
import { freezeTime, settled } from '../support/clock.js';
import { type Deferred, deferred } from '../support/deferred.js';
import { secretsIn } from '../support/secret-forms.js';
import { openAt, SCOPE, type Watched, watchScopes } from './proxy-watched.js';

let latchkey: Latchkey;
let written: Workload[];
let monitor: Watched;
let tries: Deferred<Credential | undefined>[];

beforeEach(() => {
  freezeTime();
  written = [];
  tries = [];
});

afterEach(async () => {
  await latchkey.close();
  vi.useRealTimers();
});

function watch(options: LatchkeyOptions = {}): void {
  const refresh = (): Promise<Credential | undefined> => {
    const one = deferred<Credential | undefined>();
    tries.push(one);
    return one.promise;
  };
  latchkey = createLatchkey({ canary: 'off', fallback: 'none', refresh, ...options });
  monitor = watchScopes(latchkey, (workload) => void written.push(workload));
}

const states = (): string[] => written.map(({ state }) => state);
/** A worker's call is rejected; returns how the run ends. */
const rejected = (scope: Scope = SCOPE): Promise<unknown> =>
  latchkey.run(scope, throwing({ dead: 401 }).attempt).catch((error: { code: string }) => error.code);

describe('a workload whose rejected credential is being refreshed', () => {
  it('is retrying and not unauthenticated, and running once a refresh has brought another', async () => {
    watch();
    openAt(monitor, 'dead').answered(200);
    const run = rejected();
    await settled();
    expect(states()).toEqual(['running', 'auth_retrying']);
    expect(written.at(-1)).toMatchObject({
      message: 'The upstream rejected the credential with 401. The gateway is fetching another.',
      fingerprint: bearer('dead').fingerprint,
      since: Date.now(),
    });
    expect(monitor.workload(SCOPE)).toEqual(written.at(-1));
    tries[0]?.resolve(bearer('fresh'));
    await expect(run).resolves.toBe('ok fresh');
    expect(states()).toEqual(['running', 'auth_retrying', 'running']);
    expect(written.at(-1)?.fingerprint).toBe(bearer('fresh').fingerprint);
    // Re-armed: the next rejection is one again.
    openAt(monitor, 'fresh').answered(401);
    expect(states().at(-1)).toBe('unauthenticated');
  });

  it('stays so through every try that fails for reasons that pass, and is unauthenticated once it is refused', async () => {
    watch();
    openAt(monitor, 'dead').answered(200);
    const run = rejected();
    await settled();
    tries[0]?.reject({ status: 503 });
    await expect(run).resolves.toBe('AUTH_RETRYING');
    const nextTry = (): Promise<unknown> => vi.advanceTimersByTimeAsync((latchkey.status(SCOPE).next ?? 0) - Date.now());
    for (let count = 0; count < 6; count++) {
      await nextTry();
      tries.at(-1)?.reject({ status: 503 });
      await settled();
    }
    expect(latchkey.status(SCOPE).state).toBe('auth_retrying');
    expect(states()).toEqual(['running', 'auth_retrying']);
    await nextTry();
    tries.at(-1)?.reject({ status: 400, error: 'invalid_grant' });
    await settled();
    expect(states()).toEqual(['running', 'auth_retrying', 'unauthenticated']);
    expect(written.at(-1)?.message).toBe('The upstream rejected the credential with 401. Sign in again, or present a fresh one.');
    expect(monitor.workload(SCOPE).state).toBe('unauthenticated');
  });

  it('is running for fresh auth of its client’s, whatever becomes of the refresh', async () => {
    watch();
    openAt(monitor, 'dead').answered(200);
    const run = rejected();
    await settled();
    openAt(monitor, 'newer').answered(200);
    expect(states()).toEqual(['running', 'auth_retrying', 'running']);
    tries[0]?.reject({ status: 400, error: 'invalid_grant' });
    await run;
    await settled();
    expect(states()).toEqual(['running', 'auth_retrying', 'running']);
  });

  it('is that at once when a lease of the proxy’s own is rejected, and is told when nothing better was brought', async () => {
    watch();
    latchkey.capture(SCOPE, bearer('dead'));
    const found = latchkey.resolve(SCOPE);
    if (!found.ok) throw new Error('blocked');
    monitor.open({ headers: { 'x-scope': JSON.stringify(SCOPE) } }, { lease: found.lease }).answered(401);
    expect(states()).toEqual(['auth_retrying']);
    await settled();
    tries[0]?.resolve(undefined);
    await settled();
    expect(states()).toEqual(['auth_retrying', 'unauthenticated']);
  });

  it('is that from when work first meets what its client’s own call found out', async () => {
    watch();
    openAt(monitor, 'dead').answered(401);
    expect(states()).toEqual(['unauthenticated']);
    const run = rejected({ ...SCOPE, purpose: 'warm' });
    await settled();
    expect(states()).toEqual(['unauthenticated', 'auth_retrying']);
    tries[0]?.resolve(bearer('fresh'));
    await run;
    expect(states()).toEqual(['unauthenticated', 'auth_retrying', 'running']);
  });

  it('is told what becomes of it where another session’s work had it refreshed', async () => {
    watch();
    openAt(monitor, 'dead').answered(200);
    openAt(monitor, 'dead', { session: 'other', provider: 'p' }).answered(200);
    written = [];
    const run = rejected({ session: 'other', provider: 'p' });
    await settled();
    const own = (): string[] => written.filter(({ scope }) => scope.session === 's').map(({ state }) => state);
    expect(own()).toEqual(['auth_retrying']);
    tries[0]?.reject({ status: 400, error: 'invalid_grant' });
    await run;
    expect(own()).toEqual(['auth_retrying', 'unauthenticated']);
  });

  it('is that with a pin, too, and with what others of its tenant presented', async () => {
    watch({ fallback: 'global' });
    latchkey.pin({ provider: 'p' }, bearer('dead'));
    monitor.started(SCOPE);
    monitor.started({ provider: 'p' });
    const run = rejected();
    await settled();
    expect(monitor.workload(SCOPE)).toMatchObject({
      state: 'auth_retrying',
      message: "The upstream rejected the gateway's own credential with 401. The gateway is fetching another.",
    });
    expect(monitor.workload({ provider: 'p' }).state).toBe('auth_retrying');
    tries[0]?.resolve(bearer('fresh'));
    await run;
    for (const scope of [SCOPE, { provider: 'p' }]) expect(monitor.workload(scope).state).toBe('running');
    expect(states().at(-1)).toBe('running');
  });

  it('is unauthenticated as long as nobody refreshes what its client presents', () => {
    watch();
    openAt(monitor, 'dead').answered(401);
    expect([tries.length, states()]).toEqual([0, ['unauthenticated']]);
  });

  it('says nothing of a credential', async () => {
    watch();
    openAt(monitor, 'dead-secret-value').answered(200);
    const run = latchkey.run(SCOPE, throwing({ 'dead-secret-value': 401 }).attempt).catch(() => {});
    await settled();
    tries[0]?.reject({ status: 400, error: 'invalid_grant', message: 'dead-secret-value' });
    await run;
    expect(states().at(-1)).toBe('unauthenticated');
    expect(secretsIn(JSON.stringify(written), ['dead-secret-value'])).toEqual([]);
  });
});
