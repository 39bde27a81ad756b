import { onAbort } from '../abort.js';
import { startTimer, systemClock } from '../clock.js';
import type { Credential } from '../credential/credential.js';
import { credentialFromHeaders, type HeadersLike } from '../credential/headers.js';
import { redactAll } from '../credential/redact.js';
import { presentedIn } from './presented.js';
import { checkUpstreamOptions, contentOf, NONE, type ScriptedAnswer, type UpstreamOptions, UpstreamScript } from './upstream-rules.js';

/** One request, as the upstream saw it. Holds no value of a credential. */
export interface UpstreamCall {
  /** 1 for the first. */
  readonly number: number;
  /** The name of its credential, the fingerprint of one that has none, or `'none'`. */
  readonly credential: string;
  readonly method: string;
  /** Without its query. */
  readonly path: string;
  /** Milliseconds since the upstream was made. */
  readonly at: number;
  /** What it was answered by the rules, from the moment it arrived; undefined where the connection breaks. */
  readonly status: number | undefined;
  /** Milliseconds since the upstream was made, when its answer arrived or the connection broke; undefined before that, and where it is gone. */
  readonly answeredAt: number | undefined;
  /** `out`: the answer is on its way. `gone`: the caller called it off before that. */
  readonly state: 'out' | 'answered' | 'failed' | 'gone';
}

/** What an attempt of `run` gets, as far as the upstream needs it. */
export interface AttemptLease {
  headers(): Record<string, string>;
}

/** An upstream that answers by rules, and remembers. */
export interface Upstream {
  /** What its credentials are called. */
  readonly names: readonly string[];
  /** Every request so far, in the order of arrival. */
  readonly calls: readonly UpstreamCall[];
  /** Those that were answered 401 or 403. */
  readonly rejections: readonly UpstreamCall[];
  /** `fetch`, for a client that lets one be given. The body of a request is not read. */
  readonly fetch: (input: string | URL | Request, init?: RequestInit) => Promise<Response>;
  /** An attempt for `latchkey.run`: GET / with the lease's credential. */
  readonly attempt: (lease: AttemptLease, context?: { readonly signal: AbortSignal }) => Promise<Response>;
  /** The requests that came with a credential, by its name. */
  callsOf(credential: string): readonly UpstreamCall[];
  /** Answers by the same rules over HTTP, on a free port of the loopback interface. Needs Node. */
  listen(): Promise<{ readonly url: string; close(): Promise<void> }>;
  /** The record as text, a line for each request. */
  toString(): string;
}

/** What the world of an exploration does with an upstream. */
interface Explorer {
  /** Says when an answer may arrive. */
  arrival(name: string): Promise<void>;
  /** Is told of credentials that came in, before anything is named after them. */
  presented(credentials: readonly Credential[]): void;
}

/** What a request is judged by. */
interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: HeadersLike;
  /** Called with how to break it off; returns how to take that back. */
  readonly onGone: (gone: (reason: unknown) => void) => () => void;
}

/** A record is for reading: a test that sends more than this has a storm at hand. */
const MOST_CALLS = 100_000;

/**
 * An upstream that answers by rules, in process or over HTTP.
 * @throws {TypeError} naming the option that is wrong.
 */
export function createUpstream(options: UpstreamOptions = {}): Upstream {
  return new ScriptedUpstream(options);
}

export class ScriptedUpstream implements Upstream {
  readonly calls: UpstreamCall[] = [];
  readonly #script: UpstreamScript;
  readonly #now: () => number;
  readonly #startedAt: number;
  readonly #credentials: readonly Credential[];
  readonly #names: ReadonlyMap<string, string>;
  readonly #explorer: Explorer | undefined;

  constructor(options: UpstreamOptions, explorer?: Explorer) {
    checkUpstreamOptions(options);
    const { credentials = {}, clock = systemClock } = options;
    this.#script = new UpstreamScript(options);
    this.#now = () => clock.now();
    this.#startedAt = clock.now();
    this.#credentials = Object.values(credentials);
    this.#names = new Map(Object.entries(credentials).map(([name, { fingerprint }]) => [fingerprint, name]));
    this.#explorer = explorer;
  }

