import { startTimer } from '../clock.js';
import type { LatchkeyEventName, LatchkeyListener } from '../events.js';
import type { Scope } from '../ledger/scope-key.js';
import type { Attempt } from './job.js';
import type { RunOptions } from './run-options.js';

/**
 * What an idle loop needs of a Latchkey.
 * @inline
 */
interface Gate {
  canRun(scope: Scope): boolean;
  isLoaded?(scope: Scope): boolean;
  load?(scopes: readonly Scope[]): Promise<void>;
  run<T>(scope: Scope, attempt: Attempt<T>, options?: RunOptions): Promise<T | undefined>;
  on<Name extends LatchkeyEventName>(event: Name, listener: LatchkeyListener<Name>): () => void;
}

/** What a task gets beside its item. */
export interface IdleTask {
  /** `latchkey.run` for the item's scope; a blocked scope resolves with undefined unless `whenBlocked` says otherwise. */
  run<T>(attempt: Attempt<T>, options?: RunOptions): Promise<T | undefined>;
  /** Aborts when the loop stops and the task has had its time. */
  readonly signal: AbortSignal;
}

/** Options of `createIdleLoop`. */
export interface IdleLoopOptions<T> {
  /** From one tick to the next, in milliseconds. A tick is left out while one before it still hands out its work. */
  readonly everyMs: number;
  /** Asked anew at each tick, and drawn from as places come free. */
  readonly items: () => Iterable<T>;
  /** Whose work an item is. */
  readonly scope: (item: T) => Scope;
  /** What may not run twice at once. Default: the scope. */
  readonly key?: ((item: T) => string) | undefined;
  /** Does the work of one item; what it throws is counted, and told to `onError`. */
  readonly task: (item: T, context: IdleTask) => Promise<unknown>;
  /** Tasks at once, asked whenever a place comes free. Default 4. */
  readonly concurrency?: number | (() => number) | undefined;
  /** Work that was skipped because its scope was blocked starts at once when fresh auth arrives, not at the next tick. Default false. */
  readonly wakeOnFreshAuth?: boolean | undefined;
  /** Hears what a task threw (or, without an item, `items` itself); the loop goes on. Default: it is only counted. */
  readonly onError?: ((error: unknown, item: T | undefined) => void) | undefined;
}

/** What became of a tick's items. */
export interface TickSummary {
  readonly done: number;
  readonly failed: number;
  /** Their scope was blocked: nothing was prepared, nothing sent. */
  readonly blocked: number;
  /** Their key was at work already. */
  readonly busy: number;
}

/** What `createIdleLoop` gives. Nothing ticks before `start()`. */
export interface IdleLoop {
  /** Ticks every `everyMs`, the first time after that long. Does nothing if it runs. */
  start(): void;
  /** One tick now; resolves when its tasks are through. Never rejects for what a task does. */
  tick(): Promise<TickSummary>;
  /** Whether an item with this key is at work. */
  busy(key: string): boolean;
  /** No more ticks; waits for what is at work, `timeoutMs` (default 5 s) at the most, then aborts it. */
  stop(options?: { readonly timeoutMs?: number | undefined }): Promise<void>;
}

const DEFAULT_CONCURRENCY = 4;
const DEFAULT_STOP_MS = 5_000;
const NAMES = ['everyMs', 'items', 'scope', 'key', 'task', 'concurrency', 'wakeOnFreshAuth', 'onError'];

/**
 * A loop over idle sessions that asks, before anything is prepared, whether a session's work has a credential to be done with.
 * @throws {TypeError} for an option that is unknown or malformed.
 */
export function createIdleLoop<T>(latchkey: Gate, options: IdleLoopOptions<T>): IdleLoop {
  checkOptions(options);
  return new Loop(latchkey, options);
}

