/** Places for those who wait, so that memory is bounded however many come: shared by parking and canaries. */
export class Seats {
  readonly #limit: number;
  #taken = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get taken(): number {
    return this.#taken;
  }

  get full(): boolean {
    return this.#taken >= this.#limit;
  }

  /** Returns whether there was one. */
  take(): boolean {
    if (this.full) return false;
    this.#taken++;
    return true;
  }

  leave(): void {
    this.#taken--;
  }
}