  get names(): readonly string[] {
    return [...this.#names.values()];
  }

  get rejections(): readonly UpstreamCall[] {
    return this.calls.filter(({ status }) => status === 401 || status === 403);
  }

  callsOf(credential: string): readonly UpstreamCall[] {
    return this.calls.filter((call) => call.credential === credential);
  }

  readonly fetch: Upstream['fetch'] = async (input, init) => {
    const request = new Request(input, init);
    // The one that was given: a request's own follows it only for as long as the request is there.
    const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined);
    if (signal?.aborted) throw signal.reason;
    const seen = { method: request.method, path: new URL(request.url).pathname, headers: request.headers };
    const onGone: Seen['onGone'] = (gone) => (signal === undefined ? () => {} : onAbort(signal, () => gone(signal.reason)));
    const answer = await this.answer({ ...seen, onGone });
    if (answer.fails !== undefined)
      throw new TypeError('fetch failed', { cause: Object.assign(new Error('reset'), { code: 'ECONNRESET' }) });
    const { text, headers } = contentOf(answer);
    return new Response(text === '' ? null : text, { status: answer.status ?? 200, headers });
  };

  readonly attempt: Upstream['attempt'] = (lease, context) =>
    this.fetch('http://upstream.test/', { headers: lease.headers(), ...(context && { signal: context.signal }) });

  /** Decides at once, as the request arrives; the answer takes its time. Rejects if it is called off meanwhile. */
  async answer({ method, path, headers, onGone }: Seen): Promise<ScriptedAnswer> {
    if (this.calls.length === MOST_CALLS) throw new Error(`the scripted upstream has had ${MOST_CALLS} requests, and takes no more`);
    const presented = credentialFromHeaders(headers);
    const credential = presented === undefined ? NONE : (this.#names.get(presented.fingerprint) ?? presented.fingerprint);
    const at = this.#now() - this.#startedAt;
    const answer = this.#script.answerTo({ credential, method, path, at });
    const status = answer.fails === undefined ? (answer.status ?? 200) : undefined;
    const secrets = presentedIn(headers);
    this.#explorer?.presented(secrets);
    const call: { -readonly [Key in keyof UpstreamCall]: UpstreamCall[Key] } = {
      number: this.calls.length + 1,
      credential,
      method,
      path: redactAll(path, [...this.#credentials, ...secrets]),
      at,
      status,
      answeredAt: undefined,
      state: 'out',
    };
    this.calls.push(call);
    await new Promise<void>((resolve, reject) => {
      const timer = answer.delayMs ? startTimer(answer.delayMs, () => arrive()) : undefined;
      const forget = onGone((reason) => {
        timer?.cancel();
        call.state = 'gone';
        reject(reason);
      });
      const done = (): void => {
        forget();
        if (call.state === 'out') {
          call.state = status === undefined ? 'failed' : 'answered';
          call.answeredAt = this.#now() - this.#startedAt;
        }
        resolve();
      };
      const arrive = (): void => {
        if (this.#explorer === undefined) done();
        else
          void this.#explorer
            .arrival(`answer ${status ?? 'nothing'} to ${call.method} ${call.path} with ${credential} (call ${call.number})`)
            .then(done, reject);
      };
      if (timer === undefined) arrive();
    });
    return answer;
  }

  async listen(): ReturnType<Upstream['listen']> {
    const { listen } = await import('./upstream-http.js');
    return listen(this);
  }

  toString(): string {
    const lines = this.calls.map(
      ({ number, at, credential, method, path, status, state }) =>
        `${number}. at ${at} ms: ${method} ${path} with ${credential}: ${status ?? 'no answer'}${state === 'out' || state === 'gone' ? ` (${state})` : ''}`,
    );
    return lines.join('\n');
  }
}