class Loop<T> implements IdleLoop {
  readonly #latchkey: Gate;
  readonly #options: IdleLoopOptions<T>;
  readonly #working = new Set<string>();
  /** Keys that were skipped because they were blocked, since the last tick began. */
  #blocked = new Set<string>();
  /** Keys whose block work is meeting now: it may wait for a refresh. */
  readonly #meeting = new Set<string>();
  #started = false;
  #handingOut = 0;
  #timer: { cancel(): void } | undefined = undefined;
  #waking: { cancel(): void } | undefined = undefined;
  /** Ends the tasks, and before them the handing out of more. */
  #controller = new AbortController();
  #drawing = new AbortController();
  #unlisten: (() => void)[] = [];
  /** Called when a task is through. */
  readonly #onPlace = new Set<() => void>();

  constructor(latchkey: Gate, options: IdleLoopOptions<T>) {
    this.#latchkey = latchkey;
    this.#options = options;
  }

  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#controller = new AbortController();
    this.#drawing = new AbortController();
    if (this.#options.wakeOnFreshAuth) {
      const wake = (): void => this.#wakeSoon();
      this.#unlisten = [this.#latchkey.on('captured', wake), this.#latchkey.on('resumed', wake)];
    }
    this.#schedule();
  }

  async tick(): Promise<TickSummary> {
    this.#blocked = new Set();
    return this.#handOut((scope, key, summary) => {
      if (this.#latchkey.canRun(scope)) return true;
      this.#blocked.add(key);
      summary.blocked++;
      this.#meet(scope, key);
      return false;
    });
  }

  /** Work has met a block: it is counted, and told if it is the first to. A refresh that helps has it start at once. */
  #meet(scope: Scope, key: string): void {
    if (this.#meeting.has(key)) return;
    const { signal } = this.#controller;
    const met = this.#latchkey.run(scope, sendNothing, { whenBlocked: 'skip', signal });
    this.#meeting.add(key);
    met
      .then(() => {
        if (this.#latchkey.canRun(scope)) this.#wakeSoon();
      })
      .catch(() => {})
      .finally(() => this.#meeting.delete(key));
  }

  busy(key: string): boolean {
    return this.#working.has(key);
  }

  async stop({ timeoutMs = DEFAULT_STOP_MS }: { readonly timeoutMs?: number | undefined } = {}): Promise<void> {
    this.#started = false;
    this.#timer?.cancel();
    this.#waking?.cancel();
    this.#waking = undefined;
    this.#drawing.abort();
    this.#freePlace();
    for (const unlisten of this.#unlisten) unlisten();
    this.#unlisten = [];
    const controller = this.#controller;
    let late = false;
    const timer = startTimer(timeoutMs, () => {
      late = true;
      this.#freePlace();
    });
    while (this.#working.size > 0 && !late) await this.#place();
    timer.cancel();
    controller.abort(new DOMException('the idle loop was stopped', 'AbortError'));
    this.#freePlace();
  }

  #schedule(): void {
    this.#timer = startTimer(this.#options.everyMs, () => {
      this.#schedule();
      // One that is still handing out its work is not overtaken by the next.
      if (this.#handingOut === 0) this.#inBackground(this.tick());
    });
  }

  /** Fresh auth: what was skipped is due, and what can run of it starts now. Several at once are one. */
  #wakeSoon(): void {
    if (!this.#started || this.#blocked.size === 0) return;
    this.#waking ??= startTimer(0, () => {
      this.#waking = undefined;
      this.#inBackground(
        this.#handOut((scope, key) => this.#blocked.has(key) && this.#latchkey.canRun(scope) && this.#blocked.delete(key)),
      );
    });
  }

  /** Draws items one by one, each when there is a place for it, and starts those that are wanted. */
  async #handOut(isWanted: (scope: Scope, key: string, summary: Counts) => boolean): Promise<TickSummary> {
    const { signal } = this.#controller;
    const drawing = this.#drawing.signal;
    const summary: Counts = { done: 0, failed: 0, blocked: 0, busy: 0 };
    const tasks: Promise<void>[] = [];
    this.#handingOut++;
    try {
      for (const item of drawing.aborted ? [] : this.#options.items()) {
        while (this.#working.size >= this.#concurrency() && !drawing.aborted) await this.#place();
        if (drawing.aborted) break;
        try {
          const scope = this.#options.scope(item);
          const key = this.#options.key?.(item) ?? keyOf(scope);
          // One that captures nothing itself has to ask what others captured.
          if (this.#latchkey.isLoaded?.(scope) === false && !this.#latchkey.canRun(scope)) await this.#latchkey.load?.([scope]);
          if (drawing.aborted) break;
          if (this.#working.has(key)) summary.busy++;
          else if (isWanted(scope, key, summary)) tasks.push(this.#work(item, scope, key, signal, summary));
        } catch (error) {
          this.#failed(error, item, summary);
        }
      }
    } finally {
      this.#handingOut--;
    }
    await Promise.all(tasks);
    return summary;
  }

  async #work(item: T, scope: Scope, key: string, signal: AbortSignal, summary: Counts): Promise<void> {
    this.#working.add(key);
    try {
      const run = <R>(attempt: Attempt<R>, options: RunOptions = {}): Promise<R | undefined> =>
        this.#latchkey.run(scope, attempt, { whenBlocked: 'skip', signal, ...options });
      await this.#options.task(item, { run, signal });
      summary.done++;
    } catch (error) {
      this.#failed(error, item, summary);
    } finally {
      this.#working.delete(key);
      this.#freePlace();
    }
  }

  #failed(error: unknown, item: T | undefined, summary?: Counts): void {
    if (summary !== undefined) summary.failed++;
    try {
      this.#options.onError?.(error, item);
    } catch {
      // Whoever hears of failures must not be one.
    }
  }

  #inBackground(work: Promise<unknown>): void {
    work.catch((error: unknown) => this.#failed(error, undefined));
  }

  #concurrency(): number {
    const { concurrency = DEFAULT_CONCURRENCY } = this.#options;
    const asked = typeof concurrency === 'function' ? concurrency() : concurrency;
    // What is no number would let nothing through for ever.
    return Number.isNaN(asked) ? 1 : Math.max(asked, 1);
  }

  #place(): Promise<void> {
    return new Promise((resolve) => this.#onPlace.add(resolve));
  }

  #freePlace(): void {
    const waiting = [...this.#onPlace];
    this.#onPlace.clear();
    for (const proceed of waiting) proceed();
  }
}

