import type { Latchkey } from '../api.js';
import type { AuditLog } from '../guard/audit-log.js';
import type { Guard } from '../guard/guard.js';
import type { GuardedRequest } from '../guard/request.js';
import type { SignIn } from '../guard/sign-in.js';
import { isPromiseLike } from '../promise-like.js';
import { pathOption, requireBoolean, requireFunction, requireOptions } from '../signals/checked.js';

/** What is read of a request: Node's `IncomingMessage`, that of Express, Fastify's `request.raw`, or a `Request`. */
export interface OperatorRequest extends GuardedRequest {
  /** Where Express has mounted the handler. */
  readonly baseUrl?: string | undefined;
  /** What a parser such as `express.json()` has made of the body. */
  readonly body?: unknown;
}

/** What is used of Node's `ServerResponse`, that of Express, or Fastify's `reply.raw`. */
export interface OperatorResponse {
  readonly headersSent: boolean;
  readonly destroyed?: boolean | undefined;
  readonly writableLength?: number | undefined;
  /** Of a stream whose listener does not take what it is sent. */
  destroy?(): unknown;
  writeHead(status: number, headers: Record<string, string | string[]>): unknown;
  write(text: string): unknown;
  end(body: string): unknown;
  on(event: 'close' | 'error', listener: () => void): unknown;
}

/** Options of `createOperator`. */
export interface OperatorOptions {
  /** Who is let in: whoever presents its token or certificate, or signs in with the token on the page. Give this or `authorize`. */
  readonly guard?: Guard | undefined;
  /**
   * Who is let in, by a rule of your own: the name of the operator for the audit log, or true; anything else is no. So is throwing, rejecting, and an
   * answer that takes longer than 5 s. It gets the very request that `handle` or `fetch` was given, and may name its type: `(request: IncomingMessage) => …`.
   * An event stream ends after 60 s, and the browser that comes back is asked for again.
   */
  authorize?(request: OperatorRequest): Promise<string | boolean> | string | boolean;
  /** Where each action is recorded before it is taken, and who was refused one. */
  readonly audit: Pick<AuditLog, 'record'>;
  /** Where the handler is mounted, such as `/operator`; also the path of its cookie. Default: the root. */
  readonly basePath?: string | undefined;
  /** Whether browsers come over HTTPS. Default: what the request's own connection says, which is wrong behind a proxy that ends TLS. */
  readonly https?: boolean | undefined;
  /** Hears what failed: `authorize`, `audit`, a request that was answered with 500, or an event stream that cannot be told how things stand. What it throws is contained. */
  readonly onError?: ((error: unknown) => unknown) | undefined;
}

/** Who may come in: by a guard, or by a rule of the user's. */
export type Door =
  | { readonly by: 'guard'; readonly guard: Guard; readonly signIn: SignIn }
  | { readonly by: 'rule'; readonly authorize: NonNullable<OperatorOptions['authorize']> };

export interface OperatorSettings {
  readonly door: Door;
  readonly basePath: string;
  readonly https: boolean | undefined;
  /** Never throws. */
  readonly record: (event: string, fields: Readonly<Record<string, unknown>>) => void;
  /** Never throws. */
  readonly failed: (error: unknown) => void;
}

const WHERE = 'createOperator';
const KNOWN = ['guard', 'authorize', 'audit', 'basePath', 'https', 'onError'];
const USED = ['snapshot', 'stats', 'status', 'explain', 'load', 'evict', 'forgive', 'on'] as const;

/** @throws {TypeError} naming the option that is wrong. */
export function readOperatorOptions(latchkey: Latchkey, options: OperatorOptions): OperatorSettings {
  for (const name of USED) {
    if (typeof (latchkey as Partial<Latchkey> | null | undefined)?.[name] !== 'function')
      throw new TypeError(`${WHERE}: \`latchkey\` must come from createLatchkey()`);
  }
  requireOptions(WHERE, options, KNOWN);
  const { audit, https, onError } = options;
  if (typeof (audit as Partial<AuditLog> | null | undefined)?.record !== 'function')
    throw new TypeError(`${WHERE}: \`audit\` must be what openAuditLog() gives, or have a function \`record\``);
  if (https !== undefined) requireBoolean(WHERE, 'https', https);
  if (onError !== undefined) requireFunction(WHERE, 'onError', onError);
  const failed = (error: unknown): void => {
    try {
      const told = onError?.(error);
      if (isPromiseLike(told)) told.then(undefined, () => {});
    } catch {
      // There is nobody left to tell.
    }
  };
  return {
    door: readDoor(options),
    basePath: pathOption(WHERE, 'basePath', options.basePath, ''),
    https,
    record(event, fields) {
      try {
        const told: unknown = audit.record(event, fields);
        if (isPromiseLike(told)) told.then(undefined, failed);
      } catch (error) {
        // An operator who cannot act because a log fails is worse off than one whose line is missing.
        failed(error);
      }
    },
    failed,
  };
}

function readDoor({ guard, authorize }: OperatorOptions): Door {
  if (guard === undefined && authorize === undefined)
    throw new TypeError(`${WHERE}: \`guard\` or \`authorize\` must be given: it is not mounted unguarded`);
  if (guard !== undefined && authorize !== undefined)
    throw new TypeError(`${WHERE}: \`guard\` and \`authorize\` must not both be given: one of them decides`);
  if (authorize !== undefined) {
    requireFunction(WHERE, 'authorize', authorize);
    return { by: 'rule', authorize };
  }
  const { authenticateRequest, asksForBearer, signIn } = (guard ?? {}) as Partial<Guard>;
  requireGuard(typeof authenticateRequest === 'function' && typeof asksForBearer === 'boolean');
  if (!asksForBearer) throw new TypeError(`${WHERE}: \`guard\` must ask for a token, and its own is disabled: it is not mounted unguarded`);
  requireGuard(typeof signIn?.verify === 'function' && typeof signIn.sign === 'function');
  return { by: 'guard', guard: guard as Guard, signIn };
}

function requireGuard(isOne: boolean): asserts isOne {
  if (!isOne) throw new TypeError(`${WHERE}: \`guard\` must be what createGuard() gives`);
}
