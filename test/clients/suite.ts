import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { type Credential, createLatchkey, type Latchkey, type LatchkeyError, type RunOptions } from '../../src/index.js';
import { type Answer, scriptedUpstream, type Upstream } from '../support/upstream.js';

export interface CallOptions {
  readonly headers: Record<string, string>;
  readonly signal: AbortSignal | undefined;
  /** The client's own time limit. */
  readonly timeoutMs: number | undefined;
}

/** One real client, as a worker uses it: made once, its credential given with each call. */
export interface ClientUnderTest {
  readonly name: string;
  readonly provider?: string;
  readonly credential: Credential;
  connect(url: string): (options: CallOptions) => Promise<unknown>;
  /** Holds the word `pong`. */
  readonly good: Answer;
  /** The provider's own answer to a dead credential; an unkind one, which repeats it. */
  rejected(secret: string): Answer;
  readonly denied: readonly Answer[];
  /** Whether the client's errors bear the answer's headers. */
  readonly keepsHeaders: boolean;
  /** Whether the client's errors tell a caller's abort from its own time limit. */
  readonly tellsAborts: boolean;
  /** Whether the client's errors tell a connection that broke in the middle of the body; undefined: it has returned by then. */
  readonly tellsBrokenBodies: boolean | undefined;
}

export const INSUFFICIENT_SCOPE: Answer = {
  status: 403,
  headers: { 'www-authenticate': 'Bearer realm="api", error="insufficient_scope", error_description="more is needed"' },
  body: '{}',
};
const CREDENTIAL_HEADERS = ['authorization', 'x-api-key', 'x-goog-api-key', 'api-key'] as const;

const SESSION = 'session';
/** Long enough for the request to arrive, short enough for nobody to wait. */
const TIME_LIMIT_MS = 40;
const ONE_RETRY: RunOptions = { transient: { retries: 1, minMs: 1 } };

export const json = (status: number, body: unknown, headers: Record<string, string> = {}): Answer => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
});
const NOT_FOUND = json(404, { error: { type: 'not_found_error', message: 'no such thing' } });
const NEVER: Answer = () => {};
const RESET: Answer = (request) => void request.socket.destroy();
const BREAKS_OFF: Answer = (request, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
  response.write('{"pong":', () => setImmediate(() => request.socket.destroy()));
};

type Ended = { readonly value: unknown } | { readonly error: unknown };

const endOf = (promise: Promise<unknown>): Promise<Ended> =>
  promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );

/** What was given: the same object, thrown or returned as it was. */
function expectPassedThrough(ended: Ended, given: Ended | undefined): void {
  expect(given).toBeDefined();
  expect(Object.keys(ended)).toEqual(Object.keys(given as Ended));
  expect(Object.values(ended)[0]).toBe(Object.values(given as Ended)[0]);
}

function expectNothingMarked(latchkey: Latchkey, scope: object): void {
  expect(latchkey.canRun(scope)).toBe(true);
  expect(latchkey.stats()).toMatchObject({ accepted: 0, rejected: 0, held: 0, incidents: 0 });
}

