import fc from 'fast-check';

/** One kind of input, and what has to hold whatever it is. */
export interface Target {
  readonly name: string;
  /** Its share of all inputs, in comparison with the others'. */
  readonly share: number;
  /** Tries so many; returns how many were tried, and what is wrong. */
  run(inputs: number, seed: number): Promise<Tried>;
}

interface Tried {
  readonly inputs: number;
  /** The smallest input that was found to break something, with the seed and the path to repeat it; undefined if none was. */
  readonly failure: string | undefined;
}

export interface TargetOptions<T> {
  readonly name: string;
  readonly share?: number;
  readonly input: fc.Arbitrary<T>;
  /** Throws if something is wrong. */
  readonly check: (input: T) => unknown;
}

export function target<T>({ name, share = 1, input, check }: TargetOptions<T>): Target {
  return {
    name,
    share,
    async run(inputs, seed) {
      const settings = { numRuns: inputs, seed, verbose: 0 } as const;
      const checked = async (one: T): Promise<void> => void (await check(one));
      const sync = (one: T): void => void check(one);
      const outcome =
        check.constructor.name === 'AsyncFunction'
          ? await fc.check(fc.asyncProperty(input, checked), settings)
          : fc.check(fc.property(input, sync), settings);
      return {
        inputs: outcome.numRuns,
        failure: outcome.failed
          ? `${fc.defaultReportMessage(outcome)}\n${String((outcome.errorInstance as Error | null)?.stack)}`
          : undefined,
      };
    },
  };
}
