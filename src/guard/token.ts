import type { Credential } from '../credential/credential.js';

/** Where a server's token came from. */
export type ServerTokenSource = 'disabled' | 'explicit' | 'file' | 'regenerated' | 'persisted' | 'generated';

/** What callers of a server have to present. */
export interface ServerToken {
  readonly source: ServerTokenSource;
  /** Undefined if `disabled`: then nobody has to present anything. */
  readonly credential: Credential | undefined;
  /** The file that clients on this machine find it in; undefined if there is none. */
  readonly path: string | undefined;
}
