import { randomBytes } from 'node:crypto';
import type {
  Answer,
  Carrier,
  CarrierListener,
  CarrierSettings,
  Name,
  RecordRef,
  Refusal,
  Stamp,
  Standing,
  StoreChange,
} from '../../fleet/carrier.js';
import { StoreError } from '../../fleet/store-error.js';
import type { Driver } from './client.js';
import { Commands } from './commands.js';
import { SCRIPTS, type Script } from './scripts.js';
import { HEARTBEAT_MS, Subscription } from './subscription.js';
import { letterOf, readAnswer, readGroup, readLock, readPublished, readRefs, wholeMs, writeChanges } from './wire.js';

export interface RedisCarrierOptions {
  readonly driver: Driver;
  readonly namespace: string;
  /** How long one command may take, in milliseconds. */
  readonly commandMs: number;
  /** How many records `changedSince` remembers. Default 100,000. */
  readonly logLength?: number | undefined;
  /** How often the connection that listens is asked whether it is still there, in milliseconds. Default 10 s. */
  readonly heartbeatMs?: number | undefined;
}

const LOG_LENGTH = 100_000;
/** Ten years: longer times would not fit into what Redis counts with. */
const LONGEST_MS = 10 * 365 * 24 * 3_600_000;
const DEFAULT_IDLE_MS = 24 * 3_600_000;

/** A store on a Redis server: every change is one script, which Redis runs as a whole. */
export class RedisCarrier implements Carrier {
  readonly #driver: Driver;
  readonly #commands: Commands;
  /** In braces, so that a cluster keeps all of it in one place. */
  readonly #prefix: string;
  readonly #commandMs: number;
  readonly #logLength: number;
  readonly #heartbeatMs: number;
  #idleMs = String(DEFAULT_IDLE_MS);
  #subscription: Subscription | undefined;
  #unquiet: (() => void) | undefined;
  #closed = false;

  constructor({ driver, namespace, commandMs, logLength = LOG_LENGTH, heartbeatMs = HEARTBEAT_MS }: RedisCarrierOptions) {
    this.#driver = driver;
    this.#commands = new Commands(driver, commandMs);
    this.#prefix = `{${namespace}}:lk:`;
    this.#commandMs = commandMs;
    this.#logLength = logLength;
    this.#heartbeatMs = heartbeatMs;
  }

  open(settings: CarrierSettings, listener: CarrierListener): void {
    if (this.#closed || this.#subscription !== undefined) return;
    this.#idleMs = forMs(settings.idleMs);
    this.#unquiet = this.#driver.quiet();
    const [driver, commandMs, heartbeatMs] = [this.#driver, this.#commandMs, this.#heartbeatMs];
    const channel = `${driver.keyPrefix}${this.#prefix}changes`;
    this.#subscription = new Subscription(
      { driver, channel, commandMs, heartbeatMs },
      { message: (text) => hear(listener, text), gap: () => listener.gap() },
    );
    this.#subscription.open();
  }

  async hello({ epoch, seq }: { readonly epoch: string; readonly seq: number } = { epoch: '', seq: 0 }): Promise<Standing> {
    const args = [randomBytes(16).toString('hex'), this.#idleMs, epoch, String(seq)];
    const { records: _, ...standing } = readAnswer(await this.#run(SCRIPTS.hello, args));
    return standing;
  }

  async push(epoch: string, changes: readonly StoreChange[], now: number, latest: Stamp, heard = 0): Promise<Answer | Refusal> {
    const args = [epoch, wholeMs(now), latest, this.#idleMs, String(this.#logLength), writeChanges(changes), String(heard)];
    const text = await this.#run(SCRIPTS.push, args);
    if (text === '!epoch') return { refused: 'epoch' };
    return text === '!skew' ? { refused: 'skew' } : readAnswer(text);
  }

  async load(wanted: readonly RecordRef[]): Promise<Answer> {
    const args = wanted.flatMap(({ kind, name }) => [letterOf(kind), name]);
    return readAnswer(await this.#run(SCRIPTS.load, args));
  }

  async changedSince(seq: number): Promise<readonly RecordRef[] | undefined> {
    const text = await this.#run(SCRIPTS.changedSince, [String(seq)]);
    return text === '!unknown' ? undefined : readRefs(text);
  }

  async lock(lock: Name, owner: string, ms: number): Promise<number> {
    return readLock(await this.#run(SCRIPTS.lock, [lock, owner, forMs(ms)]));
  }

  async unlock(lock: Name, owner: string, note: string): Promise<void> {
    await this.#run(SCRIPTS.unlock, [lock, owner, note]);
  }

  async enter(group: Name, member: string, tag: string, ms: number): Promise<{ readonly first: boolean; readonly tag: string }> {
    const answer = readGroup(await this.#run(SCRIPTS.enter, [group, member, tag, forMs(ms)]));
    return { first: answer.alone, tag: answer.tag ?? tag };
  }

  async leave(group: Name, member: string): Promise<{ readonly last: boolean; readonly tag: string | undefined }> {
    const { alone, tag } = readGroup(await this.#run(SCRIPTS.leave, [group, member]));
    return { last: alone, tag };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#subscription?.close();
    this.#commands.close();
    this.#unquiet?.();
  }

  async #run(script: Script, args: readonly string[]): Promise<string> {
    const text = await this.#commands.run(script, `${this.#prefix}meta`, args);
    if (text === '!format')
      throw new StoreError('STORE_FORMAT', 'the store was written by a version of latchkey that this one does not understand');
    return text;
  }
}

/** A duration as Redis takes it. */
function forMs(ms: number): string {
  return String(Math.ceil(Math.min(Math.max(ms, 1), LONGEST_MS)));
}

function hear(listener: CarrierListener, text: string): void {
  const published = readPublished(text);
  if (published?.kind === 'message') listener.message(published.message);
  else if (published?.kind === 'released') listener.released(published.lock, published.note);
}
