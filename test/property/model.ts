import type { Credential } from '../../src/index.js';
import { everywhere, here, Known, type Learnt } from './hearsay.js';

/** A second, slow telling of the rules, kept apart from the code that it checks: outcomes are a list, and all else is derived from it. */
export interface ModelScope {
  readonly tenant?: string;
  readonly session?: string;
  readonly provider?: string;
  readonly purpose?: string;
}

export interface Place {
  known: Known;
  at: number;
  deadWhenPut: boolean;
  by: string;
}

export interface Presentation {
  readonly scope: ModelScope;
  readonly credential: Credential;
  readonly at: number;
  stage: 'waiting' | 'installed' | 'discarded' | 'dropped';
  known: Known | undefined;
}

export interface Sent {
  readonly known: Known;
  readonly scope: ModelScope;
  readonly sent: number;
  readonly source: 'pinned' | 'session' | 'global';
}

export interface ModelRules {
  readonly now: () => number;
  /** Whether a session may borrow. */
  readonly lends?: boolean;
}

const name = (...parts: (string | undefined)[]): string => JSON.stringify(parts.map((part) => part ?? null));
const whose = ({ tenant, session, purpose }: ModelScope): string => name(tenant, session, purpose);
const owner = ({ tenant, session }: ModelScope): string => name(tenant, session);

export class Model {
  readonly #rules: ModelRules;
  #number = 0;
  readonly known = new Map<string, Known>();
  /** By tenant and session, then by provider. */
  readonly sessions = new Map<string, { tenant: string | undefined; places: Map<string | undefined, Place> }>();
  readonly globals = new Map<string, Place>();
  readonly #pins = new Map<string, Known>();
  readonly #waiting = new Set<Presentation>();
  /** When a call was made, by its number; nobody looks at the time for a credential without a hint. */
  readonly #sentAt = new Map<number, number>();

  constructor(rules: ModelRules) {
    this.#rules = rules;
  }

  next(): number {
    return ++this.#number;
  }

  arrive(scope: ModelScope, credential: Credential): Presentation {
    const presentation: Presentation = { scope, credential, at: this.next(), stage: 'waiting', known: undefined };
    this.#waiting.add(presentation);
    this.#sentAt.set(presentation.at, this.#rules.now());
    return presentation;
  }

  /** Returns whether the presenter's slot points elsewhere now. */
  install(presentation: Presentation): boolean {
    if (presentation.stage !== 'waiting') return false;
    const { scope, credential } = presentation;
    const known = this.#of(scope.provider, credential.fingerprint);
    if (credential.expiresAt !== undefined) known.hint = credential.expiresAt;
    presentation.stage = 'installed';
    presentation.known = known;
    this.#waiting.delete(presentation);
    let session = this.sessions.get(owner(scope));
    if (session === undefined) {
      session = { tenant: scope.tenant, places: new Map() };
      this.sessions.set(owner(scope), session);
    }
    const own = this.#put(session.places, scope.provider, known, presentation);
    const global = this.#put(this.globals, name(scope.tenant, scope.provider), known, presentation);
    return scope.session === undefined ? global : own;
  }

  discard(presentation: Presentation): void {
    if (presentation.stage !== 'waiting') return;
    presentation.stage = 'discarded';
    this.#waiting.delete(presentation);
  }

