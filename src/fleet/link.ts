import { startTimer } from '../clock.js';
import type { StoreState } from '../ledger/store.js';
import type { Answer, Carrier, CarrierSettings, Message, Name, RecordRef, Stamp, Standing } from './carrier.js';
import type { Arrival } from './delivery.js';
import { HybridClock } from './hybrid-clock.js';
import { StoreError } from './store-error.js';
import type { Wall } from './wall.js';

/** While the store is down it is asked so often. */
const RETRY_MS = 500;
/** Messages that overtake each other come closer together than this. */
const GAP_MS = 20;
/** Records asked for at once. */
const MOST_RECORDS = 200;

export interface LinkOptions {
  readonly carrier: Carrier;
  readonly settings: CarrierSettings;
  readonly wall: Wall;
  /** How often a process looks whether it has missed anything, in milliseconds. */
  readonly syncMs: number;
  readonly onRecords: (records: Answer['records'], how: Arrival) => void;
  /** These were asked for; what is not among the records is not in the store. */
  readonly onFetched: (refs: readonly RecordRef[], records: Answer['records']) => void;
  readonly onReleased: (lock: Name, note: string) => void;
  /** The store is empty, or another than before: everything is to be told again. */
  readonly onReset: () => void;
  /** Numbers were given by a clock that was wrong; none may be greater than this. */
  readonly onStepBack: (greatest: number) => void;
  /** Sends what waits. Never rejects. */
  readonly send: () => Promise<void>;
  /** What this process has a copy of. */
  readonly followed: () => Iterable<RecordRef>;
  readonly isFollowed: (ref: RecordRef) => boolean;
  /** Those of them that the store has not been asked for yet. */
  readonly unloaded: () => Iterable<RecordRef>;
  readonly onState: (state: StoreState, error: StoreError | undefined) => void;
  readonly onSkew: (ms: number) => void;
}

