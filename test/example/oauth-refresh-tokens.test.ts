import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ResponseBodyError } from 'openid-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeProvider, startProvider } from '../../examples/oauth-refresh/fake-provider.js';
import { createOAuthRefresh, type OAuthRefreshOptions } from '../../examples/oauth-refresh/oauth-refresh.js';
import { createTokenStore } from '../../examples/oauth-refresh/token-store.js';
import { apiKey, bearer, createLatchkey, type Latchkey, type Lease } from '../../src/index.js';
import { deferred } from '../support/deferred.js';

const OWNER = { tenant: 'ada', provider: 'calendar' };
const SCOPE = { ...OWNER, session: 'laptop' };

let folder: string;
let provider: FakeProvider | undefined;
let latchkey: Latchkey | undefined;
const unsaved: unknown[] = [];
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'latchkey-oauth-')), 'tokens');
});
afterEach(async () => {
  await latchkey?.close();
  await provider?.close();
  latchkey = provider = undefined;
  unsaved.length = 0;
  rmSync(join(folder, '..'), { recursive: true, force: true });
});

function oauthAt(url: string, options: Partial<OAuthRefreshOptions> = {}) {
  const tokens = createTokenStore(folder);
  const oauth = createOAuthRefresh({
    servers: { calendar: { issuer: url, token_endpoint: `${url}/token` } },
    clientId: 'example',
    tokens,
    allowInsecure: true,
    onUnsaved: (error) => unsaved.push(error),
    ...options,
  });
  return { tokens, oauth };
}

/** A login, and work that is done with its access token. */
async function loggedIn({ grace = false, ...options }: { grace?: boolean } & Partial<OAuthRefreshOptions> = {}) {
  const server = await startProvider({ tokenMs: 3_600_000, grace });
  provider = server;
  const { tokens, oauth } = oauthAt(server.url, options);
  const instance = createLatchkey({ tenancy: 'multi', refresh: oauth.refresh, refreshKey: oauth.refreshKey });
  latchkey = instance;
  oauth.watch(instance);
  const logIn = () => instance.capture(SCOPE, oauth.loggedIn(OWNER, server.logIn()));
  logIn();
  const work = () =>
    instance.run(SCOPE, async (lease, { check }) => (await check(await fetch(`${server.url}/work`, { headers: lease.headers() }))).json());
  const lease = (): Lease => {
    const found = instance.resolve(SCOPE);
    if (!found.ok) throw new Error(found.reason);
    return found.lease;
  };
  return { server, tokens, oauth, instance, logIn, work, lease, signal: new AbortController().signal };
}

const files = () => readdirSync(folder).map((name) => join(folder, name));

