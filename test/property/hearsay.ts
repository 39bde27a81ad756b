/** What calls have told of credentials: a list, of which the call sent last has the say. */
export type Learnt = 'accepted' | 'rejected' | 'rejected for scope' | 'nothing' | { readonly holdMs: number };

export interface Heard {
  readonly sent: number;
  readonly kind: 'accepted' | 'rejected' | 'rejected for scope' | 'held';
  readonly scope: string;
  readonly until: number;
  /** Its place among everything that was heard. */
  readonly order: number;
}

export class Known {
  readonly provider: string | undefined;
  readonly fingerprint: string;
  heard: Heard[] = [];
  forgivenAt = 0;
  hint: number | undefined;
  voided: number | undefined;
  forgotten = false;

  constructor(provider: string | undefined, fingerprint: string) {
    this.provider = provider;
    this.fingerprint = fingerprint;
  }
}

const SEVERITY = { accepted: 0, 'rejected for scope': 1, held: 1, rejected: 2 };

/** Of the call sent last; of two outcomes of one call, the worse. */
function latest(heard: readonly Heard[]): Heard | undefined {
  let found: Heard | undefined;
  for (const one of heard) {
    if (found === undefined || one.sent > found.sent || (one.sent === found.sent && SEVERITY[one.kind] > SEVERITY[found.kind])) found = one;
  }
  return found;
}

/** What holds for everybody who has it. */
export function everywhere(known: Known): Heard | undefined {
  return latest(known.heard.filter(({ kind }) => kind !== 'rejected for scope'));
}

/** What holds for one scope. */
export function here(known: Known, scope: string): Heard | undefined {
  return latest(known.heard.filter((one) => one.scope === scope && (one.kind === 'accepted' || one.kind === 'rejected for scope')));
}