  /** What is judged by the outcome of the client's own request. */
  knownOf(presentation: Presentation): Known | undefined {
    if (presentation.stage === 'installed') return presentation.known;
    const { provider } = presentation.scope;
    const { fingerprint } = presentation.credential;
    return this.find(provider, fingerprint) ?? (presentation.stage === 'dropped' ? undefined : this.#of(provider, fingerprint));
  }

  find(provider: string | undefined, fingerprint: string): Known | undefined {
    return this.known.get(name(provider, fingerprint));
  }

  send(scope: ModelScope): Sent | undefined {
    const choice = this.choose(scope);
    if (choice === undefined) return undefined;
    const sent = this.next();
    if (choice.known.hint !== undefined) this.#sentAt.set(sent, this.#rules.now());
    return { ...choice, scope, sent };
  }

  /** Whether work of this scope may be done with it now. */
  usable(known: Known, scope: ModelScope): boolean {
    const now = this.#rules.now();
    const ruling = everywhere(known);
    if (ruling?.kind === 'rejected') return false;
    if (ruling?.kind === 'held' && now < ruling.until) return false;
    if (this.#expired(known)) return false;
    return here(known, whose(scope))?.kind !== 'rejected for scope';
  }

  /** The verdict's state, as this scope sees it. */
  state(known: Known, scope: ModelScope): string {
    const ruling = everywhere(known);
    if (ruling?.kind === 'rejected') return 'rejected identity';
    if (here(known, whose(scope))?.kind === 'rejected for scope') return 'rejected scope';
    if (ruling === undefined || (ruling.kind === 'held' && this.#rules.now() >= ruling.until)) return 'unproven';
    return ruling.kind;
  }

  choose(scope: ModelScope): { known: Known; source: Sent['source'] } | undefined {
    const { tenant, session, provider, purpose } = scope;
    const pin = this.#pins.get(name(tenant, provider, purpose)) ?? this.#pins.get(name(tenant, provider, undefined));
    if (pin !== undefined) return this.usable(pin, scope) ? { known: pin, source: 'pinned' } : undefined;
    const own = session === undefined ? undefined : this.sessions.get(owner(scope))?.places.get(provider)?.known;
    if (own !== undefined && this.usable(own, scope)) return { known: own, source: 'session' };
    const global = this.globals.get(name(tenant, provider))?.known;
    if (global === undefined || !this.usable(global, scope)) return undefined;
    return session === undefined || this.#rules.lends !== false ? { known: global, source: 'global' } : undefined;
  }

  /** Of the candidates of a scope that can use none, the one whose rejection came last. */
  lastToFall(scope: ModelScope): Known | undefined {
    const { tenant, session, provider } = scope;
    const own = session === undefined ? undefined : this.sessions.get(owner(scope))?.places.get(provider)?.known;
    const global = session === undefined || this.#rules.lends !== false ? this.globals.get(name(tenant, provider))?.known : undefined;
    const fell = (known: Known): number => {
      const ruling = everywhere(known);
      return (ruling?.kind === 'rejected' ? ruling : here(known, whose(scope)))?.order ?? 0;
    };
    const candidates = [own, global].filter((known) => known !== undefined);
    return candidates.sort((a, b) => fell(b) - fell(a))[0];
  }

  /** Whether the scope has any candidate, usable or not. */
  hasCandidate({ tenant, session, provider, purpose }: ModelScope): boolean {
    return (
      this.#pins.has(name(tenant, provider, purpose)) ||
      this.#pins.has(name(tenant, provider, undefined)) ||
      ((session === undefined || this.#rules.lends !== false) && this.globals.has(name(tenant, provider))) ||
      (session !== undefined && this.sessions.get(name(tenant, session))?.places.has(provider) === true)
    );
  }

  hear(call: { known: Known; scope: ModelScope; sent: number }, learnt: Learnt, clientsOwn = false): void {
    const { known, scope, sent } = call;
    if (learnt === 'nothing' || known.forgotten || (clientsOwn && learnt === 'rejected for scope')) return;
    if (sent < known.forgivenAt) return;
    const now = this.#rules.now();
    const held = typeof learnt === 'object';
    const heard = {
      sent,
      kind: held ? ('held' as const) : learnt,
      scope: whose(scope),
      until: held ? now + learnt.holdMs : 0,
      order: this.next(),
    };
    known.heard.push(heard);
    // What was sent before the end, and answered after it, says nothing of it.
    if (learnt !== 'accepted' || known.hint === undefined || (this.#sentAt.get(sent) ?? 0) < known.hint) return;
    if (everywhere(known) === heard) known.voided = known.hint;
  }

  forgive(known: Known): void {
    known.heard = [];
    known.forgivenAt = this.next();
  }

  forgiveScope(scope: ModelScope): void {
    const { tenant, session, provider, purpose } = scope;
    const pin = this.#pins.get(name(tenant, provider, purpose)) ?? this.#pins.get(name(tenant, provider, undefined));
    const own = session === undefined ? undefined : this.sessions.get(owner(scope))?.places.get(provider)?.known;
    const global = session === undefined || this.#rules.lends !== false ? this.globals.get(name(tenant, provider))?.known : undefined;
    const candidates = pin !== undefined ? [pin] : [own, global].filter((known) => known !== undefined);
    for (const known of new Set(candidates)) this.forgive(known);
  }

  pin(scope: ModelScope, credential: Credential): () => void {
    const known = this.#of(scope.provider, credential.fingerprint);
    if (credential.expiresAt !== undefined) known.hint = credential.expiresAt;
    this.forgive(known);
    const key = name(scope.tenant, scope.provider, scope.purpose);
    this.#pins.set(key, known);
    const token = (this.#pinTokens.get(key) ?? 0) + 1;
    this.#pinTokens.set(key, token);
    return () => {
      if (this.#pinTokens.get(key) === token) this.#pins.delete(key);
    };
  }

  readonly #pinTokens = new Map<string, number>();

  evict(tenant: string | undefined, session: string | undefined): void {
    const key = name(tenant, session);
    for (const presentation of this.#waiting) if (owner(presentation.scope) === key) this.#drop(presentation);
    const places = this.sessions.get(key)?.places;
    if (places === undefined) return;
    this.sessions.delete(key);
    for (const [provider, place] of places) {
      const global = this.globals.get(name(tenant, provider));
      if (global !== undefined && [key, 'gone'].includes(global.by) && !this.#isPresented(tenant, provider, global.known)) {
        this.globals.delete(name(tenant, provider));
        this.#letGo(global.known);
      } else if (global?.by === key) {
        global.by = 'gone';
      }
      this.#letGo(place.known);
    }
  }

  evictTenant(tenant: string | undefined): void {
    for (const presentation of this.#waiting) if (presentation.scope.tenant === tenant) this.#drop(presentation);
    for (const [key, session] of [...this.sessions]) {
      if (session.tenant === tenant) this.evict(tenant, (JSON.parse(key) as (string | null)[])[1] ?? undefined);
    }
  }

  #put<K>(places: Map<K, Place>, key: K, known: Known, { at, scope }: Presentation): boolean {
    const dead = this.#dead(known);
    const by = owner(scope);
    const place = places.get(key);
    if (place === undefined) {
      places.set(key, { known, at, deadWhenPut: dead, by });
      return true;
    }
    if (place.known === known) {
      place.by = by;
      if (!dead && at > place.at) {
        place.at = at;
        place.deadWhenPut = false;
      }
      return false;
    }
    const there = this.#dead(place.known);
    // A dead one never displaces one that is not; otherwise the newest arrival has the place, except that what was dead when it came
    // and still is only kept it warm.
    const wins = dead ? there && at > place.at : at > place.at || (there && place.deadWhenPut);
    if (wins) places.set(key, { known, at, deadWhenPut: dead, by });
    return wins;
  }

  #expired(known: Known): boolean {
    return known.hint !== undefined && known.hint !== known.voided && this.#rules.now() >= known.hint;
  }

  #dead(known: Known): boolean {
    return everywhere(known)?.kind === 'rejected' || this.#expired(known);
  }

  #of(provider: string | undefined, fingerprint: string): Known {
    const key = name(provider, fingerprint);
    let known = this.known.get(key);
    if (known === undefined) {
      known = new Known(provider, fingerprint);
      this.known.set(key, known);
    }
    return known;
  }

  #isPresented(tenant: string | undefined, provider: string | undefined, known: Known): boolean {
    return [...this.sessions.values()].some((session) => session.tenant === tenant && session.places.get(provider)?.known === known);
  }

  /** What no slot holds any more because its session went, and of which nothing was heard, is forgotten. */
  #letGo(known: Known): void {
    const held =
      [...this.sessions.values()].some(({ places }) => [...places.values()].some((place) => place.known === known)) ||
      [...this.globals.values()].some((place) => place.known === known) ||
      [...this.#pins.values()].includes(known);
    if (held || known.heard.length > 0) return;
    known.forgotten = true;
    this.known.delete(name(known.provider, known.fingerprint));
  }

  #drop(presentation: Presentation): void {
    presentation.stage = 'dropped';
    this.#waiting.delete(presentation);
  }
}
