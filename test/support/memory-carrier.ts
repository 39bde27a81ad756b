import type { Clock } from '../../src/clock.js';
import type { Carrier, CarrierListener, Message, Name, RecordRef, StoredRecord } from '../../src/fleet/carrier.js';
import { StoreError } from '../../src/fleet/store-error.js';
import { Server } from './memory-carrier/server.js';

/** What a process is about to hear. */
type Inbound =
  | { readonly kind: 'message'; readonly message: Message }
  | { readonly kind: 'released'; readonly lock: Name; readonly note: string }
  | { readonly kind: 'gap' };

/** A process's way to a `MemoryStore`, with everything that can go wrong on it in the test's hands. */
export interface MemoryCarrier extends Carrier {
  /** True: what is published is heard in the next microtask. False: the test decides, by `deliver` and `drop`. */
  auto: boolean;
  /** This process alone is cut off: its calls fail, what is published meanwhile is lost; coming back is a `gap`. */
  down: boolean;
  /** What this process asks for is done, and the answer does not arrive. */
  losesAnswers: boolean;
  /** What was published and not heard yet, oldest first. */
  readonly pending: readonly Inbound[];
  /** Hears the one at `index`, the oldest unless told. */
  deliver(index?: number): void;
  deliverAll(): void;
  /** It is on its way once more. */
  duplicate(index?: number): void;
  drop(index?: number): void;
}

/** A store that several processes share, without a server: the twin of what the Redis carrier does there, on a clock of the test's. */
export class MemoryStore {
  readonly #options: { readonly clock: Clock; readonly logLength: number };
  readonly #carriers = new Set<Way>();
  #server: Server;
  #epochs = 0;
  #down = false;

  /** `logLength`: how many records `changedSince` remembers. */
  constructor(options: { readonly clock: Clock; readonly logLength?: number }) {
    this.#options = { logLength: 100_000, ...options };
    this.#server = this.#empty();
  }

  /** Every call fails with `STORE_DOWN`; when it is back everybody hears of a gap. */
  get down(): boolean {
    return this.#down;
  }

  set down(down: boolean) {
    const back = this.#down && !down;
    this.#down = down;
    if (back) this.#gap();
  }

  now(): number {
    return this.#options.clock.now();
  }

  /** Another process. */
  carrier(): MemoryCarrier {
    const way = new Way(
      () => this.#server,
      () => this.#down,
      () => this.#carriers.delete(way),
    );
    this.#carriers.add(way);
    return way;
  }

  /** Started again, with nothing in it. */
  reset(): void {
    this.#server = this.#empty();
    if (!this.#down) this.#gap();
  }

  /** Remembers how it is; the function puts it back to that, as from a backup. */
  save(): () => void {
    const restore = this.#server.save();
    return () => {
      restore();
      if (!this.#down) this.#gap();
    };
  }

  /** Short of memory, it has dropped a record. */
  lose({ kind, name }: RecordRef): void {
    this.#server.records.lose(kind, name);
  }

  /** As if somebody else had written it. */
  write({ kind, name }: RecordRef, field: string, text: string): void {
    this.#server.records.set(kind, name, field, text);
  }

  /** Every record, by kind and name. */
  dump(): StoredRecord[] {
    const key = ({ kind, name }: StoredRecord): string => `${kind}:${name}`;
    return this.#server.records.all().sort((a, b) => (key(a) < key(b) ? -1 : 1));
  }

  #empty(): Server {
    const publish = (inbound: Inbound): void => {
      for (const carrier of this.#carriers) carrier.hear(inbound);
    };
    return new Server(this.#options.clock, this.#options.logLength, `epoch ${++this.#epochs}`, {
      message: (message) => publish({ kind: 'message', message }),
      released: (lock, note) => publish({ kind: 'released', lock, note }),
    });
  }

  #gap(): void {
    for (const carrier of this.#carriers) carrier.hear({ kind: 'gap' });
  }
}

class Way implements MemoryCarrier {
  auto = true;
  losesAnswers = false;
  readonly pending: Inbound[] = [];
  readonly #server: () => Server;
  readonly #storeDown: () => boolean;
  readonly #onClose: () => void;
  #listener: CarrierListener | undefined;
  #idleMs = 24 * 3_600_000;
  #down = false;
  #closed = false;

  constructor(server: () => Server, storeDown: () => boolean, onClose: () => void) {
    this.#server = server;
    this.#storeDown = storeDown;
    this.#onClose = onClose;
  }

  get down(): boolean {
    return this.#down;
  }

  set down(down: boolean) {
    const back = this.#down && !down;
    this.#down = down;
    if (back) this.hear({ kind: 'gap' });
  }

  open(settings: { readonly idleMs: number }, listener: CarrierListener): void {
    this.#idleMs = settings.idleMs;
    this.#listener = listener;
    this.hear({ kind: 'gap' });
  }

  hello: Carrier['hello'] = (known) => this.#ask((server) => server.standing(known));
  push: Carrier['push'] = (epoch, changes, now, latest, heard = 0) =>
    this.#ask((server) => server.push(epoch, changes, now, latest, this.#idleMs, heard));
  load: Carrier['load'] = (wanted) => this.#ask((server) => server.load(wanted));
  changedSince: Carrier['changedSince'] = (seq) => this.#ask((server) => server.changedSince(seq));
  lock: Carrier['lock'] = (lock, owner, ms) => this.#ask((server) => server.lock(lock, owner, ms));
  unlock: Carrier['unlock'] = (lock, owner, note) => this.#ask((server) => server.unlock(lock, owner, note));
  enter: Carrier['enter'] = (group, member, tag, ms) => this.#ask((server) => server.enter(group, member, tag, ms));
  leave: Carrier['leave'] = (group, member) => this.#ask((server) => server.leave(group, member));

  async close(): Promise<void> {
    this.#closed = true;
    this.pending.length = 0;
    this.#onClose();
  }

  hear(inbound: Inbound): void {
    if (this.#closed || this.#listener === undefined || this.#down || this.#storeDown()) return;
    this.pending.push(inbound);
    if (!this.auto) return;
    queueMicrotask(() => {
      const index = this.pending.indexOf(inbound);
      if (this.auto && index >= 0) this.deliver(index);
    });
  }

  deliver(index = 0): void {
    const inbound = this.#take(index);
    if (inbound.kind === 'gap') this.#listener?.gap();
    else if (inbound.kind === 'released') this.#listener?.released(inbound.lock, inbound.note);
    else this.#listener?.message(structuredClone(inbound.message));
  }

  deliverAll(): void {
    while (this.pending.length > 0) this.deliver();
  }

  duplicate(index = 0): void {
    this.pending.push({ ...this.#at(index) });
  }

  drop(index = 0): void {
    this.#take(index);
  }

  #at(index: number): Inbound {
    const inbound = this.pending[index];
    if (inbound === undefined) throw new RangeError(`nothing is pending at ${index}`);
    return inbound;
  }

  #take(index: number): Inbound {
    const inbound = this.#at(index);
    this.pending.splice(index, 1);
    return inbound;
  }

  async #ask<T>(ask: (server: Server) => T): Promise<T> {
    if (this.#closed) throw new StoreError('STORE_DOWN', 'the way to the store is closed');
    if (this.#down || this.#storeDown()) throw new StoreError('STORE_DOWN', 'the store is down');
    const answer = structuredClone(ask(this.#server()));
    await Promise.resolve();
    if (this.losesAnswers) throw new StoreError('STORE_DOWN', 'the answer was lost');
    return answer;
  }
}