type Counts = { -readonly [Name in keyof TickSummary]: TickSummary[Name] };

const sendNothing: Attempt<undefined> = (_, context) => context.unused() as undefined;

function keyOf(scope: Scope): string {
  if (typeof scope === 'string') return scope;
  const { tenant, session, provider, purpose } = scope;
  // However a session alone is written, it is one key.
  if (session !== undefined && tenant === undefined && provider === undefined && purpose === undefined) return session;
  return `\0${JSON.stringify([tenant, session, provider, purpose])}`;
}

function checkOptions(options: object): void {
  if (typeof options !== 'object' || options === null) throw new TypeError('createIdleLoop: `options` must be an object');
  for (const name of Object.keys(options)) if (!NAMES.includes(name)) throw new TypeError(`createIdleLoop: unknown option \`${name}\``);
  const { everyMs, concurrency, items, scope, key, task, onError } = options as Record<string, unknown>;
  if (typeof everyMs !== 'number' || !(everyMs > 0))
    throw new TypeError('createIdleLoop: `everyMs` must be a number of milliseconds above 0');
  if (concurrency !== undefined && typeof concurrency !== 'function' && !(typeof concurrency === 'number' && concurrency >= 1)) {
    throw new TypeError('createIdleLoop: `concurrency` must be a number, 1 or more, or a function that gives one');
  }
  const required = { items, scope, task };
  for (const [name, value] of Object.entries({ ...required, key, onError })) {
    if (typeof value !== 'function' && (value !== undefined || name in required))
      throw new TypeError(`createIdleLoop: \`${name}\` must be a function`);
  }
}
