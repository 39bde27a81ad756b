import type { Emitter } from '../events.js';
import { isResponseLike, outcomeOfError, parsedBody, type ResponseLike, statusOf } from '../policy/outcome.js';
import { classifyRefreshFailure, type RefreshFailure } from '../policy/refresh.js';
import type { Counters } from '../stats.js';
import type { RefreshFlight } from './refresh-flight.js';
import { peekBody } from './response.js';

/** Where clients keep the token endpoint's answer: on `response` most do, openid-client as the `cause`, and what is made with boom on `output`. */
const PLACES = ['response', 'cause', 'output'] as const;

/** What a refresh function threw. */
export interface ThrownFailure {
  readonly failure: RefreshFailure;
  /** Nothing that a token endpoint or a connection does: a fault of the function's own, perhaps. */
  readonly isOdd: boolean;
  /** Its `error` code is not to be had, since somebody has read the answer that says it. */
  readonly isRead: boolean;
}

/** By what is thrown, or else by the answer behind it, whose body clients leave unread where its status was all that they looked at. */
export async function readRefreshFailure(error: unknown): Promise<ThrownFailure> {
  const outcome = outcomeOfError(error);
  const answer = answerBehind(error);
  const status = outcome.status ?? (answer && statusOf(answer));
  const isPeeked = outcome.body === undefined && status !== undefined && status >= 400;
  const body = parsedBody(isPeeked ? await peekBody(answer) : outcome.body);
  const failure = classifyRefreshFailure({ ...outcome, status, body });
  const { kind, code } = failure;
  const isRead = body === undefined && status !== undefined && status >= 400 && status < 500 && isUsed(answer);
  return { failure, isOdd: kind === 'transient' && status === undefined && code === undefined && outcome.timedOut !== true, isRead };
}

function isUsed(answer: ResponseLike | undefined): boolean {
  try {
    return (answer as { readonly bodyUsed?: unknown } | undefined)?.bodyUsed === true;
  } catch {
    return false;
  }
}

function answerBehind(error: unknown): ResponseLike | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  if (isResponseLike(error)) return error;
  for (const place of PLACES) {
    try {
      const found = (error as Record<string, unknown>)[place];
      if (isResponseLike(found)) return found;
    } catch {
      // What cannot be read is not there.
    }
  }
  return undefined;
}

/** Says that a try came to nothing, and when the next one is. */
export function tellRefreshFailed(
  { emitter, counters }: { readonly emitter: Emitter; readonly counters: Counters },
  { scope, identity }: RefreshFlight,
  failure: Omit<RefreshFailure, 'kind'> & { kind: RefreshFailure['kind'] | 'unchanged' },
  next: number | undefined,
): void {
  counters.refreshesFailed++;
  emitter.emit('refreshFailed', () => ({ scope: scope.parts, fingerprint: identity.fingerprint, ...failure, next }));
}
