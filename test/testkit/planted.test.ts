import { describe, expect, it } from 'vitest';
import * as latchkey from '../../src/index.js';
import { ExplorationError } from '../../src/testkit/exploration-error.js';
import { explore, replay } from '../../src/testkit/explore.js';
import { libraryWith, type Planted } from './planted-library.js';
import { type Library, scenarioOf } from './planted-scenarios.js';

const OPTIONS = { seed: 7, schedules: 600, ms: 10_000 };

/** What the explorer has against a library: one set of stories, from which each schedule picks. */
async function failureOf(library: Library): Promise<ExplorationError | undefined> {
  try {
    await explore(scenarioOf(library), OPTIONS);
    return undefined;
  } catch (error) {
    if (error instanceof ExplorationError) return error;
    throw error;
  }
}

const BUGS: Readonly<Record<string, readonly Planted[]>> = {
  'mark the slot instead of the identity': [
    {
      file: 'ledger/ledger.ts',
      line: 'judgeCall(call, judgement, {',
      instead: 'judgeCall({ ...call, identity: this.candidates(call.scope)[0]?.identity ?? call.identity }, judgement, {',
    },
  ],
  'drop the sequence numbers': [{ file: 'policy/verdict.ts', line: 'return incoming.sent > present.sent;', instead: 'return true;' }],
  'clear the verdict when the dead token is presented again': [
    {
      file: 'ledger/ledger.ts',
      line: 'const revived = this.#present(identity, credential, at, now);',
      instead: 'identity.forgive(at); const revived = this.#present(identity, credential, at, now);',
    },
  ],
  'a second retry after a park': [
    { file: 'worker/run.ts', line: 'job.retried = true;', instead: "job.retried = job.options.whenBlocked !== 'park';" },
    {
      file: 'worker/run.ts',
      line: "return again.kind === 'rejected' ? this.#acquirer.blocked(job) : again;",
      instead: "return again.kind !== 'rejected' ? again : job.retried ? this.#acquirer.blocked(job) : this.#afterRejection(job, again);",
    },
  ],
  "one waiter's abort kills the others": [
    {
      file: 'worker/flight.ts',
      line: 'this.ring?.delete(this);',
      instead:
        "for (const other of this.ring ?? []) if (interruption.by === 'signal' && other.waiting) other.interrupt(interruption); this.ring?.delete(this);",
    },
  ],
  'a report for each worker instead of each incident': [
    {
      file: 'report/telling.ts',
      line: "if (incident.announcement.how !== 'pending' || incident.announcing) return;",
      instead: 'if (incident.announcing) return;',
    },
  ],
};

describe('the explorer', () => {
  it('finds nothing in the library as it is', async () => {
    expect(await failureOf(await libraryWith([]))).toBeUndefined();
  });

  it.each(Object.entries(BUGS))('finds a planted bug: %s', async (_, planted) => {
    const library = await libraryWith(planted);
    const found = await failureOf(library);
    expect(found).toBeDefined();
    const { schedule = '', steps } = found ?? {};
    // What is printed is enough to see it again, and it is the bug's: without that the same schedule is fine.
    await expect(replay(scenarioOf(library), schedule)).rejects.toMatchObject({ steps });
    await expect(replay(scenarioOf(latchkey), schedule)).resolves.toBeInstanceOf(Array);
  });

  it('does not plant what has no place any more', async () => {
    const planted = { file: 'policy/verdict.ts', line: 'no such line', instead: '' };
    await expect(libraryWith([planted])).rejects.toThrow('src/policy/verdict.ts has this 0 times, not once: no such line');
    await expect(libraryWith([{ ...planted, file: 'no-such-file.ts' }])).rejects.toThrow('not part of the library');
  });
});
