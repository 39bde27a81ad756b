import type { Credential } from '../../credential/credential.js';
import type { Scope } from '../../ledger/scope-key.js';
import { outcomeOfError, statusOf } from '../../policy/outcome.js';
import type { Exchange, UnauthorizedAnswer, UpstreamAnswer } from './options.js';
import { pathOf } from './request-path.js';
import type { Learnt } from './workloads.js';

/** What is judged: a capture, or a lease. */
export interface Judged {
  settle(outcome: unknown): unknown;
  commit?(): void;
  discard?(): void;
}

export interface ExchangeContext {
  readonly credential: Credential | undefined;
  /** Undefined: not watched. */
  readonly scope: Scope | undefined;
  readonly judged: Judged | undefined;
  readonly borrows: boolean;
  readonly url: string | undefined;
  readonly method: string | undefined;
  /** Calls what may throw; that disturbs no response. */
  readonly contained: (work: () => void) => void;
  /** Does what belongs together. */
  readonly atOnce: (work: () => void) => void;
  readonly onUnauthorized: (scope: Scope, answer: Omit<UnauthorizedAnswer, 'scope'>) => void;
  readonly heardOf: (scope: Scope, learnt: Learnt) => void;
}

interface Answer {
  readonly status: number;
  readonly headers: unknown;
}

export class ProxiedExchange implements Exchange {
  readonly #context: ExchangeContext;
  #over = false;

  constructor(context: ExchangeContext) {
    this.#context = context;
  }

  get credential(): Credential | undefined {
    return this.#context.credential;
  }

  answered(response: UpstreamAnswer): void {
    const answer = readAnswer(response);
    if (this.#over) return;
    this.#over = true;
    this.#context.atOnce(() => this.#learn(answer));
  }

  failed(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    const { judged, contained } = this.#context;
    if (judged === undefined) return;
    contained(() => {
      if (outcomeOfError(error).status === undefined) judged.settle(error);
    });
    contained(() => judged.discard?.());
  }

  #learn(answer: Answer): void {
    const { scope, judged, borrows, contained, heardOf, onUnauthorized } = this.#context;
    const { status } = answer;
    const good = status >= 200 && status < 300;
    if (judged !== undefined) {
      contained(() => judged.settle(answer));
      contained(() => (good ? judged.commit?.() : judged.discard?.()));
    }
    if (scope === undefined) return;
    if (status === 401) contained(() => onUnauthorized(scope, this.#unauthorized()));
    // Of a request that presented nothing there is nothing to learn about the workload's credential.
    if (judged !== undefined) contained(() => heardOf(scope, { proven: good, judged: good || status === 401, borrows }));
  }

  #unauthorized(): Omit<UnauthorizedAnswer, 'scope'> {
    const { credential, url, method } = this.#context;
    return { fingerprint: credential?.fingerprint, path: pathOf(url, credential), method: method ?? '' };
  }
}

/** Status and headers, and nothing that could lead to the body. */
function readAnswer(response: UpstreamAnswer): Answer {
  const isObject = typeof response === 'object' && response !== null;
  const status = isObject ? statusOf(response) : response;
  if (typeof status !== 'number' || !Number.isInteger(status))
    throw new TypeError('answered: `response` must be a response with a status, or a status');
  return { status, headers: isObject ? response.headers : undefined };
}
