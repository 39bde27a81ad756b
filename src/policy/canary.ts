/** Which credentials are tried by one call before the others go: doubtful ones, borrowed ones only, or none. */
export type CanaryMode = 'doubtful' | 'borrowed' | 'off';

export interface Doubt {
  readonly mode: CanaryMode;
  /** The global credential, lent to a session that did not bring it. */
  readonly borrowed: boolean;
  /** When it was last proven, by a borrower if it is borrowed; -Infinity for never. Milliseconds since the epoch, like `now`. */
  readonly provenAt: number;
  readonly proofMs: number;
  readonly now: number;
}

/** Unproven, or proven too long ago. What its owner may do with a credential says little about what a borrower may. */
export function isDoubtful({ mode, borrowed, provenAt, proofMs, now }: Doubt): boolean {
  if (mode === 'off' || (mode === 'borrowed' && !borrowed)) return false;
  return now - provenAt > proofMs;
}

/** What the waiters behind a canary do once it is back: go, choose anew, or send the next canary. */
export type AfterCanary = 'go' | 'choose' | 'next';

/** From how the canary's call was classified, or undefined if nothing was sent or it was called off. */
export function afterCanary(kind: 'accepted' | 'rejected' | 'held' | 'denied' | 'transient' | 'none' | undefined): AfterCanary {
  switch (kind) {
    case 'rejected':
    case 'held':
      return 'choose';
    case 'transient':
    case undefined:
      return 'next';
    default:
      return 'go';
  }
}
