import { randomUUID } from 'node:crypto';
import { type Clock, startTimer } from '../clock.js';
import type { Emitter } from '../events.js';
import type { Block } from '../ledger/block.js';
import { type Choice, isBorrowed } from '../ledger/call.js';
import { type Change, Watchlist } from '../ledger/change.js';
import type { Ledger } from '../ledger/ledger.js';
import { type WorkScope, workKey } from '../ledger/scope-key.js';
import type { Coordinator } from '../ledger/store.js';
import type { Identity } from '../ledger/verdicts.js';
import type { Incident, IncidentEnd } from '../policy/incident.js';
import type { Counters } from '../stats.js';
import type { Announcer } from './announcer.js';
import { type Afflicted, describe, isAbsorbed, type OpenIncident } from './open-incident.js';
import { Telling } from './telling.js';

/** How many scopes an incident names; beyond that it counts them. */
const MOST_NAMED = 1_000;

export interface IncidentLogOptions {
  readonly ledger: Pick<Ledger, 'block' | 'choose'>;
  readonly clock: Clock;
  readonly emitter: Emitter;
  readonly counters: Counters;
  readonly announcer: Announcer;
  /** Decides which process of a fleet tells the reporter; none in a single process. */
  readonly coordinator?: Coordinator | undefined;
  readonly graceMs: number;
  /** An expired credential makes an incident if nothing fresh has come for so many milliseconds. Default: never. */
  readonly expiredAfterMs?: number | undefined;
  /** A credential is being fetched for the scope: that has to fail first. */
  readonly isHopeful?: ((scope: WorkScope) => boolean) | undefined;
  /** How many blocked scopes are remembered, all incidents together. */
  readonly scopes: number;
}

/**
 * The open incidents. One opens when work first meets a block that a rejection caused, and ends when none of the scopes that met it is
 * blocked any more: a scope that goes from one dead credential to another stays in the incident that it is in.
 */
export class IncidentLog {
  readonly #options: IncidentLogOptions;
  readonly #open = new Map<Identity, OpenIncident>();
  readonly #afflicted = new Map<string, Afflicted>();
  readonly #watch = new Watchlist<Afflicted>();
  readonly #telling: Telling;
  #closed = false;

  constructor(options: IncidentLogOptions) {
    this.#options = options;
    this.#telling = new Telling(options.announcer, options.coordinator);
  }

  get size(): number {
    return this.#open.size;
  }

