export interface Setting {
  readonly name: string;
  /** All users in one gateway, or one gateway for each. */
  readonly shared: boolean;
  /** Pieces of background work that a session has at each tick. */
  readonly workers: number;
  /** How often, in ticks, a client presents its dead token again. */
  readonly presentsDeadEvery: number | undefined;
}

export const SETTINGS: readonly Setting[] = [
  { name: 'one gateway per user', shared: false, workers: 1, presentsDeadEvery: undefined },
  { name: 'as clients behave', shared: false, workers: 3, presentsDeadEvery: 10 },
  { name: 'one shared gateway', shared: true, workers: 1, presentsDeadEvery: undefined },
];
