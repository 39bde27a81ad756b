/** What came of asking one source. */
export interface ChainStep {
  readonly source: string;
  /** `none`: an authoritative one. `not asked`: a source before it had the last word. */
  readonly outcome: 'found' | 'nothing' | 'none' | 'unavailable' | 'not asked';
  /** Of the credential that was found. */
  readonly fingerprint: string | undefined;
  /** Why it is unavailable. */
  readonly reason: string | undefined;
}

/** Where a credential would come from, source by source; no value of any. Prints well. */
export interface ChainExplanation {
  /** `nothing`: no source had an answer. */
  readonly outcome: 'found' | 'nothing' | 'none' | 'unavailable';
  /** Which one had the last word; undefined if none had. */
  readonly source: string | undefined;
  readonly fingerprint: string | undefined;
  /** In the order in which they are asked. */
  readonly steps: readonly ChainStep[];
  toString(): string;
}

const SUMMARY = {
  found: 'a credential',
  nothing: 'no credential: no source has one',
  none: 'no credential, and no other source is asked',
  unavailable: 'cannot be told',
} as const;

/** `asked`: the steps that were taken; the last may have had the last word. */
export function explanationOf(asked: readonly ChainStep[], names: readonly string[]): ChainExplanation {
  const last = asked.at(-1);
  const outcome = last === undefined || last.outcome === 'not asked' ? 'nothing' : last.outcome;
  const rest = names.slice(asked.length).map((source): ChainStep => step(source, 'not asked'));
  const explanation = {
    outcome,
    source: outcome === 'nothing' ? undefined : last?.source,
    fingerprint: last?.fingerprint,
    steps: [...asked, ...rest],
  };
  const text = (): string => print(explanation);
  // Not enumerable, so that an explanation compares and serialises as data.
  Object.defineProperty(explanation, 'toString', { value: text });
  Object.defineProperty(explanation, Symbol.for('nodejs.util.inspect.custom'), { value: text });
  return explanation;
}

export function step(source: string, outcome: ChainStep['outcome'], details: { fingerprint?: string; reason?: string } = {}): ChainStep {
  return { source, outcome, fingerprint: details.fingerprint, reason: details.reason };
}

function print({ outcome, source, steps }: Omit<ChainExplanation, 'toString'>): string {
  const lines = steps.map(({ source, outcome, fingerprint, reason }) => {
    const detail = fingerprint ?? reason;
    return `  ${source}: ${outcome}${detail === undefined ? '' : ` (${detail})`}`;
  });
  return [`${SUMMARY[outcome]}${source === undefined ? '' : ` (${source})`}`, ...lines].join('\n');
}
