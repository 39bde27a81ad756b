import { startTimer } from '../clock.js';
import type { Arrears } from './arrears.js';
import type { Carrier, Name } from './carrier.js';
import type { Names } from './names.js';

/** A member that died no longer counts by then. */
const LOOK_AGAIN_MS = 61_000;
/** Whoever has not reached the store for so many looks leaves it to others: who told the end may be forgotten by then. */
const MOST_FAILURES = 5;
/** Longer than anybody looks in vain. */
const TOLD_MS = 10 * 60_000;
/** Incidents that others still have open, beyond which the oldest are left to those. */
const MOST_WATCHED = 1_000;
/** In no group: its leaving says only who is there. */
const NOBODY = '-';

export interface EndingsOptions {
  readonly carrier: Pick<Carrier, 'lock' | 'leave'>;
  readonly names: Pick<Names, 'lock'>;
  readonly isUp: () => boolean;
  readonly arrears: Arrears;
  /** The name of this process. */
  readonly process: string;
}

/** An incident that is over here, and was not elsewhere when it was last looked at. */
interface Watched {
  readonly group: Name;
  readonly tag: string;
  readonly owner: string;
  readonly tellEnd: (id: string) => void;
  failures: number;
  timer: { cancel(): void } | undefined;
}

/** Who tells the end of an incident: exactly one of those that had it, even if the others died with it open. */
export class Endings {
  readonly #options: EndingsOptions;
  readonly #watched = new Map<string, Watched>();
  #claims = 0;
  #closed = false;

  constructor(options: EndingsOptions) {
    this.#options = options;
  }

  /** The right to tell the end of the incident with this tag. @throws {StoreError} */
  async claim(tag: string, owner = this.#newOwner()): Promise<boolean> {
    const { carrier, names } = this.#options;
    return (await carrier.lock(names.lock('incident', tag), owner, TOLD_MS)) === 0;
  }

  /** It is told here without asking; whoever asks later must not be given the right. */
  noteTold(tag: string): void {
    const owner = this.#newOwner();
    this.#options.arrears.owe(owner, () => this.claim(tag, owner));
  }

  /** Others have it open: if they die, `tellEnd` is called in one of the processes that watch it. */
  watch(group: Name, tag: string, tellEnd: (id: string) => void): void {
    if (this.#closed) return;
    this.forget(tag);
    const watched: Watched = { group, tag, owner: this.#newOwner(), tellEnd, failures: 0, timer: undefined };
    this.#watched.set(tag, watched);
    for (const oldest of this.#watched.keys()) {
      if (this.#watched.size <= MOST_WATCHED) break;
      this.forget(oldest);
    }
    this.#lookLater(watched);
  }

  /** It is open here again. */
  forget(tag: string): void {
    this.#watched.get(tag)?.timer?.cancel();
    this.#watched.delete(tag);
  }

  /** The store has lost what it had, and with that whose end has been told. */
  forgetAll(): void {
    for (const tag of [...this.#watched.keys()]) this.forget(tag);
  }

  close(): void {
    this.#closed = true;
    this.forgetAll();
  }

  #newOwner(): string {
    return `${this.#options.process}.${++this.#claims}`;
  }

  #lookLater(watched: Watched): void {
    watched.timer = startTimer(LOOK_AGAIN_MS, () => void this.#look(watched));
  }

  async #look(watched: Watched): Promise<void> {
    const { tag, tellEnd } = watched;
    let end: 'open' | 'ours' | 'theirs' | 'unknown';
    try {
      end = this.#options.isUp() ? await this.#ask(watched) : 'unknown';
    } catch {
      end = 'unknown';
    }
    if (this.#watched.get(tag) !== watched) return;
    watched.failures = end === 'unknown' ? watched.failures + 1 : 0;
    if (end === 'open' || (end === 'unknown' && watched.failures < MOST_FAILURES)) {
      this.#lookLater(watched);
      return;
    }
    this.#watched.delete(tag);
    if (end === 'ours') tellEnd(tag);
  }

  async #ask({ group, tag, owner }: Watched): Promise<'open' | 'ours' | 'theirs'> {
    const standing = await this.#options.carrier.leave(group, NOBODY);
    if (standing.tag === tag) return 'open';
    return (await this.claim(tag, owner)) ? 'ours' : 'theirs';
  }
}
