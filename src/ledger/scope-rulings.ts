import { type Ruling, UNPROVEN } from '../policy/verdict.js';

/** Scopes that were rejected; a gateway has few kinds of work, and one that names them freely must not fill memory. */
const MOST_REJECTIONS = 1_000;
/** Acceptances only serve to outrank the late 403 of a call sent before them. */
const MOST_ACCEPTANCES = 64;

/** What calls of single scopes have learnt of one identity. The first scope is kept inline: most identities serve one. */
export class ScopeRulings {
  #key: string | undefined;
  #ruling: Ruling = UNPROVEN;
  #rejected: Map<string, Ruling> | undefined;
  #accepted: Map<string, Ruling> | undefined;

  /** How many of them are rejections: mostly none, and then nobody needs to spell out a key. */
  get rejections(): number {
    return (this.#rejected?.size ?? 0) + (this.#ruling.state === 'rejected' ? 1 : 0);
  }

  get any(): boolean {
    return this.#key !== undefined;
  }

  get(key: string): Ruling | undefined {
    return key === this.#key ? this.#ruling : (this.#rejected?.get(key) ?? this.#accepted?.get(key));
  }

  set(key: string, ruling: Ruling): void {
    if (this.#key === undefined || this.#key === key) {
      this.#key = key;
      this.#ruling = ruling;
    } else if (ruling.state === 'rejected') {
      this.#accepted?.delete(key);
      this.#rejected ??= new Map();
      remember(this.#rejected, key, ruling, MOST_REJECTIONS);
    } else {
      this.#rejected?.delete(key);
      this.#accepted ??= new Map();
      remember(this.#accepted, key, ruling, MOST_ACCEPTANCES);
    }
  }

  *entries(): Iterable<[string, Ruling]> {
    if (this.#key !== undefined) yield [this.#key, this.#ruling];
    if (this.#rejected !== undefined) yield* this.#rejected;
    if (this.#accepted !== undefined) yield* this.#accepted;
  }
}

/** As the newest; the oldest goes if there is one too many. */
function remember(rulings: Map<string, Ruling>, key: string, ruling: Ruling, most: number): void {
  rulings.delete(key);
  rulings.set(key, ruling);
  if (rulings.size <= most) return;
  for (const oldest of rulings.keys()) {
    rulings.delete(oldest);
    return;
  }
}
