import { timingSafeEqual } from 'node:crypto';
import { systemClock } from '../clock.js';
import type { SignIn } from '../guard/sign-in.js';
import { type OwnCookie, ownCookie } from '../signals/cookie-variants.js';
import { headerOf } from '../signals/request.js';
import type { Incoming } from './incoming.js';

/** Cookies do not know ports: gateways of one host that have different tokens must not sign each other out. */
const cookieName = (signIn: SignIn): string => `latchkey_operator_${signIn.sign('cookie name').slice(0, 8)}`;
const SESSION_MS = 8 * 60 * 60_000;
/** When it ends, in milliseconds since the epoch, and the signature: 32 bytes in base64url. */
const VALUE = /^(\d{13})\.([\w-]{43})$/;

/**
 * Sessions of operators that have signed in with the guard's token. Nothing is kept: the cookie says when it ends and is signed by the guard, so
 * that every process with this token takes it, and a new token ends all of them.
 */
export interface OperatorSessions {
  /** The `Set-Cookie` value of a new session. */
  begin(incoming: Incoming): string;
  /** Milliseconds until the request's session ends; undefined if it has none. */
  leftMs(incoming: Incoming): number | undefined;
  /** The `Set-Cookie` values that take the cookie away. */
  end(incoming: Incoming): string[];
}

/** A form that takes the guard's token, and what comes of it. */
export interface Login {
  readonly signIn: SignIn;
  readonly sessions: OperatorSessions;
}

export function operatorLogin(signIn: SignIn, basePath: string): Login {
  return { signIn, sessions: operatorSessions(signIn, basePath) };
}

function operatorSessions(signIn: SignIn, basePath: string): OperatorSessions {
  const name = cookieName(signIn);
  const cookieOn = (https: boolean): OwnCookie => ownCookie('createOperator', 'cookie', name, { https, prefix: basePath });
  const cookies = { http: cookieOn(false), https: cookieOn(true) };
  const cookieOf = ({ isHttps }: Incoming): OwnCookie => (isHttps ? cookies.https : cookies.http);
  const sign = (endsAt: number): string => signIn.sign(`operator session until ${endsAt}`);

  return {
    begin(incoming) {
      const endsAt = systemClock.now() + SESSION_MS;
      return cookieOf(incoming).set(`${endsAt}.${sign(endsAt)}`, SESSION_MS / 1_000);
    },
    leftMs(incoming) {
      const left = cookieOf(incoming)
        .read(headerOf(incoming.request.headers, 'cookie', '; '))
        .map((value) => {
          const [, endsAt = '', signature = ''] = VALUE.exec(value) ?? [];
          return endsAt !== '' && isSame(sign(Number(endsAt)), signature) ? Number(endsAt) - systemClock.now() : 0;
        });
      const longest = Math.max(0, ...left);
      return longest > 0 ? longest : undefined;
    },
    end: (incoming) => cookieOf(incoming).clear(),
  };
}

function isSame(signature: string, presented: string): boolean {
  const [own, other] = [Buffer.from(signature), Buffer.from(presented)];
  return own.length === other.length && timingSafeEqual(own, other);
}
