/** How far a rejection goes: for everybody who holds the credential, or for the one scope whose call met it. */
export type Reach = 'identity' | 'scope';

/** What is known of an identity. Times are milliseconds since the epoch. */
export type Verdict =
  | { readonly state: 'unproven' }
  | { readonly state: 'accepted'; readonly since: number }
  | { readonly state: 'rejected'; readonly reach: Reach; readonly status: number | undefined; readonly since: number }
  | {
      readonly state: 'held';
      readonly status: number | undefined;
      readonly reason: string | undefined;
      readonly since: number;
      readonly until: number;
    };

/** A verdict with the sequence number of the call that it comes from, and of the moment it was passed. */
export type Ruling = Verdict & {
  readonly sent: number;
  readonly passed: number;
  /** Of a rejection: probes that have failed since the first. Default 0. */
  readonly probes?: number | undefined;
};

/** A verdict that a call with the credential worked. */
export type Acceptance = Ruling & { readonly state: 'accepted' };
/** A verdict that a call with the credential was turned away. */
export type Rejection = Ruling & { readonly state: 'rejected' };

/** The verdict on what no call has had an outcome with. */
export const UNPROVEN: Ruling = { state: 'unproven', sent: -1, passed: -1 };

const SEVERITY = { unproven: 0, accepted: 0, held: 1, rejected: 2 } as const;

/**
 * Whether a new ruling replaces the present one: the outcome of the call that was sent later wins, and of two outcomes of one
 * call the more severe. So neither a slow 200 for a dead token nor a slow 401 for a proven one changes anything,
 * and the order in which outcomes arrive does not matter.
 */
export function supersedes(incoming: Ruling, present: Ruling): boolean {
  if (incoming.sent !== present.sent) return incoming.sent > present.sent;
  return SEVERITY[incoming.state] > SEVERITY[present.state];
}

/** A ruling as users see it. */
export function verdictOf(ruling: Ruling): Verdict {
  switch (ruling.state) {
    case 'unproven':
      return { state: 'unproven' };
    case 'accepted':
      return { state: 'accepted', since: ruling.since };
    case 'rejected':
      return { state: 'rejected', reach: ruling.reach, status: ruling.status, since: ruling.since };
    case 'held':
      return { state: 'held', status: ruling.status, reason: ruling.reason, since: ruling.since, until: ruling.until };
  }
}
