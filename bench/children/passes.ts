/** What is timed: `pass` makes `calls` calls. */
export interface Passes {
  readonly calls: number;
  pass(): unknown;
}
