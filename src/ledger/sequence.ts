/**
 * Where every lease, capture and decree takes its number, so that "sent later" is a comparison of two numbers. One per process today;
 * a store that several processes share would put a hybrid logical clock in its place.
 */
export class Sequence {
  #last = 0;

  next(): number {
    return ++this.#last;
  }
}