  /** Work has met a block. Opens or joins an incident if a rejection caused it, and returns the incident's id. */
  meet(scope: WorkScope, call: 'sent' | 'unsent'): string | undefined {
    const key = workKey(scope);
    const known = this.#afflicted.get(key);
    if (known === undefined || known.absorbed) {
      const block = this.#options.ledger.block(scope);
      if (this.#closed || block === undefined || !this.#counts(block, scope) || this.#options.isHopeful?.(scope) === true) return undefined;
      const open = known?.incident ?? this.#open.get(block.identity);
      if (known !== undefined || this.#hasRoom(open)) return this.#join(key, scope, known, open, block, call);
      if (call === 'unsent' && open !== undefined) open.suppressed++;
      return open?.id;
    }
    if (call === 'unsent') known.incident.suppressed++;
    return known.incident.id;
  }

  #counts(block: Block, { tenant }: WorkScope): block is Exclude<Block, { reason: 'missing' }> {
    const { clock, expiredAfterMs = Number.POSITIVE_INFINITY } = this.#options;
    if (block.reason === 'expired') {
      const unrefreshable = block.identity.unrefreshable(tenant);
      const isRefused = unrefreshable !== undefined && unrefreshable.until === undefined;
      // Where nothing can come of waiting, nobody does.
      return clock.now() - block.since >= (isRefused ? 0 : expiredAfterMs);
    }
    return block.reason === 'rejected';
  }

  /** Work of a scope was accepted: whatever let it go on, it is not blocked. */
  worked(scope: WorkScope): void {
    if (this.#afflicted.size === 0) return;
    const entry = this.#afflicted.get(workKey(scope));
    const choice = entry === undefined || entry.absorbed ? undefined : this.#freed(scope);
    if (entry !== undefined && choice !== undefined) this.#recovered(entry, isBorrowed(choice, scope) ? 'fallback' : 'proof');
  }

  /** The ledger has changed: scopes that it concerns may be free again, or gone. */
  changed(change: Change): void {
    if (this.#closed) return;
    for (const entry of this.#watch.concernedBy(change)) {
      // A listener to what the last one caused may have freed this one already.
      if (!entry.incident.afflicted.has(entry)) continue;
      if (change.cause === 'evicted') {
        this.#leave(entry, 'evicted');
        continue;
      }
      const choice = this.#freed(entry.scope);
      if (choice !== undefined) this.#recovered(entry, endBy(change, choice, entry.scope));
      else if (this.#options.ledger.block(entry.scope)?.reason === 'missing') this.#leave(entry, 'evicted');
    }
  }

  /** What a scope is free to work with: that a dead credential may be put to the test is no recovery. */
  #freed(scope: WorkScope): Choice | undefined {
    const choice = this.#options.ledger.choose(scope);
    return choice?.probe === true ? undefined : choice;
  }

  snapshot(): Incident[] {
    return [...this.#open.values()].map((incident) => describe(incident));
  }

  /** Resolves when the processes of a fleet have agreed on who tells what has opened or ended here. */
  settled(): Promise<void> {
    return this.#telling.settled();
  }

  close(): void {
    this.#closed = true;
    this.#telling.close();
    for (const incident of this.#open.values()) {
      incident.opening?.cancel();
      incident.ending?.cancel();
    }
  }

  #join(
    key: string,
    scope: WorkScope,
    known: Afflicted | undefined,
    open: OpenIncident | undefined,
    block: Exclude<Block, { reason: 'missing' }>,
    call: 'sent' | 'unsent',
  ): string {
    const incident = open ?? this.#begin(block);
    if (known === undefined) this.#add({ key, scope: scope.lasting(0), incident, absorbed: false });
    else known.absorbed = false;
    incident.ending?.cancel();
    incident.ending = undefined;
    if (call === 'unsent') incident.suppressed++;

    const { emitter, graceMs } = this.#options;
    if (open === undefined) emitter.emit('incident', () => ({ incident: describe(incident) }));
    // A listener may have brought fresh auth: then it is over before anybody else has heard of it.
    if (this.#open.get(incident.identity) !== incident) return incident.id;
    emitter.emit('blocked', () => ({
      scope: scope.parts,
      fingerprint: block.identity.fingerprint,
      incident: incident.id,
      status: block.status,
    }));
    if (open === undefined && graceMs > 0) incident.opening = startTimer(graceMs, () => this.#graceOver(incident));
    // One that was absorbed when its grace ran out is told when that turns out not to hold.
    else if (incident.opening === undefined) this.#telling.opened(incident);
    return incident.id;
  }

  #begin(block: Exclude<Block, { reason: 'missing' }>): OpenIncident {
    const incident: OpenIncident = {
      id: randomUUID(),
      identity: block.identity,
      status: block.status,
      openedAt: this.#options.clock.now(),
      named: [],
      afflicted: new Set(),
      scopeCount: 0,
      suppressed: 0,
      announcement: { how: 'pending' },
      announcing: false,
      over: undefined,
      opening: undefined,
      ending: undefined,
      end: undefined,
    };
    this.#open.set(block.identity, incident);
    this.#options.counters.incidents++;
    this.#options.announcer.noteOpened(describe(incident));
    return incident;
  }

  #add(entry: Afflicted): void {
    const { incident, scope } = entry;
    incident.afflicted.add(entry);
    incident.scopeCount++;
    if (incident.named.length < MOST_NAMED) incident.named.push(scope.parts);
    this.#afflicted.set(entry.key, entry);
    this.#watch.add(entry);
  }

  /**
   * Beyond the limit an incident only counts, and a new one takes the place of a scope whose incident has others; if there is none, so many
   * are open that one more goes untold. Nothing that is still blocked ever ends an incident by being pushed out.
   */
  #hasRoom(open: OpenIncident | undefined): boolean {
    if (this.#afflicted.size < this.#options.scopes) return true;
    if (open !== undefined || this.#open.size >= this.#afflicted.size) return false;
    for (const entry of this.#afflicted.values()) {
      if (entry.incident.afflicted.size === 1) continue;
      entry.incident.afflicted.delete(entry);
      this.#afflicted.delete(entry.key);
      this.#watch.delete(entry);
      this.#awaitAbsorption(entry.incident);
      return true;
    }
    return false;
  }

  #graceOver(incident: OpenIncident): void {
    incident.opening = undefined;
    if (!isAbsorbed(incident)) this.#telling.opened(incident);
  }

  #recovered(entry: Afflicted, end: IncidentEnd): void {
    if (end !== 'fallback' || this.#options.graceMs === 0) {
      this.#leave(entry, end);
      return;
    }
    if (!entry.absorbed) this.#resumed(entry, end);
    entry.absorbed = true;
    this.#awaitAbsorption(entry.incident);
  }

  #leave(entry: Afflicted, end: IncidentEnd): void {
    const { incident } = entry;
    if (!incident.afflicted.delete(entry)) return;
    this.#afflicted.delete(entry.key);
    this.#watch.delete(entry);
    if (!entry.absorbed) this.#resumed(entry, end);
    if (end !== 'evicted') incident.end = end;
    if (incident.afflicted.size === 0) this.#finish(incident);
    else this.#awaitAbsorption(incident);
  }

  #resumed(entry: Afflicted, end: IncidentEnd): void {
    this.#options.emitter.emit('resumed', () => ({ scope: entry.scope.parts, incident: entry.incident.id, end }));
  }

  /** Once every scope borrows, the incident ends unless what they borrow dies within the grace. */
  #awaitAbsorption(incident: OpenIncident): void {
    if (!isAbsorbed(incident) || incident.ending !== undefined) return;
    incident.ending = startTimer(this.#options.graceMs, () => {
      incident.ending = undefined;
      for (const entry of [...incident.afflicted]) {
        // One that is blocked again joins again when its work meets that.
        if (this.#freed(entry.scope) !== undefined) this.#leave(entry, 'fallback');
      }
    });
  }

  #finish(incident: OpenIncident): void {
    this.#open.delete(incident.identity);
    incident.opening?.cancel();
    incident.ending?.cancel();
    const end = incident.end ?? 'evicted';
    const ended: Incident = { ...describe(incident), endedAt: this.#options.clock.now(), end };
    if (end !== 'evicted') this.#options.emitter.emit('recovered', () => ({ incident: ended }));
    this.#telling.ended(incident, ended);
  }
}

function endBy(change: Change, choice: Choice, scope: WorkScope): IncidentEnd {
  if (change.cause === 'proven' || change.cause === 'forgiven') return 'proof';
  // Once a gateway's own credential is taken away, what is there instead is not fresh.
  const isFallback = isBorrowed(choice, scope) || (change.cause === 'pinned' && choice.source !== 'pinned');
  return isFallback ? 'fallback' : 'fresh';
}
