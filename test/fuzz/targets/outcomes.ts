import fc from 'fast-check';
import { bearer } from '../../../src/credential/credential.js';
import { isLatchkeyError } from '../../../src/errors.js';
import { classify } from '../../../src/policy/classify.js';
import { isResponseLike, outcomeOfError, outcomeOfResponse } from '../../../src/policy/outcome.js';
import { PLAIN_SECRET, require, requireNoSecret, within } from '../ground.js';
import { Subject } from '../healthy.js';
import { target } from '../target.js';
import { anyHostile } from '../values.js';

const KINDS = ['accepted', 'rejected', 'held', 'denied', 'transient', 'none'];
const STATES = ['unproven', 'accepted', 'rejected', 'held'];
const MOST_TURNS = 60;

const subject = new Subject({ limits: { identities: 100 }, expiry: { header: 'x-expires' } });

export const outcomesTarget = target({
  name: 'outcomes: answers, errors, causes',
  share: 4,
  input: fc.record({
    outcome: anyHostile(),
    how: fc.constantFrom('returns', 'throws', 'rejects', 'checks'),
    whenBlocked: fc.constantFrom('throw' as const, 'skip' as const),
  }),
  async check({ outcome, how, whenBlocked }) {
    for (const read of [outcomeOfError, outcomeOfResponse]) {
      const found = within(() => read(outcome() as object));
      const kind = found && within(() => classify(found, {}, 1_800_000_000_000).kind);
      require(kind !== undefined && KINDS.includes(kind), `classified as ${kind}`);
    }
    within(() => isResponseLike(outcome()));
    const { latchkey } = subject;
    const scope = { session: 's', provider: 'p' };
    const capture = latchkey.capture(scope, bearer(PLAIN_SECRET));
    latchkey.forgive(scope);
    const found = latchkey.resolve(scope);
    for (const one of [capture, ...(found.ok ? [found.lease] : [])]) {
      const verdict = within(() => one.settle(outcome()));
      require(verdict === undefined || STATES.includes(verdict.state), `a verdict of ${verdict?.state}`);
      requireNoSecret('a verdict', verdict);
    }
    latchkey.forgive(scope);
    const made = outcome();
    // A promise of the caller's own that never ends is the caller's own.
    if (isPromise(made)) return;
    const ran = latchkey.run(
      scope,
      async (_, { check }) => {
        if (how === 'throws') throw made;
        if (how === 'rejects') return Promise.reject(made);
        return how === 'checks' ? check(made as never) : made;
      },
      { whenBlocked, rejected: 'return' },
    );
    let end: { readonly thrown?: unknown } | undefined;
    ran.then(
      () => {
        end = {};
      },
      (thrown: unknown) => {
        end = { thrown };
      },
    );
    for (let turn = 0; turn < MOST_TURNS && end === undefined; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
    require(end !== undefined, 'the run does not end');
    if (end?.thrown !== made && isOurs(end?.thrown)) requireNoSecret('an error', end?.thrown);
    await subject.requireHealthy();
  },
});

function isOurs(error: unknown): boolean {
  try {
    return isLatchkeyError(error);
  } catch {
    return false;
  }
}

function isPromise(value: unknown): boolean {
  try {
    return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
  } catch {
    return false;
  }
}
