import { describe, expect, it } from 'vitest';
import { bearer, createLatchkey, isLatchkeyError, type LatchkeyError, type Lease, type RunOptions } from '../../src/index.js';
import { assertNoSecret } from '../../src/testkit/assert-no-secret.js';
import { settled } from '../support/clock.js';

const FIRST = 'secret-first-1234567890';
const SECOND = 'secret-second-1234567890';

async function failureOf(attempt: (lease: Lease) => unknown, options: RunOptions = {}): Promise<LatchkeyError> {
  const latchkey = createLatchkey({ canary: 'off' });
  latchkey.capture('s', bearer(FIRST));
  latchkey.capture('other', bearer(SECOND));
  const error: unknown = await latchkey.run('s', attempt, options).catch((reason: unknown) => reason);
  if (!isLatchkeyError(error)) throw new Error('the run did not fail as it should');
  return error;
}

/** An attempt that fails each time, with an error that tells of all attempts so far, as wrappers do. */
function tellingAll(): (lease: Lease) => never {
  const tries: string[] = [];
  return (lease) => {
    tries.push(`${JSON.stringify(lease.headers())} -> 401`);
    throw Object.assign(new Error(`gave up: ${tries.join('; ')}`), { status: 401, code: `E_${tries.join()}` });
  };
}

describe("what a failed run's cause holds", () => {
  it('no value of any credential that the run tried', async () => {
    const error = await failureOf(tellingAll());
    expect(error).toMatchObject({ code: 'CREDENTIAL_REJECTED', fingerprint: bearer(SECOND).fingerprint });
    assertNoSecret(error, [FIRST, SECOND]);
    const { message } = error.cause as Error;
    expect(message).toContain('gave up: ');
    for (const value of [FIRST, SECOND]) expect(message).toContain(bearer(value).toString());
  });

  it('no value of an earlier one either when the run parked in between', async () => {
    const latchkey = createLatchkey({ canary: 'off' });
    latchkey.capture('s', bearer(FIRST));
    const attempt = tellingAll();
    const run = latchkey.run('s', attempt, { whenBlocked: 'park' }).catch((reason: unknown) => reason);
    await settled();
    latchkey.capture('s', bearer(SECOND));
    const error = (await run) as LatchkeyError;
    expect(error).toMatchObject({ code: 'CREDENTIAL_REJECTED' });
    assertNoSecret(error, [FIRST, SECOND]);
  });

  it.each<[string, unknown]>([
    ['a text with the value in it', `Bearer ${FIRST}`],
    ['an object', { toString: () => FIRST }],
    ['an object that cannot be made a text', Object.create(null)],
    ['a list', [FIRST]],
  ])('no `status` that is %s', async (_, status) => {
    const error = await failureOf(() => {
      throw { statusCode: 401, status };
    });
    expect(error).toMatchObject({ code: 'CREDENTIAL_REJECTED' });
    assertNoSecret(error, FIRST);
    expect((error.cause as Error).message).not.toMatch(/Bearer|object/);
  });

  it('the status, if it is a number', async () => {
    const error = await failureOf(() => {
      throw { statusCode: 401 };
    });
    expect(error.cause).toMatchObject({ message: 'the upstream answered 401', status: 401 });
  });
});
