/** What a policy has to work with. */
export interface Parts {
  /** Calls the upstream. Nothing is thrown for a status. */
  readonly send: (token: string) => Promise<Response>;
  /** Gets a token in place of the one that is held, as a token endpoint would; rejects as its client would. */
  readonly refresh: () => Promise<string>;
  /** An operator is told. */
  readonly report: () => void;
}

/** Whose work it is, and where: the parts are its own. */
export interface Place extends Parts {
  readonly tenant: string;
  readonly provider: string;
}

/** One session's work, done by one policy. */
export interface Session {
  /** A client's request brings a token. */
  present(token: string): void;
  /** A call that somebody waits for. Rejects if it has failed. */
  work(): Promise<void>;
  /** A call of a loop, which may be left out. Resolves with whether it was made and succeeded; never rejects. */
  tick(): Promise<boolean>;
  close(): Promise<void>;
}

/** A gateway's work in several places. */
export interface Gateway {
  /** One for each place. */
  readonly sessions: readonly Session[];
  /** How many of the policy's own objects serve them. */
  readonly instances: number;
}

export interface Policy {
  /** It gets its own new tokens. One that does not waits for a client to bring them. */
  readonly refreshes: boolean;
  open(parts: Parts): Promise<Session>;
  openAll(places: readonly Place[]): Promise<Gateway>;
}
