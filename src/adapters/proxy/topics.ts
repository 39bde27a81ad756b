/** Who is to be looked at when something happens: subscribers by topic, and back. */
export class Topics<T> {
  readonly #subscribers = new Map<string, Set<T>>();
  readonly #topics = new Map<T, readonly string[]>();

  /** A copy: looking may change who subscribes. */
  of(topic: string): T[] {
    return [...(this.#subscribers.get(topic) ?? [])];
  }

  /** To these topics and no others. */
  subscribe(subscriber: T, topics: readonly string[]): void {
    for (const topic of this.#topics.get(subscriber) ?? []) {
      const group = this.#subscribers.get(topic);
      if (group?.delete(subscriber) && group.size === 0) this.#subscribers.delete(topic);
    }
    if (topics.length === 0) this.#topics.delete(subscriber);
    else this.#topics.set(subscriber, topics);
    for (const topic of topics) {
      const group = this.#subscribers.get(topic);
      if (group === undefined) this.#subscribers.set(topic, new Set([subscriber]));
      else group.add(subscriber);
    }
  }
}
