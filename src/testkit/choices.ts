/** Numbers from 0 to below 1, the same for the same seed. */
type Random = () => number;

/** A 32-bit generator of Weyl increments and multiplications (the mulberry32 family): small, and good enough to shuffle by. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Which of so many comes next. */
export type Chooser = (count: number) => number;

/** The choices of one schedule, as they are made. Where there is one possibility only, nothing is chosen. */
export class Choices {
  readonly taken: number[] = [];
  readonly #choose: Chooser;

  constructor(choose: Chooser) {
    this.#choose = choose;
  }

  next(count: number): number {
    if (count < 2) return 0;
    const choice = Math.min(count - 1, Math.max(0, Math.trunc(this.#choose(count))));
    this.taken.push(choice);
    return choice;
  }

  /** Those that say something: where nothing is said the first is taken. */
  get told(): readonly number[] {
    return this.taken.slice(0, this.taken.findLastIndex((choice) => choice > 0) + 1);
  }
}

/** What was chosen before, and then always the first. */
export function recorded(choices: readonly number[]): Chooser {
  let index = 0;
  return () => choices[index++] ?? 0;
}

/**
 * How the schedule of this number chooses: the first takes everything in its order, the second the other way round. Of the others every second
 * takes whatever it likes, the rest stray from the order more or less seldom, since many bugs take one thing that comes late.
 */
export function strategy(number: number, random: Random): Chooser {
  if (number === 0) return () => 0;
  if (number === 1) return (count) => count - 1;
  const boldness = number % 2 === 0 ? 1 : random();
  return (count) => (random() < boldness ? Math.floor(random() * count) : 0);
}

/** A schedule as it is printed. */
export function printSchedule(seed: number, choices: readonly number[]): string {
  return `${seed}:${choices.join('.')}`;
}

/** @throws {TypeError} for a text that is none. */
export function readSchedule(text: string): { readonly seed: number; readonly choices: readonly number[] } {
  const [, seed, choices] = (typeof text === 'string' && /^(\d{1,10}):((?:\d+(?:\.\d+)*)?)$/.exec(text)) || [];
  if (seed === undefined || choices === undefined) throw new TypeError('replay: `schedule` must be as explore() prints it, SEED:CHOICES');
  return { seed: Number(seed), choices: choices === '' ? [] : choices.split('.').map(Number) };
}
