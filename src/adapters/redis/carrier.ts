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
  StoredRecord,
} from '../../fleet/carrier.js';
import { StoreError } from '../../fleet/store-error.js';
import type { Driver } from './client.js';
import { Commands } from './commands.js';
import { SCRIPTS, type Script } from './scripts.js';
import { Subscription } from './subscription.js';
import { letterOf, readAnswer, readGroup, readPublished, readRefs, wholeMs, writeChanges } from './wire.js';

export interface RedisCarrierOptions {
  readonly driver: Driver;
  readonly namespace: string;
  /** How long one command may take, in milliseconds. */
  readonly commandMs: number;
  /** How many records `changedSince` remembers. Default 100,000. */
  readonly logLength?: number | undefined;
}

const LOG_LENGTH = 100_000;
/** Redis does nothing else while a script runs. */
const MOST_AT_ONCE = 500;
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
  #idleMs = String(DEFAULT_IDLE_MS);
  #subscription: Subscription | undefined;
  #unquiet: (() => void) | undefined;
  #closed = false;

  constructor({ driver, namespace, commandMs, logLength = LOG_LENGTH }: RedisCarrierOptions) {
    this.#driver = driver;
    this.#commands = new Commands(driver, commandMs);
    this.#prefix = `{${namespace}}:lk:`;
    this.#commandMs = commandMs;
    this.#logLength = logLength;
  }

  open(settings: CarrierSettings, listener: CarrierListener): void {
    if (this.#closed || this.#subscription !== undefined) return;
    this.#idleMs = forMs(settings.idleMs);
    this.#unquiet = this.#driver.quiet();
    this.#subscription = new Subscription(this.#driver, `${this.#driver.keyPrefix}${this.#prefix}changes`, this.#commandMs, {
      message: (text) => hear(listener, text),
      gap: () => listener.gap(),
    });
    this.#subscription.open();
  }

  async hello(): Promise<Standing> {
    const { records: _, ...standing } = readAnswer(await this.#run(SCRIPTS.hello, [randomBytes(16).toString('hex'), this.#idleMs]));
    return standing;
  }

  async push(epoch: string, changes: readonly StoreChange[], now: number, latest: Stamp): Promise<Answer | Refusal> {
    const args = [epoch, wholeMs(now), latest, this.#idleMs, String(this.#logLength), writeChanges(changes)];
    const text = await this.#run(SCRIPTS.push, args);
    if (text === '!epoch') return { refused: 'epoch' };
    return text === '!skew' ? { refused: 'skew' } : readAnswer(text);
  }

  async load(wanted: readonly RecordRef[]): Promise<Answer> {
    const first = await this.#load(wanted.slice(0, MOST_AT_ONCE));
    const records = new Map<string, StoredRecord>();
    let standing: Standing = first;
    let part = first;
    for (let from = MOST_AT_ONCE; ; from += MOST_AT_ONCE) {
      // Emptied between the parts: what came before says nothing any more. Otherwise the first standing counts, since the rest is still to be heard.
      if (part.epoch !== standing.epoch) {
        records.clear();
        standing = part;
      }
      for (const record of part.records) records.set(`${record.kind}:${record.name}`, record);
      if (from >= wanted.length) break;
      part = await this.#load(wanted.slice(from, from + MOST_AT_ONCE));
    }
    const all = [...records.values()];
    const identities = all.filter(({ kind }) => kind === 'identity');
    return { ...standing, records: [...identities, ...all.filter(({ kind }) => kind !== 'identity')] };
  }

  async changedSince(seq: number): Promise<readonly RecordRef[] | undefined> {
    const text = await this.#run(SCRIPTS.changedSince, [String(seq)]);
    return text === '!unknown' ? undefined : readRefs(text);
  }

  async lock(lock: Name, owner: string, ms: number): Promise<boolean> {
    return (await this.#run(SCRIPTS.lock, [lock, owner, forMs(ms)])) === '1';
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

  async #load(refs: readonly RecordRef[]): Promise<Answer> {
    const args = refs.flatMap(({ kind, name }) => [letterOf(kind), name]);
    return readAnswer(await this.#run(SCRIPTS.load, args));
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
