import { isPromiseLike } from '../promise-like.js';
import type { Answer } from '../signals/answer.js';
import { requiresAuth } from '../signals/bind-host.js';
import { requireFunction, requireOptions } from '../signals/checked.js';
import { type BulkAddress, type BulkListener, bulkUrlFor, readBulkListener } from './bulk-url.js';
import type { Guard, RequestAuthentication } from './guard.js';
import { GuardError } from './guard-error.js';
import { jsonAnswer } from './json-answer.js';
import { plainPathOf } from './raw-path.js';
import type { GuardedRequest } from './request.js';

export type { BulkListener } from './bulk-url.js';

/** Options of `createPlanes`. */
export interface PlanesOptions {
  /** Of the control listener. */
  readonly guard: Guard;
  /** Whether a path is the control listener's, the health path too. A path of both is the control listener's alone. */
  readonly control: (path: string) => boolean;
  /** Whether a path is one for heavy data. Paths come undecoded and without query; what throws, or answers anything but true, says no. */
  readonly bulk: (path: string) => boolean;
  /** Of the bulk listener. Default: everybody may use it. */
  readonly bulkGuard?: Guard | undefined;
  /** The second listener. Default: there is none (yet), and the control listener serves bulk paths too. */
  readonly bulkListener?: BulkListener | undefined;
}

/**
 * `path`: undecoded, without query. `by`: `unguarded` on a bulk listener without guard. `bulkUrl`: for the header `X-Bulk-Url` of the answer to a
 * client's registration; undefined without a bulk listener, and for callers that nobody authenticated.
 */
export type PlaneDecision =
  | {
      readonly ok: true;
      readonly path: string;
      readonly by: 'certificate' | 'bearer' | 'health' | 'disabled' | 'unguarded';
      readonly subject?: string | undefined;
      readonly bulkUrl?: string | undefined;
    }
  | { readonly ok: false; readonly answer: Answer };

/** What `createPlanes` gives: a decision for each request of either listener. */
export interface Planes {
  /** A request on the control listener: 404 for a path of neither, and for one that routes may read otherwise (`..`, a backslash), 401 for a caller that is not let in, 404 with `X-Bulk-Url` for a bulk path. */
  control(request: GuardedRequest): PlaneDecision;
  /** A request on the bulk listener: 404 for every other path, and for one that routes may read otherwise, and for all as long as there is no bulk listener; then its guard, if it has one. */
  bulk(request: GuardedRequest): PlaneDecision;
  /**
   * The bulk listener as it is from now on, once its port is known, say; undefined if it has closed.
   * @throws {GuardError} `CLEARTEXT_CREDENTIAL` if callers would have to send a token there in cleartext from another machine; nothing is changed.
   * @throws {TypeError} naming what is wrong with it.
   */
  setBulkListener(listener: BulkListener | undefined): void;
}

const WHERE = 'createPlanes';
const KNOWN = ['guard', 'control', 'bulk', 'bulkGuard', 'bulkListener'];

/**
 * The paths of a control API on two listeners: one for control, always guarded, one for heavy data.
 * @throws {GuardError} `CLEARTEXT_CREDENTIAL` as `setBulkListener` does.
 * @throws {TypeError} naming the option that is wrong.
 */
export function createPlanes(options: PlanesOptions): Planes {
  requireOptions(WHERE, options, KNOWN);
  const { guard, bulkGuard } = options;
  requireGuard('guard', guard);
  if (bulkGuard !== undefined) requireGuard('bulkGuard', bulkGuard);
  requireFunction(WHERE, 'control', options.control);
  requireFunction(WHERE, 'bulk', options.bulk);
  const isControl = answering(options.control);
  const isBulk = answering(options.bulk);

  const readListener = (where: string, listener: BulkListener | undefined): BulkAddress | undefined => {
    if (listener === undefined) return undefined;
    const address = readBulkListener(where, listener);
    if (bulkGuard?.asksForBearer === true && !listener.tls && requiresAuth(address.host?.replace(/^\[|\]$/g, ''))) {
      throw new GuardError(
        'CLEARTEXT_CREDENTIAL',
        `${where}: \`bulkGuard\` asks for a token, which would come to the bulk listener in cleartext`,
      );
    }
    return address;
  };
  let listener = readListener(WHERE, options.bulkListener);

  return {
    control(request) {
      const path = plainPathOf(request);
      if (path === undefined) return notFound();
      const isOwn = isControl(path) === true;
      if (!isOwn && isBulk(path) !== true) return notFound();
      const authenticated = guard.authenticateRequest(request);
      if (!authenticated.ok) return { ok: false, answer: authenticated.answer };
      // Whoever asks for the health path is nobody in particular.
      const bulkUrl = listener === undefined || authenticated.by === 'health' ? undefined : bulkUrlFor(listener, request);
      if (isOwn || bulkUrl === undefined) return { ...letIn(path, authenticated), bulkUrl };
      return notFound({ 'X-Bulk-Url': bulkUrl }, { error: 'served_by_bulk_listener', bulk_url: bulkUrl });
    },
    bulk(request) {
      const path = plainPathOf(request);
      // A control path whose function fails must not be served here, where perhaps nobody asks who calls.
      if (path === undefined || listener === undefined || isBulk(path) !== true || isControl(path) !== false) return notFound();
      if (bulkGuard === undefined) return { ok: true, path, by: 'unguarded' };
      const authenticated = bulkGuard.authenticateRequest(request);
      return authenticated.ok ? letIn(path, authenticated) : { ok: false, answer: authenticated.answer };
    },
    setBulkListener(next) {
      listener = readListener('setBulkListener', next);
    },
  };
}

function requireGuard(name: string, guard: unknown): void {
  const { authenticateRequest, asksForBearer } = (guard ?? {}) as Partial<Guard>;
  if (typeof authenticateRequest !== 'function' || typeof asksForBearer !== 'boolean') {
    throw new TypeError(`${WHERE}: \`${name}\` must be what createGuard gives`);
  }
}

/** What a rule answers, whatever that is; nothing if it fails. */
function answering(rule: (path: string) => unknown): (path: string) => unknown {
  return (path) => {
    try {
      const answer = rule(path);
      if (isPromiseLike(answer)) answer.then(undefined, () => {});
      return answer;
    } catch {
      return undefined;
    }
  };
}

function letIn(path: string, { by, subject }: Extract<RequestAuthentication, { ok: true }>): Extract<PlaneDecision, { ok: true }> {
  return { ok: true, path, by, subject };
}

function notFound(headers: Record<string, string> = {}, content: object = { error: 'not_found' }): PlaneDecision {
  return { ok: false, answer: jsonAnswer(404, headers, content) };
}
