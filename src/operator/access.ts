import { clientCertificateOf } from '../guard/client-certificate.js';
import type { Guard, RequestAuthentication } from '../guard/guard.js';
import { presentedValues } from '../guard/presented.js';
import type { Answer } from '../signals/answer.js';
import { callWithin } from '../signals/call-within.js';
import type { Incoming } from './incoming.js';
import { type Login, type OperatorSessions, operatorLogin } from './login.js';
import type { Door, OperatorRequest, OperatorSettings } from './options.js';
import { ALWAYS, errorAnswer } from './reply.js';

const AUTHORIZE_MS = 5_000;
const LONGEST_NAME = 256;

/** A stream that is open longer would go on telling those who have lost their access: a rule's answer may depend on anything. */
const HOLDS_MS = { bearer: 300_000, cookie: 300_000, certificate: 300_000, rule: 60_000 } as const;

/**
 * `by`, and `who` where there is a name: for the audit log and the page. They are kept apart, since a certificate may have any name. `leftMs`: how
 * long this holds without being asked for again.
 */
export type Access =
  | {
      readonly ok: true;
      readonly by: 'bearer' | 'cookie' | 'certificate' | 'rule';
      readonly who: string | undefined;
      readonly leftMs: number;
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
      const cookie = leftMs === undefined ? undefined : letIn('cookie', undefined, leftMs);
      // A certificate tells more of its holder; without one that counts the guard would only tell of a refusal.
      if (cookie !== undefined && !(guard.takesCertificates && clientCertificateOf(request) !== undefined)) return cookie;
      const judged = judge(guard, request);
      if (!judged.ok) return cookie ?? { ok: false, reason: judged.refusal.reason, answer: always(judged.answer) };
      if (judged.by === 'certificate') return letIn('certificate', judged.subject);
      if (judged.by === 'bearer') return letIn('bearer', undefined);
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
      if (who === true) return letIn('rule', undefined);
      if (typeof who === 'string' && who !== '') return letIn('rule', shortened(who));
    } catch (error) {
      reason = 'error';
      failed(error);
    }
    return { ok: false, reason, answer: unauthorized() };
  };
}

/** What the guard exempts is its own health path, and none of the operator's. */
function judge(guard: Guard, request: OperatorRequest): RequestAuthentication {
  const judged = guard.authenticateRequest(request);
  if (!judged.ok || judged.by !== 'health') return judged;
  // Nothing is exempt that is not read.
  const { headers, rawHeaders, url, originalUrl, socket } = request;
  return guard.authenticateRequest({ headers, rawHeaders, url, originalUrl, socket });
}

function letIn(by: keyof typeof HOLDS_MS, who: string | undefined, leftMs = Infinity): Extract<Access, { ok: true }> {
  return { ok: true, by, who, leftMs: Math.min(leftMs, HOLDS_MS[by]) };
}

/** Never within a character. */
function shortened(name: string): string {
  return name.slice(0, LONGEST_NAME).replace(/[\ud800-\udbff]$/, '');
}

function unauthorized(): Answer {
  return errorAnswer(401, 'unauthorized');
}

function always(answer: Answer): Answer {
  return { ...answer, headers: { ...answer.headers, ...ALWAYS } };
}
