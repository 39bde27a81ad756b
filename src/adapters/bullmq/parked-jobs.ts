import type { ScopeParts } from '../../errors.js';
import { CONFIRM, FORGET, PAGE, PARK, type Script, TAKE } from './scripts.js';
import type { JobQueue } from './types.js';

/** How many records are read at a time. */
const PAGE_SIZE = 200;

/** A job that waits for its scope, as it is recorded beside its queue. */
export interface ParkedJob {
  readonly id: string;
  readonly scope: ScopeParts;
  /** Milliseconds since the epoch: when it was first parked. */
  readonly since: number;
  /** How often in a row it was sent back by a rejection, and when it was last. */
  readonly strikes: number;
  readonly struckAt: number;
}

export type Parking =
  | { readonly state: 'parked'; readonly job: ParkedJob; readonly record: string }
  | { readonly state: 'full' | 'expired'; readonly since: number };

/** What BullMQ's clients have in common. */
interface ScriptedClient {
  defineCommand(name: string, definition: { numberOfKeys: number; lua: string }): void;
  runCommand?(name: string, args: readonly string[]): Promise<unknown>;
}

/** The records of a queue's parked jobs, shared by all processes. They name scopes, and no credential. */
export class ParkedJobs {
  readonly #queue: JobQueue;
  readonly #keys: readonly string[];
  /** The client that knows the scripts. */
  #taught: ScriptedClient | undefined = undefined;

  constructor(queue: JobQueue) {
    this.#queue = queue;
    this.#keys = [queue.toKey('latchkey:parked'), queue.toKey('latchkey:released')];
  }

  /** Records a job as parked. `struck`: it was sent back by a rejection in its middle; `isNew`: it was never parked before. */
  async park(
    id: string,
    scope: ScopeParts,
    { struck, isNew }: { readonly struck: boolean; readonly isNew: boolean },
    { now, most, longestMs }: { readonly now: number; readonly most: number; readonly longestMs: number },
  ): Promise<Parking> {
    const flag = (is: boolean): string => (is ? '1' : '0');
    const args = [id, String(Math.round(now)), String(most), String(longestMs), flag(struck), JSON.stringify(scope), flag(isNew)];
    const [state, since, record] = (await this.#run(PARK, args)) as ['parked' | 'full' | 'expired', string, string];
    if (state !== 'parked') return { state, since: Number(since) };
    const job = readRecord(id, record);
    if (job === undefined) throw new Error(`the record of job ${id} cannot be read`);
    return { state, job, record };
  }

  /** To be called when the job lies in the delayed set: from now on whoever takes it can promote it. */
  async confirm(id: string, record: string): Promise<void> {
    await this.#run(CONFIRM, [id, record]);
  }

  /** Each job is given to one taker only. */
  async take(ids: readonly string[]): Promise<ParkedJob[]> {
    return readRecords((await this.#run(TAKE, ids)) as string[]);
  }

  async forget(id: string): Promise<void> {
    await this.#run(FORGET, [id]);
  }

  /** All that is parked, page by page; what is no longer there is removed on the way. */
  async *pages(): AsyncGenerator<ParkedJob[]> {
    yield* this.#pages('1');
    // Nobody wants to know of these, but those that are gone have to go.
    for await (const _ of this.#pages('2'));
  }

  async *#pages(which: '1' | '2'): AsyncGenerator<ParkedJob[]> {
    let cursor = '0';
    do {
      const [next = '0', ...found] = (await this.#run(PAGE, [cursor, String(PAGE_SIZE), this.#queue.toKey(''), which])) as string[];
      yield readRecords(found);
      cursor = next;
    } while (cursor !== '0');
  }

  async #run({ name }: Script, args: readonly string[]): Promise<unknown> {
    const client = await clientOf(this.#queue);
    if (this.#taught !== client) {
      for (const script of [PARK, CONFIRM, TAKE, FORGET, PAGE]) client.defineCommand(script.name, { numberOfKeys: 2, lua: script.lua });
      this.#taught = client;
    }
    const all = [...this.#keys, ...args];
    if (client.runCommand !== undefined) return client.runCommand(name, all);
    // BullMQ 5 hands out the ioredis client itself.
    return (client as unknown as Record<string, (args: readonly string[]) => Promise<unknown>>)[name]?.(all);
  }
}

async function clientOf(queue: JobQueue): Promise<ScriptedClient> {
  const backend = queue.getBackend?.() as { client?: PromiseLike<unknown> } | undefined;
  return (await (backend ?? queue).client) as ScriptedClient;
}

function readRecords(found: readonly string[]): ParkedJob[] {
  const jobs: ParkedJob[] = [];
  for (let at = 0; at + 1 < found.length; at += 2) {
    const job = readRecord(found[at] ?? '', found[at + 1] ?? '');
    if (job !== undefined) jobs.push(job);
  }
  return jobs;
}

/** Undefined for what another version may have written. */
function readRecord(id: string, record: string): ParkedJob | undefined {
  const [, since, struckAt, strikes, scope = ''] = /^(\d+)\|(\d+)\|(\d+)\|(.*)$/s.exec(record) ?? [];
  if (since === undefined) return undefined;
  try {
    const parts: unknown = JSON.parse(scope);
    if (typeof parts !== 'object' || parts === null) return undefined;
    return { id, scope: parts, since: Number(since), strikes: Number(strikes), struckAt: Number(struckAt) };
  } catch {
    return undefined;
  }
}
