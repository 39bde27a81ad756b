import { redactAll } from '../credential/redact.js';
import type { Played } from './world.js';

/** Under some schedule the scenario fails. Shows no credential that its upstreams know or were presented with; `cause` is what it threw, as it is. */
export class ExplorationError extends Error {
  override readonly name = 'ExplorationError';
  /** What `replay` takes: the seed, a colon, and the choices. */
  readonly schedule: string;
  /** What happened, in order, until it failed. */
  readonly steps: readonly string[];

  /**
   * `found`: how it was come upon.
   * @internal
   */
  constructor(played: Played, schedule: string, found: string) {
    const { error, isUnhandled } = played.failure ?? { error: undefined };
    const then = isUnhandled === true ? 'then, rejected and not handled' : 'then';
    const lines = played.steps.map((step, index) => `  ${index + 1}. ${step}`);
    const message = [found, ...lines, `  ${then}: ${messageOf(error)}`, `Again: replay(scenario, '${schedule}')`].join('\n');
    super(redactAll(message, played.credentials), { cause: error });
    this.schedule = schedule;
    this.steps = played.steps.map((step) => redactAll(step, played.credentials));
  }
}

function messageOf(error: unknown): string {
  try {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  } catch {
    return 'something that cannot be printed';
  }
}
