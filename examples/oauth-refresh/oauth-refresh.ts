import { bearer, type Credential, type Latchkey, type RefreshFunction, type RefreshKeyRule } from 'latchkey';
import * as oauth from 'openid-client';
import type { Held, Owner, TokenStore } from './token-store.js';

export interface OAuthRefreshOptions {
  /** Each provider's authorization server: what `oauth.discovery` finds, or its `issuer` and `token_endpoint`. */
  readonly servers: Readonly<Record<string, oauth.ServerMetadata>>;
  readonly clientId: string;
  /** Default: a public client, which has none. */
  readonly clientSecret?: string | undefined;
  readonly tokens: TokenStore;
  /** Lets a server on this machine do without TLS. Default false. */
  readonly allowInsecure?: boolean;
  /** A rotated token could not be written; it is kept in memory until the next one. */
  readonly onUnsaved: (error: unknown) => void;
}

export interface OAuthRefresh {
  /** For `createLatchkey`. */
  readonly refresh: RefreshFunction;
  readonly refreshKey: RefreshKeyRule;
  /** After a login: its tokens are stored, and the credential is to be captured. */
  loggedIn(owner: Owner, answer: Answer): Credential;
  /** Gives up the refresh token before the last once the new access token has worked. Returns how to stop. */
  watch(latchkey: Latchkey): () => void;
}

/** Of a token endpoint (RFC 6749, section 5.1), as far as it is used here. */
interface Answer {
  readonly access_token: string;
  readonly refresh_token?: string | undefined;
  readonly expires_in?: number | undefined;
}

/** Refreshes the logins that a token store holds. What the client throws goes through as it is: latchkey reads the status and the code. */
export function createOAuthRefresh(options: OAuthRefreshOptions): OAuthRefresh {
  const { servers, clientId, clientSecret, tokens, allowInsecure = false, onUnsaved } = options;
  /** New access tokens that have not worked yet, one an owner, by fingerprint. */
  const unproven = new Map<string, string>();

  async function grant(provider: string, refreshToken: string, signal: AbortSignal): Promise<Answer> {
    const config = new oauth.Configuration(servers[provider] as oauth.ServerMetadata, clientId, clientSecret);
    if (allowInsecure) oauth.allowInsecureRequests(config);
    // The client's own time limit would be a second one beside `refreshMs`.
    config.timeout = undefined;
    config[oauth.customFetch] = (url, init) => fetch(url, { ...init, signal } as RequestInit);
    return oauth.refreshTokenGrant(config, refreshToken);
  }

  /** The token that it was done with, and what came of it. */
  async function grantWithEither(provider: string, { current, previous }: Held, signal: AbortSignal): Promise<[string, Answer]> {
    try {
      return [current, await grant(provider, current, signal)];
    } catch (error) {
      // A server that has lost what it handed out last may know the one before. If it does not either, nothing is lost by asking.
      if (previous === undefined || !isRefused(error)) throw error;
      return [previous, await grant(provider, previous, signal)];
    }
  }

  function store(owner: Owner, before: Held, held: Held): void {
    try {
      tokens.replace(owner, before, held);
    } catch (error) {
      onUnsaved(error);
    }
  }

  async function refreshLogin(owner: Owner, held: Held, signal: AbortSignal): Promise<Credential> {
    const [used, answer] = await grantWithEither(owner.provider, held, signal);
    const next = answer.refresh_token ?? used;
    const credential = credentialOf(answer);
    if (next !== held.current) {
      // Before anything is done with the new access token: some servers end the old refresh token with its first use.
      store(owner, held, { current: next, previous: next === used ? undefined : used });
      unproven.set(keyOf(owner), credential.fingerprint);
    }
    return credential;
  }

  return {
    async refresh(lease, { signal }) {
      const owner = ownerOf(lease.scope);
      // A key, or a token that a client has brought of a login of its own, is nobody's here to refresh.
      if (owner === undefined || lease.credential.scheme !== 'bearer' || !Object.hasOwn(servers, owner.provider)) return undefined;
      const held = tokens.of(owner);
      if (held === undefined) return undefined;
      return refreshLogin(owner, held, signal);
    },

    refreshKey(scope) {
      // Sessions of one login that hold different access tokens share its refresh token.
      const owner = ownerOf(scope);
      return owner && keyOf(owner);
    },

    loggedIn(owner, answer) {
      if (answer.refresh_token !== undefined) tokens.put(owner, { current: answer.refresh_token });
      unproven.delete(keyOf(owner));
      return credentialOf(answer);
    },

    watch(latchkey) {
      return latchkey.on('accepted', ({ scope, fingerprint }) => {
        const owner = unproven.size === 0 ? undefined : ownerOf(scope);
        if (owner === undefined || unproven.get(keyOf(owner)) !== fingerprint) return;
        unproven.delete(keyOf(owner));
        const held = tokens.of(owner);
        if (held?.previous !== undefined) store(owner, held, { current: held.current });
      });
    },
  };
}

function credentialOf({ access_token, expires_in }: Answer): Credential {
  return bearer(access_token, expires_in === undefined ? {} : { expiresAt: Date.now() + expires_in * 1_000 });
}

/** A login is a tenant's; which of its sessions asks does not matter. */
function ownerOf({ tenant, provider }: { readonly tenant?: string | undefined; readonly provider?: string | undefined }) {
  return tenant === undefined || provider === undefined ? undefined : { tenant, provider };
}

function keyOf({ tenant, provider }: Owner): string {
  return JSON.stringify([tenant, provider]);
}

function isRefused(error: unknown): boolean {
  return error instanceof oauth.ResponseBodyError && error.error === 'invalid_grant';
}
