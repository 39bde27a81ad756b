/**
 * Where every lease, capture and decree takes its number, so that "sent later" is a comparison of two numbers. A store that several
 * processes share puts a hybrid logical clock in its place.
 */
export class Sequence {
  #last = 0;

  next(): number {
    return ++this.#last;
  }

  /** A number that was given before, or less if the clock behind it has been corrected since. */
  bounded(number: number): number {
    return number;
  }
}