describe('the token store of the refresh example', () => {
  it('keeps one owner’s tokens from another’s, in files that only this user reads, and finds them after a restart', () => {
    const tokens = createTokenStore(folder);
    const owners = [OWNER, { tenant: '../../ada', provider: 'calendar' }, { tenant: 'ada","calendar', provider: '' }];
    for (const [index, owner] of owners.entries()) tokens.put(owner, { current: `rt-${index}` });
    const again = createTokenStore(folder);
    expect(owners.map((owner) => again.of(owner))).toEqual(owners.map((_, index) => ({ current: `rt-${index}` })));
    expect(again.of({ tenant: 'eve', provider: 'calendar' })).toBeUndefined();
    expect(files()).toHaveLength(owners.length);
    expect(files().map((file) => statSync(file).mode & 0o777)).toEqual(owners.map(() => 0o600));
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it('does not put a rotated token in place of a new login’s', () => {
    const tokens = createTokenStore(folder);
    tokens.put(OWNER, { current: 'rt-1' });
    const before = { current: 'rt-1' };
    tokens.put(OWNER, { current: 'rt-of-the-login' });
    tokens.replace(OWNER, before, { current: 'rt-2', previous: 'rt-1' });
    expect(tokens.of(OWNER)).toEqual({ current: 'rt-of-the-login' });
  });

  it('never has half a file in its place: what a crash leaves beside it is not read', () => {
    const tokens = createTokenStore(folder);
    tokens.put(OWNER, { current: 'rt-1' });
    const [file = ''] = files();
    writeFileSync(`${file}.0123.tmp`, '{"curr');
    expect(createTokenStore(folder).of(OWNER)).toEqual({ current: 'rt-1' });
    const inode = statSync(file).ino;
    tokens.put(OWNER, { current: 'rt-2' });
    expect(statSync(file).ino).not.toBe(inode);
  });

  it('says that a file is broken without a word of what is in it', () => {
    const tokens = createTokenStore(folder);
    tokens.put(OWNER, { current: 'rt-secret' });
    const [file = ''] = files();
    for (const text of ['rt-secret', '{"current":7,"was":"rt-secret"}', 'null']) {
      writeFileSync(file, text);
      expect(() => tokens.of(OWNER)).toThrow(/^a token file holds no refresh token$/);
    }
  });
});

describe('the refresh of the refresh example', () => {
  it('has the rotated token on disk before it resolves, and gives up the one before when the new access token has worked', async () => {
    const { server, oauth, tokens, work, lease, signal, instance } = await loggedIn();
    const first = tokens.of(OWNER);
    const credential = await oauth.refresh(lease(), { signal });
    const second = createTokenStore(folder).of(OWNER);
    expect(second).toEqual({ current: expect.stringMatching(/^example-rt-/), previous: first?.current });
    expect(second?.current).not.toBe(first?.current);
    expect(credential?.expiresAt).toBeGreaterThan(Date.now() + 3_500_000);

    instance.capture(SCOPE, credential ?? bearer('none'));
    await work();
    expect(createTokenStore(folder).of(OWNER)).toEqual({ current: second?.current });
    expect(server.seen).toEqual({ calls: 1, unauthorized: 0, refreshes: 1 });
  });

  it('has a run that is turned away go on with a new token, time after time', async () => {
    const { server, work } = await loggedIn();
    for (let round = 1; round <= 3; round++) {
      await work();
      server.revokeAccess();
      expect(await work()).toEqual({ done: true });
      expect(server.seen).toMatchObject({ unauthorized: round, refreshes: round });
    }
  });

  it('keeps the login of two sessions that hold different access tokens of it, both turned away at once', async () => {
    const { server, instance, work } = await loggedIn();
    const other = { ...SCOPE, session: 'an older one' };
    instance.capture(other, bearer('an-older-access-token-of-this-login'));
    server.revokeAccess();
    const older = instance.run(other, async (lease, { check }) =>
      (await check(await fetch(`${server.url}/work`, { headers: lease.headers() }))).json(),
    );
    expect(await Promise.all([work(), older])).toEqual([{ done: true }, { done: true }]);
    expect(server.seen).toMatchObject({ refreshes: 1 });
  });

  it('a crash after the server has rotated and before that is on disk: a server with a grace goes on, one without ends the login', async () => {
    for (const grace of [true, false]) {
      const { server, oauth, work, lease, signal, instance, logIn } = await loggedIn({ grace });
      const [file = ''] = files();
      const before = readFileSync(file);
      await oauth.refresh(lease(), { signal });
      writeFileSync(file, before);
      server.revokeAccess();
      if (grace) {
        expect(await work()).toEqual({ done: true });
      } else {
        await expect(work()).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
        expect(instance.status(SCOPE)).toMatchObject({ state: 'blocked', reason: 'rejected' });
        logIn();
        expect(await work()).toEqual({ done: true });
      }
      expect(server.seen.refreshes).toBe(2);
      await instance.close();
      await server.close();
    }
  });

  it('falls back on the token before where the server does not know the last one', async () => {
    const { server, tokens, work } = await loggedIn();
    const held = tokens.of(OWNER);
    tokens.put(OWNER, { current: 'example-rt-lost', previous: held?.current });
    server.revokeAccess();
    expect(await work()).toEqual({ done: true });
    expect(server.seen.refreshes).toBe(2);
    expect(tokens.of(OWNER)?.current).not.toBe('example-rt-lost');
  });

  it('goes on with a rotated token that could not be written, and writes the next', async () => {
    const tokens = createTokenStore(folder);
    let isAway = true;
    const { server, work } = await loggedIn({
      tokens: {
        ...tokens,
        replace(...replacing) {
          // The folder is gone for as long as the token is to be written.
          if (isAway) renameSync(folder, `${folder}-away`);
          try {
            tokens.replace(...replacing);
          } finally {
            if (isAway) renameSync(`${folder}-away`, folder);
          }
        },
      },
    });
    const first = tokens.of(OWNER);
    server.revokeAccess();
    expect(await work()).toEqual({ done: true });
    // Written neither when it came nor when it had worked.
    expect(unsaved).toMatchObject([{ code: 'ENOENT' }, { code: 'ENOENT' }]);
    isAway = false;
    expect(createTokenStore(folder).of(OWNER)).toEqual(first);
    server.revokeAccess();
    expect(await work()).toEqual({ done: true });
    expect(unsaved).toHaveLength(2);
    expect(createTokenStore(folder).of(OWNER)).toEqual(tokens.of(OWNER));
    expect(server.seen.refreshes).toBe(2);
  });

  it('throws what the client throws: latchkey reads the code, and which kind it is', async () => {
    const { server, oauth, tokens, work, lease, signal, instance } = await loggedIn();
    const failures: unknown[] = [];
    instance.on('refreshFailed', ({ kind, status, code }) => failures.push({ kind, status, code }));
    const held = lease();
    server.endLogins();
    const refused = await Promise.resolve(oauth.refresh(held, { signal })).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ResponseBodyError);
    expect(refused).toMatchObject({ status: 400, error: 'invalid_grant' });
    // Only a refusal is a reason to try the token before.
    tokens.put(OWNER, { current: 'example-rt-2', previous: 'example-rt-1' });
    server.outage(true);
    await expect(work()).rejects.toMatchObject({ code: 'AUTH_RETRYING' });
    expect(failures).toEqual([{ kind: 'transient', status: 503, code: undefined }]);
    expect(server.seen.refreshes).toBe(2);
  });

  it('hands on the signal, and no other time limit', async () => {
    const hung: string[] = [];
    const closed = deferred();
    const server = createServer((request) => {
      hung.push(request.url ?? '');
      request.socket.once('close', () => closed.resolve());
      controller.abort(new Error('called off'));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { oauth } = oauthAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const instance = createLatchkey();
    latchkey = instance;
    instance.capture(SCOPE, oauth.loggedIn(OWNER, { access_token: 'at', refresh_token: 'rt' }));
    const found = instance.resolve(SCOPE);
    const controller = new AbortController();
    await expect(oauth.refresh((found as { lease: Lease }).lease, { signal: controller.signal })).rejects.toThrow();
    await closed.promise;
    server.close();
    expect(hung).toEqual(['/token']);
  });

  it('has nothing to refresh a key with, nor what nobody logged in for here', async () => {
    const { server, oauth, tokens, signal, instance } = await loggedIn();
    tokens.put({ tenant: 'ada', provider: 'mail' }, { current: 'example-rt-mail' });
    const other = { tenant: 'eve', session: 's', provider: 'calendar' };
    const elsewhere = { ...SCOPE, provider: 'mail' };
    instance.capture(other, bearer('token-of-eve'));
    instance.capture(elsewhere, bearer('token-for-mail'));
    instance.capture(SCOPE, apiKey('key-of-ada'));
    for (const scope of [SCOPE, other, elsewhere]) {
      const found = instance.resolve(scope);
      expect(await oauth.refresh((found as { lease: Lease }).lease, { signal })).toBeUndefined();
    }
    expect(server.seen.refreshes).toBe(0);
  });
});
