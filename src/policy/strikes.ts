/** When a rejection does not count yet. */
export interface StrikeRules {
  /** So many rejections ... */
  readonly rejections: number;
  /** ... among so many outcomes ... */
  readonly of: number;
  /** ... within so many milliseconds make a verdict, of a credential ... */
  readonly withinMs: number;
  /** ... that was proven within so many milliseconds before. */
  readonly provenMs: number;
  /** The first rejection of a credential that was first seen within so many milliseconds before does not count: its issuer may not have told everybody. */
  readonly youngMs: number;
}

/** An outcome, when it came in milliseconds since the epoch, and whether it was a rejection. */
export interface Trial {
  readonly at: number;
  readonly rejected: boolean;
}

/** Whether a rejection that comes now is only a strike: it is noted, and the credential is used on. */
export function isStrike(
  trials: readonly Trial[],
  known: { readonly provenAt: number; readonly seenAt: number; readonly now: number },
  rules: StrikeRules,
): boolean {
  const { now, provenAt, seenAt } = known;
  if (now - seenAt < rules.youngMs && !trials.some((trial) => trial.rejected)) return true;
  if (now - provenAt > rules.provenMs) return false;
  const recent = trials.slice(-(rules.of - 1)).filter((trial) => trial.rejected && now - trial.at <= rules.withinMs);
  return recent.length + 1 < rules.rejections;
}
