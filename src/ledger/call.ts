import type { Credential } from '../credential/credential.js';
import type { Source } from '../policy/choose.js';
import type { Classification } from '../policy/classification.js';
import type { WorkScope } from './scope-key.js';
import type { Session } from './session.js';
import type { Identity } from './verdicts.js';

/** What a scope's work would be done with. */
export interface Choice {
  readonly source: Source;
  readonly identity: Identity;
  readonly credential: Credential;
  readonly session: Session | undefined;
  /** It is rejected, and put to the test by one call. */
  readonly probe: boolean;
}

/** A classification that says something about the credential. */
export type Judgement = Extract<Classification, { kind: 'accepted' | 'rejected' | 'held' }>;

/** A call whose outcome is to be recorded. */
export interface Call {
  readonly identity: Identity;
  readonly credential: Credential;
  readonly scope: WorkScope;
  /** The number it took when it was sent. */
  readonly sent: number;
  /** When that was, in milliseconds since the epoch; 0 for a credential of which no end was known then. */
  readonly sentAt: number;
  /** A client's own request, seen passing through: it decides less than work done on its behalf. */
  readonly presented: boolean;
  /** Made by a session with the global credential that it did not bring. */
  readonly borrowed: boolean;
  /** It puts a rejected credential to the test. */
  readonly probe: boolean;
}

/** A call that is about to be sent: it takes its number here. */
export class LeasedCall implements Call {
  readonly identity: Identity;
  readonly credential: Credential;
  readonly scope: WorkScope;
  readonly sent: number;
  readonly sentAt: number;
  readonly source: Source;
  readonly presented: boolean;
  readonly borrowed: boolean;
  readonly probe: boolean;

  constructor(choice: Choice, scope: WorkScope, sent: number, sentAt: number) {
    this.identity = choice.identity;
    this.credential = choice.credential;
    this.scope = scope;
    this.sent = sent;
    this.sentAt = sentAt;
    this.source = choice.source;
    this.presented = false;
    this.borrowed = isBorrowed(choice, scope);
    this.probe = choice.probe;
  }
}

/** The global credential, lent to a session that did not bring it. */
export function isBorrowed(choice: Choice, scope: WorkScope): boolean {
  return choice.source === 'global' && scope.session !== undefined;
}
