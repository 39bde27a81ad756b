import type { Guard } from '../guard/guard.js';
import { presentedValues } from '../guard/presented.js';
import type { Answer } from '../signals/answer.js';
import { callWithin } from '../signals/call-within.js';
import type { Incoming } from './incoming.js';
import { type Login, type OperatorSessions, operatorLogin } from './login.js';
import type { Door, OperatorSettings } from './options.js';
import { ALWAYS, errorAnswer } from './reply.js';

const AUTHORIZE_MS = 5_000;
const LONGEST_NAME = 256;

/**
 * `by`, and `who` where there is a name: for the audit log and the page. They are kept apart, since a certificate may have any name. `leftMs`: how
 * long a session that was begun with a cookie still lasts.
 */
export type Access =
  | {
      readonly ok: true;
      readonly by: 'bearer' | 'cookie' | 'certificate' | 'rule';
      readonly who: string | undefined;
      readonly leftMs: number | undefined;
    }
  | { readonly ok: false; readonly reason: string; readonly answer: Answer };

/** Who is asking. Never rejects: whatever fails means no. */
export type CheckAccess = (incoming: Incoming) => Promise<Access>;

/** The check, and the way to sign in where there is one. */
export function entrance({ door, basePath, failed }: OperatorSettings): { readonly check: CheckAccess; readonly login: Login | undefined } {
  if (door.by === 'rule') return { check: ruleAccess(door.authorize, failed), login: undefined };
  const login = operatorLogin(door.signIn, basePath);
  return { check: guardAccess(door.guard, login.sessions, failed), login };
}

function guardAccess(guard: Guard, sessions: OperatorSessions, failed: (error: unknown) => void): CheckAccess {
  return async (incoming) => {
    const { request } = incoming;
    try {
      // Who presents a token is judged by that alone.
      const leftMs = presentedValues(request, 'authorization').length === 0 ? sessions.leftMs(incoming) : undefined;
      const cookie: Access | undefined = leftMs === undefined ? undefined : { ok: true, by: 'cookie', who: undefined, leftMs };
      // A certificate tells more of its holder; without one the guard would only count a refusal.
      if (cookie !== undefined && request.socket?.authorized !== true) return cookie;
      const judged = guard.authenticateRequest(request);
      if (!judged.ok) return cookie ?? { ok: false, reason: judged.refusal.reason, answer: always(judged.answer) };
      if (judged.by === 'certificate') return { ok: true, by: 'certificate', who: judged.subject, leftMs: undefined };
      if (judged.by === 'bearer') return { ok: true, by: 'bearer', who: undefined, leftMs: undefined };
      // What the guard exempts is its own health path, and none of these.
      return cookie ?? { ok: false, reason: 'missing', answer: unauthorized() };
    } catch (error) {
      failed(error);
      return { ok: false, reason: 'error', answer: unauthorized() };
    }
  };
}

function ruleAccess(authorize: Extract<Door, { by: 'rule' }>['authorize'], failed: (error: unknown) => void): CheckAccess {
  return async ({ request }) => {
    let reason = 'unauthorized';
    try {
      const who = await callWithin<unknown>(() => authorize(request), { timeoutMs: AUTHORIZE_MS });
      if (who === true) return { ok: true, by: 'rule', who: undefined, leftMs: undefined };
      if (typeof who === 'string' && who !== '') return { ok: true, by: 'rule', who: who.slice(0, LONGEST_NAME), leftMs: undefined };
    } catch (error) {
      reason = 'error';
      failed(error);
    }
    return { ok: false, reason, answer: unauthorized() };
  };
}

function unauthorized(): Answer {
  return errorAnswer(401, 'unauthorized');
}

function always(answer: Answer): Answer {
  return { ...answer, headers: { ...answer.headers, ...ALWAYS } };
}
