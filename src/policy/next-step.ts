/** What a run does after an attempt was rejected. */
export type NextStep = 'retry' | 'blocked';

/** Where a run stands after a rejection, once the verdict is recorded and the scope has been resolved again. */
export interface AfterRejection {
  /** The run's one auth retry has been made. */
  readonly retried: boolean;
  /** The scope resolves to a usable identity. */
  readonly resolved: boolean;
  /** That identity is not one that this run has seen rejected, or has been proven by a call sent after the rejection. */
  readonly changed: boolean;
}

/** Retry once, and only with a credential that has actually changed. */
export function nextStep(after: AfterRejection): NextStep {
  return after.resolved && after.changed && !after.retried ? 'retry' : 'blocked';
}
