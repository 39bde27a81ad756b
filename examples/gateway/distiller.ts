import type { Latchkey } from 'latchkey';
import { createAuthFetch } from 'latchkey/fetch';
import type { SessionScope } from './seen-sessions.js';
import { distillingPrompt } from './upstream-calls.js';

export interface DistillerOptions {
  /** Base URL by provider. */
  readonly upstreams: Readonly<Record<string, string>>;
  /** How long a text waits for fresh auth before its session's queue is put aside until the session's next text. */
  readonly parkMs: number;
  readonly onError: (error: unknown) => void;
}

/** A text that the upstream refuses for itself is forgotten, and `onError` hears of it. */
export interface Distiller {
  /** Queues a text; for room, texts that were put aside are forgotten. Refused (`false`) when too many wait all the same. */
  add(scope: SessionScope, text: string): boolean;
  readonly done: number;
  /** Texts that are not done, those at work included. */
  readonly waiting: number;
  close(): Promise<void>;
}

interface Queue {
  readonly scope: SessionScope;
  readonly texts: string[];
  working: Promise<void> | undefined;
}

const MOST_WAITING = 1_000;
/** What is about the credential, the account or the moment, and may be another time. Any other 4xx is about the text. */
const ANOTHER_TIME = [401, 402, 403, 408, 425, 429];

/** Works through texts, one at a time in a session. While a session's credential is dead its texts wait, and nobody else's do. */
export function createDistiller(latchkey: Latchkey, { upstreams, parkMs, onError }: DistillerOptions): Distiller {
  const queues = new Map<string, Queue>();
  const closing = new AbortController();
  let done = 0;
  let waiting = 0;

  /** What is wrong with the text; undefined if it is done. */
  const distil = async ({ scope }: Queue, text: string): Promise<Error | undefined> => {
    const base = upstreams[scope.provider] as string;
    const authFetch = createAuthFetch(latchkey, {
      scope: { ...scope, purpose: 'distill' },
      origins: [new URL(base).origin],
      whenBlocked: 'park',
      parkMs,
    });
    const { path, body } = distillingPrompt(scope.provider, text);
    const response = await authFetch(`${base}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: closing.signal,
    });
    // A real gateway would keep what the model made of the text.
    await response.arrayBuffer();
    const { ok, status } = response;
    if (ok) return undefined;
    const error = new Error(`distilling: the upstream answered ${status}`);
    if (status >= 400 && status < 500 && !ANOTHER_TIME.includes(status)) return error;
    throw error;
  };

  const work = async (key: string, queue: Queue): Promise<void> => {
    // A text leaves the queue when it is done, so that one whose wait was in vain is tried again; and when it would fail every time.
    for (let [text] = queue.texts; text !== undefined; [text] = queue.texts) {
      const refusal = await distil(queue, text);
      queue.texts.shift();
      waiting--;
      if (refusal === undefined) done++;
      else onError(refusal);
    }
    queues.delete(key);
  };

  const forgetOldest = (): void => {
    for (const [key, { texts, working }] of queues) {
      if (working !== undefined) continue;
      queues.delete(key);
      waiting -= texts.length;
      return;
    }
  };

  return {
    add(scope, text) {
      if (waiting >= MOST_WAITING) forgetOldest();
      if (waiting >= MOST_WAITING || closing.signal.aborted) return false;
      const key = `${scope.provider}/${scope.session}`;
      const queue: Queue = queues.get(key) ?? { scope, texts: [], working: undefined };
      queues.set(key, queue);
      queue.texts.push(text);
      waiting++;
      queue.working ??= work(key, queue).catch((error: unknown) => {
        queue.working = undefined;
        if (!closing.signal.aborted) onError(error);
      });
      return true;
    },
    get done() {
      return done;
    },
    get waiting() {
      return waiting;
    },
    async close() {
      closing.abort();
      await Promise.all([...queues.values()].map(({ working }) => working));
    },
  };
}