/** What every client must come to, against a real server. */
export function describeClient(client: ClientUnderTest): void {
  const scope = { session: SESSION, ...(client.provider === undefined ? {} : { provider: client.provider }) };
  const secret = client.credential.reveal();
  let upstream: Upstream;
  let latchkey: Latchkey;

  /** The script's answers in turn; the client's results are kept as they were given to the run. */
  async function begin(...answers: Answer[]): Promise<{
    given: Ended[];
    run: (options?: RunOptions, call?: { timeoutMs?: number; signal?: AbortSignal }) => Promise<Ended>;
  }> {
    upstream = await scriptedUpstream(({ count }) => answers[count - 1]);
    const call = client.connect(upstream.url);
    const given: Ended[] = [];
    latchkey = createLatchkey();
    latchkey.capture(scope, client.credential);
    return {
      given,
      run: (options = {}, { timeoutMs, signal } = {}) =>
        endOf(
          latchkey.run(
            scope,
            async (lease, context) => {
              const ended = await endOf(
                call({
                  headers: lease.headers(),
                  signal: signal ?? options.signal,
                  timeoutMs: context.attempt === 1 ? timeoutMs : undefined,
                }),
              );
              given.push(ended);
              if ('error' in ended) throw ended.error;
              return ended.value;
            },
            options,
          ),
        ),
    };
  }

  describe(client.name, () => {
    afterEach(() => upstream.close());

    it('case 50: a good answer is returned, and exactly the leased credential was sent', async () => {
      const { run, given } = await begin(client.good);
      const ended = await run();
      expectPassedThrough(ended, given[0]);
      const value = (ended as { value: unknown }).value;
      expect(value instanceof Response ? await value.text() : JSON.stringify(value)).toContain('pong');
      const [request] = upstream.requests;
      const sent = CREDENTIAL_HEADERS.filter((name) => request?.headers[name] !== undefined).map((name) => [name, request?.headers[name]]);
      expect(Object.fromEntries(sent)).toEqual(client.credential.headers());
      expect(latchkey.stats().accepted).toBe(1);
    });

    it('case 50: a dead credential is rejected after one call, and the error holds no secret', async () => {
      const { run, given } = await begin(client.rejected(secret));
      const ended = (await run(ONE_RETRY)) as { error: LatchkeyError };
      expect(ended.error).toMatchObject({ code: 'CREDENTIAL_REJECTED', fingerprint: client.credential.fingerprint });
      expect(upstream.requests).toHaveLength(1);
      expect(latchkey.canRun({ ...scope, session: 'another' })).toBe(false);

      const original = Object.values(given[0] as Ended)[0];
      expect(ended.error.original()).toBe(original);
      const { cause } = ended.error;
      expect(cause).toBeInstanceOf(Error);
      expect(cause).not.toBe(original);
      for (const shown of [ended.error, cause]) {
        expect(inspect(shown, { showHidden: true, depth: 20 })).not.toContain(secret);
        expect(JSON.stringify(shown)).not.toContain(secret);
        expect(String(shown)).not.toContain(secret);
      }
    });

    it.each(client.denied.map((answer) => ({ answer })))(
      'case 40: a request that is not allowed passes through and marks nothing (answer %#)',
      async ({ answer }) => {
        const { run, given } = await begin(answer);
        expectPassedThrough(await run(ONE_RETRY), given[0]);
        expect(upstream.requests).toHaveLength(1);
        expectNothingMarked(latchkey, scope);
        expect(latchkey.stats().denied).toBe(1);
      },
    );

    it('case 41: a 404 passes through untouched', async () => {
      const { run, given } = await begin(NOT_FOUND);
      expectPassedThrough(await run(ONE_RETRY), given[0]);
      expect(upstream.requests).toHaveLength(1);
      expectNothingMarked(latchkey, scope);
      expect(latchkey.stats().denied).toBe(0);
    });

    it.each([429, 503])('case 50: a %i is transient', async (status) => {
      const { run, given } = await begin(json(status, {}, { 'retry-after': '0' }), client.good);
      expectPassedThrough(await run(ONE_RETRY), given[1]);
      expect(upstream.requests).toHaveLength(2);
      expect(latchkey.stats()).toMatchObject({ accepted: 1, rejected: 0, held: 0 });
    });

    if (client.keepsHeaders)
      it('case 37: its Retry-After is seen: one past the deadline gives the error at once', async () => {
        const { run, given } = await begin(json(429, {}, { 'retry-after': '120' }));
        expectPassedThrough(await run({ ...ONE_RETRY, timeoutMs: 60_000 }), given[0]);
        expect(upstream.requests).toHaveLength(1);
        expectNothingMarked(latchkey, scope);
      });

    it('case 50: a connection reset is transient', async () => {
      const { run, given } = await begin(RESET, client.good);
      expectPassedThrough(await run(ONE_RETRY), given[1]);
      expect(upstream.requests).toHaveLength(2);
      expect(latchkey.stats()).toMatchObject({ accepted: 1, rejected: 0 });
    });

    if (client.tellsBrokenBodies !== undefined)
      it('case 50: a connection that breaks in the middle of a good answer', async () => {
        const { run, given } = await begin(BREAKS_OFF, client.good);
        const ended = await run(ONE_RETRY);
        expect(given).toHaveLength(client.tellsBrokenBodies ? 2 : 1);
        expectPassedThrough(ended, given.at(-1));
        expect(latchkey.canRun(scope)).toBe(true);
      });

    it("case 50: a caller's abort rejects with its reason and marks nothing", async () => {
      const controller = new AbortController();
      const reason = new Error('the caller has gone');
      const { run, given } = await begin(() => controller.abort(reason));
      expect(await run({ ...ONE_RETRY, signal: controller.signal })).toEqual({ error: reason });
      expect(upstream.requests).toHaveLength(1);
      await expect.poll(() => given.length).toBe(1);
      expectNothingMarked(latchkey, scope);
    });

    it('case 50: an abort that the run does not know of passes through and marks nothing', async () => {
      const controller = new AbortController();
      const { run, given } = await begin(() => controller.abort());
      expectPassedThrough(await run(ONE_RETRY, { signal: controller.signal }), given.at(-1));
      // Where it might be a time limit it is tried again, which sends nothing.
      expect(given).toHaveLength(client.tellsAborts ? 1 : 2);
      expect(upstream.requests).toHaveLength(1);
      expectNothingMarked(latchkey, scope);
    });

    it("case 50: the client's own time limit passes through and marks nothing", async () => {
      const { run, given } = await begin(NEVER);
      expectPassedThrough(await run({}, { timeoutMs: TIME_LIMIT_MS }), given[0]);
      expect(given[0]).toHaveProperty('error');
      expect(upstream.requests).toHaveLength(1);
      expectNothingMarked(latchkey, scope);
    });

    it("case 50: the client's own time limit is transient", async () => {
      const { run, given } = await begin(NEVER, client.good);
      expectPassedThrough(await run(ONE_RETRY, { timeoutMs: TIME_LIMIT_MS }), given[1]);
      expect(upstream.requests).toHaveLength(2);
      expect(latchkey.stats()).toMatchObject({ accepted: 1, rejected: 0 });
    });
  });
}
