import type { Latchkey } from '../../api.js';
import { Credential } from '../../credential/credential.js';
import { credentialFromHeaders } from '../../credential/headers.js';
import { redactedCopy } from '../../credential/redact.js';
import type { Lease } from '../../ledger/lease.js';
import type { Scope } from '../../ledger/scope-key.js';
import { isPromiseLike } from '../../promise-like.js';
import { type Judged, ProxiedExchange } from './exchange.js';
import {
  type MonitorErrorOrigin,
  type ProxiedRequest,
  readMonitorOptions,
  type UnauthorizedAnswer,
  type UnauthorizedMonitor,
  type UnauthorizedMonitorOptions,
} from './options.js';
import { Workloads } from './workloads.js';

/**
 * Watches a transparent proxy for 401s of its upstream: feeds what comes of the clients' own requests to `latchkey`, and keeps a status of each workload. It changes
 * no response.
 * @throws {TypeError} for an option that is unknown or malformed.
 */
export function createUnauthorizedMonitor<Incoming extends ProxiedRequest = ProxiedRequest>(
  latchkey: Latchkey,
  options: UnauthorizedMonitorOptions<Incoming>,
): UnauthorizedMonitor<Incoming> {
  const settings = readMonitorOptions(latchkey, options);
  const { onError, onUnauthorized, clock, limit, writeTimeoutMs, provisional } = settings;
  let closed = false;

  const failed = (origin: MonitorErrorOrigin, error: unknown, credential?: Credential): void => {
    try {
      const told = onError?.(credential === undefined ? error : redactedCopy(error, [credential]), origin);
      if (isPromiseLike(told)) told.then(undefined, () => {});
    } catch {
      // There is nobody left to tell.
    }
  };
  const workloads = new Workloads({
    latchkey,
    clock,
    limit,
    writeTimeoutMs,
    write: settings.onWorkload,
    failed,
  });

  /** What a function of the user's answers at once; undefined if it fails. */
  const ask = <T>(origin: 'scope' | 'credential', presented: () => Credential | undefined, question: () => T): T | undefined => {
    try {
      const answer = question();
      if (!isPromiseLike(answer)) return answer;
      answer.then(undefined, () => {});
      throw new TypeError(`${origin}: must answer at once, not with a promise`);
    } catch (error) {
      failed(origin, error, presented());
      return undefined;
    }
  };

  const readCredential = (headers: Incoming['headers']): Credential | undefined => {
    const presented = (): Credential | undefined => credentialFromHeaders(headers);
    return ask('credential', presented, () => {
      const credential = settings.credential(headers);
      if (credential === undefined || credential instanceof Credential || isPromiseLike(credential)) return credential;
      throw new TypeError('credential: must give what bearer(), apiKey() or credentialFromHeaders() gives, or undefined');
    });
  };

  /** What the request's outcome will judge. What the ledger does not take for a scope is not watched. */
  const watch = (scope: Scope, credential: Credential | undefined, lease: Lease | undefined): { judged: Judged | undefined } | undefined =>
    ask(
      'scope',
      () => credential,
      () => {
        if (lease === undefined && credential !== undefined) return { judged: latchkey.capture(scope, credential, { provisional }) };
        latchkey.explain(scope);
        return { judged: lease };
      },
    );

  const tell = (answer: UnauthorizedAnswer, credential: Credential | undefined): void => {
    try {
      const told = onUnauthorized?.(answer);
      if (isPromiseLike(told)) told.then(undefined, (error: unknown) => failed('onUnauthorized', error, credential));
    } catch (error) {
      failed('onUnauthorized', error, credential);
    }
  };

  return {
    open(request, openOptions = {}) {
      const lease = readLease(request, openOptions);
      const { headers, method } = request;
      const credential = lease === undefined ? readCredential(headers) : lease.credential;
      const scope = closed
        ? undefined
        : ask(
            'scope',
            () => credential,
            () => settings.scope(request),
          );
      const watched = scope === undefined ? undefined : watch(scope, credential, lease);
      return new ProxiedExchange({
        credential,
        scope: watched && scope,
        judged: watched?.judged ?? lease,
        borrows: lease?.source === 'global',
        url: urlOf(request),
        method,
        contained: (work) => {
          try {
            work();
          } catch (error) {
            failed('latchkey', error, credential);
          }
        },
        atOnce: (work) => workloads.atOnce(work),
        onUnauthorized: (whose, answer) => tell({ scope: latchkey.explain(whose).scope, ...answer }, credential),
        heardOf: (whose, learnt) => workloads.heardOf(whose, learnt),
      });
    },

    workload: (scope) => workloads.read(scope),

    started: (scope) => workloads.heardOf(scope, { proven: true, judged: false, borrows: false }),

    close() {
      closed = true;
      return workloads.close();
    },
  };
}

/** @throws {TypeError} for what is no request, or no lease. */
function readLease(request: ProxiedRequest, options: { readonly lease?: Lease | undefined }): Lease | undefined {
  if (typeof request !== 'object' || request === null || typeof request.headers !== 'object' || request.headers === null)
    throw new TypeError('open: `request` must be a request with headers');
  if (typeof options !== 'object' || options === null) throw new TypeError('open: `options` must be an object');
  for (const name of Object.keys(options)) if (name !== 'lease') throw new TypeError(`open: unknown option \`${name}\``);
  const { lease } = options;
  if (lease !== undefined && (typeof lease !== 'object' || lease === null || typeof lease.settle !== 'function'))
    throw new TypeError('open: `lease` must be a lease');
  return lease;
}

/** Express cuts the path that a router is mounted at out of `url`. */
function urlOf(request: ProxiedRequest): string | undefined {
  const { originalUrl } = request as { readonly originalUrl?: unknown };
  return typeof originalUrl === 'string' ? originalUrl : request.url;
}