/** Whether the store answers, and whether all that it published has been heard. */
export class Link {
  readonly #options: LinkOptions;
  #state: StoreState | 'starting' = 'starting';
  /** Of the store that answered last; undefined while nothing may be sent. */
  #epoch: string | undefined;
  #lastEpoch: string | undefined;
  /** Everything of that store has been asked for. */
  #isComplete = false;
  /** The store holds a number that cannot be, by its own clock: somebody else wrote it. */
  #isForged = false;
  /** All messages up to this number have been heard, or made up for. */
  #seq = 0;
  #greeting: Promise<void> | undefined;
  #again = false;
  #timer: { cancel(): void } | undefined;
  #gapTimer: { cancel(): void } | undefined;
  #closed = false;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  get state(): StoreState {
    return this.#state === 'up' ? 'up' : 'down';
  }

  /** The number of the message up to which all are known. */
  get seq(): number {
    return this.#isComplete ? this.#seq : 0;
  }

  get epoch(): string | undefined {
    return this.#epoch;
  }

  start(): void {
    const { carrier, settings, onReleased } = this.#options;
    carrier.open(settings, {
      message: (message) => this.#message(message),
      released: (lock, note) => onReleased(lock, note),
      gap: () => this.#soon(),
    });
    void this.greet();
  }

  /** Resolves once the store has answered for the first time, or has not. */
  async ready(): Promise<void> {
    if (this.#state === 'starting') await this.greet();
  }

  /** Asks the store where it stands, and catches up with it. Never rejects. */
  greet(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    if (this.#greeting !== undefined) {
      this.#again = true;
      return this.#greeting;
    }
    this.#timer?.cancel();
    this.#greeting = this.#catchUp()
      .catch((error: unknown) => this.failed(error))
      .finally(() => {
        this.#greeting = undefined;
        const again = this.#again && this.#state === 'up';
        this.#again = false;
        this.#greetLater(again ? 0 : this.#state === 'up' ? this.#options.syncMs : Math.min(this.#options.syncMs, RETRY_MS));
      });
    return this.#greeting;
  }

  /** The store could not be reached, or would not do. */
  failed(error: unknown): void {
    if (this.#closed) return;
    this.#epoch = undefined;
    const known = error instanceof StoreError ? error : new StoreError('STORE_DOWN', 'the store failed', { cause: error });
    const before = this.#state;
    this.#state = 'down';
    if (before !== 'down') {
      this.#options.onState('down', known);
      if (this.#greeting === undefined) this.#greetLater(Math.min(this.#options.syncMs, RETRY_MS));
    }
  }

  /** It stands elsewhere than was thought: nothing is sent until that is known. */
  refused(): void {
    this.#epoch = undefined;
    this.#soon();
  }

  /** Fetches records, and brings them in. @throws {StoreError} */
  async fetch(refs: readonly RecordRef[]): Promise<void> {
    for (let from = 0; from < refs.length; from += MOST_RECORDS) {
      const some = refs.slice(from, from + MOST_RECORDS);
      const answer = await this.#options.carrier.load(some);
      if (this.heard(answer)) this.#options.onFetched(some, answer.records);
    }
  }

  /** An answer of the store's. One from another epoch says only that; returns whether it said more. */
  heard(answer: Answer): boolean {
    if (this.#closed) return false;
    if (answer.epoch !== this.#lastEpoch) {
      this.refused();
      return false;
    }
    if (!this.#isCredible(answer.latest)) {
      this.refused();
      return false;
    }
    this.#options.onRecords(answer.records, 'answer');
    return true;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#epoch = undefined;
    this.#timer?.cancel();
    this.#gapTimer?.cancel();
    await this.#options.carrier.close();
  }

  async #catchUp(): Promise<void> {
    const { carrier, wall, onReset, send, onState } = this.#options;
    const before = wall.own();
    const known = this.#lastEpoch === undefined ? undefined : { epoch: this.#lastEpoch, seq: this.#seq };
    const standing = await carrier.hello(known);
    if (this.#closed) return;
    this.#compareClocks(standing, before);
    const isOther = standing.epoch !== this.#lastEpoch;
    if (isOther) this.#isComplete = false;
    const since = this.#seq;
    this.#epoch = this.#lastEpoch = standing.epoch;
    if (isOther) onReset();
    await send();
    if (this.#epoch === undefined) return;
    await this.#refetch(this.#isComplete ? since : undefined, standing.seq);
    if (this.#epoch === undefined) return;
    this.#seq = this.#isComplete ? Math.max(this.#seq, standing.seq) : standing.seq;
    this.#isComplete = true;
    if (this.#state === 'up') return;
    this.#state = 'up';
    onState('up', undefined);
  }

  /** What has changed since, all of it if that cannot be said, and what was never asked for. */
  async #refetch(since: number | undefined, now: number): Promise<void> {
    const { carrier, followed, isFollowed, unloaded } = this.#options;
    const changed = since === undefined ? undefined : now > since ? await carrier.changedSince(since) : [];
    await this.fetch(changed === undefined ? [...followed()] : [...changed.filter(isFollowed), ...unloaded()]);
  }

  #compareClocks({ now, latest }: Standing, before: number): void {
    const { wall, onSkew, onStepBack } = this.#options;
    const skew = wall.compare(now, before, wall.own());
    if (skew !== undefined) onSkew(skew);
    const greatest = HybridClock.farthest(now);
    if (wall.numbers.last > greatest) {
      const back = Math.max(HybridClock.parse(latest), HybridClock.at(now));
      wall.numbers.stepBack(back);
      onStepBack(back);
    }
    this.#isForged = !wall.believes(HybridClock.parse(latest));
    wall.observe(latest);
  }

  /** If not, this process's clock may have gone wrong since it was compared: nothing is taken in before it has been again. */
  #isCredible(latest: Stamp): boolean {
    if (!this.#isForged && !this.#options.wall.believes(HybridClock.parse(latest))) return false;
    this.#options.wall.observe(latest);
    return true;
  }

  #message(message: Message): void {
    if (this.#closed) return;
    if (message.epoch !== this.#epoch) {
      this.#soon();
      return;
    }
    try {
      if (!this.#isCredible(message.latest)) {
        this.#soon();
        return;
      }
      this.#options.onRecords(message.records, 'message');
      if (message.seq === this.#seq + 1) this.#seq = message.seq;
      else if (message.seq > this.#seq) this.#soon();
    } catch (error) {
      // A clock of the user's that throws, say: what was not brought in is fetched.
      this.failed(error);
    }
  }

  #soon(): void {
    if (this.#closed) return;
    this.#gapTimer ??= startTimer(GAP_MS, () => {
      this.#gapTimer = undefined;
      void this.greet();
    });
  }

  #greetLater(ms: number): void {
    if (this.#closed) return;
    this.#timer?.cancel();
    this.#timer = startTimer(ms, () => void this.greet());
  }
}
