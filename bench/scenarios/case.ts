/** One row of a scenario, and one process of its own. */
export interface ScenarioCase {
  /** The row's. */
  readonly name: string;
  /** One of `POLICIES`. */
  readonly policy: string;
  /** The token has worked a moment before it dies. */
  readonly warm: boolean;
  /** What a refresh brings: a new token, the dead one, or `invalid_grant`. */
  readonly brings: 'new' | 'same' | 'invalid_grant';
}

const LATCHKEY: readonly ScenarioCase[] = [
  { name: 'latchkey', policy: 'latchkey', warm: true, brings: 'new' },
  { name: 'latchkey cold', policy: 'latchkey', warm: false, brings: 'new' },
  { name: 'latchkey refresh', policy: 'latchkey refresh', warm: true, brings: 'new' },
];

/** Where there is a good token to be had. */
export const RECOVERABLE: readonly ScenarioCase[] = LATCHKEY;

/** Where there is none. */
export const DEAD: readonly ScenarioCase[] = LATCHKEY.map((one) => ({ ...one, brings: 'same' }));
