import { everywhere, here, type Known } from './hearsay.js';
import type { Model, Place, Presentation, Sent } from './model.js';

/** What of a state can matter for what comes: which operations there are decides it. */
export interface Matters {
  /** A rejection can be for one scope. */
  readonly scoped: boolean;
  /** A presentation can be committed late. */
  readonly provisional: boolean;
}

/**
 * A state of the model in a form that two states share if nothing that is done next can tell them apart: sequence numbers are replaced by
 * their order among those that they will ever be compared with.
 */
export function canonical(
  model: Model,
  leases: ReadonlyMap<string, Sent>,
  waiting: ReadonlyMap<string, Presentation>,
  matters: Matters,
): string {
  const numbers = [...places(model).map(([, place]) => place.at), ...[...waiting.values()].map(({ at }) => at)].sort((a, b) => a - b);
  const order = (at: number): number => (matters.provisional ? numbers.indexOf(at) : 0);
  const slots = places(model).map(([where, { known, at, deadWhenPut, by }]) => [
    where,
    known.provider,
    known.fingerprint,
    order(at),
    matters.provisional && deadWhenPut,
    where.startsWith('global') ? by : '',
  ]);
  const identities = [...model.known.values()].map((known) => [known.provider, known.fingerprint, ...standing(known, leases, matters)]);
  const out = [...leases].map(([name, { known, scope }]) => [name, known.fingerprint, known.forgotten, scope]);
  const held = [...waiting].map(([name, { at, stage, credential }]) => [name, credential.fingerprint, stage, order(at)]);
  return JSON.stringify([slots.sort(), identities.sort(), out.sort(), held.sort()]);
}

function places(model: Model): [string, Place][] {
  const found: [string, Place][] = [];
  for (const [session, { places: own }] of model.sessions)
    for (const [provider, place] of own) found.push([`${session} ${provider}`, place]);
  for (const [name, place] of model.globals) found.push([`global ${name}`, place]);
  return found;
}

/** Each ruling in force, and before which of the calls that are out it was sent. */
function standing(known: Known, leases: ReadonlyMap<string, Sent>, { scoped }: Matters): unknown[] {
  const out = [...leases].filter(([, lease]) => lease.known === known).sort(([, a], [, b]) => a.sent - b.sent);
  const before = (sent: number): string[] => out.filter(([, lease]) => sent < lease.sent).map(([name]) => name);
  const ruling = everywhere(known);
  const scopes = scoped ? [...new Set(known.heard.map(({ scope }) => scope))].sort() : [];
  return [
    ruling && [ruling.kind, before(ruling.sent)],
    scopes.map((scope) => {
      const own = here(known, scope);
      return own && [scope, own.kind, before(own.sent)];
    }),
    known.heard.length > 0,
    before(known.forgivenAt),
    out.map(([name]) => name),
  ];
}
