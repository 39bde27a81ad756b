import type { Answer } from '../provider-client.js';
import type { Gateway, Parts, Work } from './policy.js';

/**
 * The two policies that mark sessions: a 401 marks the session stale, a stale session uses the last credential that anybody presented, one
 * retry follows if that is another one, and a failure is one event.
 */
export class SessionMarks implements Gateway {
  readonly #parts: Parts;
  readonly #skipsKnownDead: boolean;
  readonly #tokens = new Map<string, string>();
  readonly #stale = new Set<string>();
  #lastSeen: string | undefined = undefined;

  constructor(parts: Parts, skipsKnownDead: boolean) {
    this.#parts = parts;
    this.#skipsKnownDead = skipsKnownDead;
  }

  presented(_user: string, session: string, token: string): void {
    this.#tokens.set(session, token);
    this.#stale.delete(session);
    this.#lastSeen = token;
  }

  async tick(due: readonly Work[]): Promise<void> {
    await Promise.all(due.map((work) => this.#do(work)));
  }

  async close(): Promise<void> {}

  async #do({ user, session }: Work): Promise<void> {
    if (this.#skipsKnownDead && this.#stale.has(session) && this.#tokens.get(session) === this.#lastSeen) return;
    const token = this.#resolve(session);
    if (token === undefined) return;
    let answer = await this.#send(user, token);
    if (answer.status !== 401) return;
    this.#stale.add(session);
    const other = this.#resolve(session);
    if (other !== undefined && other !== token) answer = await this.#send(user, other);
    if (answer.status === 401) this.#parts.tracker.capture(new Error(`background work failed with ${answer.status}`));
  }

  #resolve(session: string): string | undefined {
    return this.#stale.has(session) ? this.#lastSeen : (this.#tokens.get(session) ?? this.#lastSeen);
  }

  #send(user: string, token: string): Promise<Answer> {
    return this.#parts.client.work(user, { authorization: `Bearer ${token}` });
  }
}
