import { describe, expect, it } from 'vitest';
import { apiKey, bearer, createLatchkey, isLatchkeyError, type Lease } from '../../src/index.js';
import { statusError, throwing } from '../support/attempts.js';
import { manualClock } from '../support/clock.js';
import { hearAll, named } from '../support/heard.js';
import { recordingReporter } from '../support/reporter.js';

const make = () => createLatchkey({ clock: manualClock() });

describe('run: the first attempt', () => {
  it('case 32: without a credential the attempt is not called, and the error says what is missing', async () => {
    const latchkey = make();
    let called = 0;
    const run = latchkey.run({ session: 's', provider: 'p' }, () => called++);
    await expect(run).rejects.toMatchObject({
      name: 'LatchkeyError',
      code: 'CREDENTIAL_MISSING',
      scope: { session: 's', provider: 'p' },
      fingerprint: undefined,
    });
    expect(called).toBe(0);
    expect(latchkey.stats()).toMatchObject({ runs: 1, attempts: 0, running: 0, waiting: 0, openIncidents: 0 });
  });

  it('case 32: success is one call, its value returned', async () => {
    const latchkey = make();
    latchkey.capture('s', bearer('token-a'));
    const leases: Lease[] = [];
    const value = await latchkey.run('s', async (lease, { attempt }) => {
      leases.push(lease);
      return { attempt };
    });
    expect(value).toEqual({ attempt: 1 });
    expect(leases).toHaveLength(1);
    expect(leases[0]?.headers()).toEqual({ authorization: 'Bearer token-a' });
    expect(leases[0]?.source).toBe('session');
    expect(latchkey.stats()).toMatchObject({ runs: 1, attempts: 1, accepted: 1, rejected: 0, running: 0 });
  });

  it('case 32: an attempt may be synchronous, or give a thenable that is no promise', async () => {
    const latchkey = make();
    latchkey.capture('s', bearer('token-a'));
    await expect(latchkey.run('s', () => 7)).resolves.toBe(7);
    // biome-ignore lint/suspicious/noThenProperty: clients such as query builders give thenables, and a run has to take them.
    const thenable = { then: (resolve: (value: number) => void) => resolve(8) };
    await expect(latchkey.run('s', () => thenable as Promise<number>)).resolves.toBe(8);
  });

  it('case 33: 401 and nothing else to try is one call, with a scrubbed cause and the original at hand', async () => {
    const clock = manualClock();
    const latchkey = createLatchkey({ clock });
    const credential = bearer('token-a');
    latchkey.capture('s', credential);
    const original = Object.assign(statusError(401), { message: 'Bearer token-a was refused', config: { token: 'token-a' } });
    let calls = 0;
    const error = await latchkey
      .run('s', () => {
        calls++;
        throw original;
      })
      .catch((thrown: unknown) => thrown);
    expect(calls).toBe(1);
    if (!isLatchkeyError(error)) throw new Error('expected an error of ours');
    expect(error).toMatchObject({
      code: 'CREDENTIAL_REJECTED',
      status: 401,
      fingerprint: credential.fingerprint,
      since: clock.now(),
      scope: { session: 's' },
    });
    expect(error.original()).toBe(original);
    expect(error.cause).not.toBe(original);
    expect(error.cause).toMatchObject({ name: 'Error', status: 401 });
    expect(`${String(error.cause?.message)}${String(error.cause?.stack)}${JSON.stringify(error)}`).not.toContain('token-a');
    expect(error.cause?.message).toContain('was refused');
  });

  it('case 33: the next run is not sent at all, and names the incident of the first', async () => {
    const latchkey = make();
    latchkey.capture('s', bearer('token-a'));
    const { attempt, sent } = throwing({ 'token-a': 401 });
    const first = await latchkey.run('s', attempt).catch((error: unknown) => error);
    const second = await latchkey.run('s', attempt).catch((error: unknown) => error);
    expect(sent).toEqual(['token-a']);
    expect(second).toMatchObject({ code: 'CREDENTIAL_REJECTED', status: 401 });
    expect(second).not.toHaveProperty('cause');
    if (!isLatchkeyError(first) || !isLatchkeyError(second)) throw new Error('expected errors of ours');
    expect(first.incident).toEqual(expect.any(String));
    expect(second.incident).toBe(first.incident);
    expect(second.original()).toBeUndefined();
  });

  it("case 33: `rejected: 'return'` gives the response itself, unread", async () => {
    const latchkey = make();
    latchkey.capture('s', bearer('token-a'));
    const response = new Response('{"error":"expired"}', { status: 401 });
    const value = await latchkey.run('s', () => response, { rejected: 'return' });
    expect(value).toBe(response);
    expect(value.bodyUsed).toBe(false);
    await expect(value.text()).resolves.toBe('{"error":"expired"}');
    expect(latchkey.canRun('s')).toBe(false);
  });

  it("case 33: `rejected: 'return'` has nothing to return for an error, or for a run that sent nothing", async () => {
    const latchkey = make();
    latchkey.capture('s', bearer('token-a'));
    await expect(latchkey.run('s', throwing({ 'token-a': 401 }).attempt, { rejected: 'return' })).rejects.toMatchObject({
      code: 'CREDENTIAL_REJECTED',
    });
    await expect(latchkey.run('s', () => new Response(), { rejected: 'return' })).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED' });
  });

  it("case 33: `rejected: 'return'` wins over skip for a rejection that the run met itself", async () => {
    const latchkey = make();
    latchkey.capture('s', bearer('token-a'));
    const response = new Response('no', { status: 401 });
    await expect(latchkey.run('s', () => response, { rejected: 'return', whenBlocked: 'skip' })).resolves.toBe(response);
    await expect(latchkey.run('s', () => response, { rejected: 'return', whenBlocked: 'skip' })).resolves.toBeUndefined();
  });

  it('case 49: whatever the attempt throws of its own passes through unchanged, with `transient` on too', async () => {
    const latchkey = make();
    latchkey.capture('s', bearer('token-a'));
    const mistake = new TypeError('x is not a function');
    for (const options of [{}, { transient: { retries: 3 } }]) {
      for (const own of ['a plain string', undefined, null, 0, mistake]) {
        let calls = 0;
        const outcome = await latchkey
          .run(
            's',
            () => {
              calls++;
              throw own;
            },
            options,
          )
          .then(
            () => 'resolved',
            (error: unknown) => ({ error }),
          );
        expect(outcome).toEqual({ error: own });
        if (own === mistake) expect((outcome as { error: unknown }).error).toBe(mistake);
        expect(calls).toBe(1);
      }
    }
    expect(latchkey.canRun('s')).toBe(true);
  });

  it('case 41: 404, 400 and the like pass through untouched, the same error object', async () => {
    const latchkey = make();
    latchkey.capture('s', bearer('token-a'));
    for (const status of [400, 404, 405, 409, 410, 413, 422]) {
      const error = statusError(status);
      await expect(latchkey.run('s', () => Promise.reject(error), { transient: { retries: 2 } })).rejects.toBe(error);
    }
    expect(latchkey.canRun('s')).toBe(true);
    expect(latchkey.stats()).toMatchObject({ attempts: 7, rejected: 0, incidents: 0 });
  });

  it('case 41: a domain object with a status and no headers is a value like any other', async () => {
    const latchkey = make();
    latchkey.capture('s', bearer('token-a'));
    const order = { status: 403, reason: 'not yours' };
    await expect(latchkey.run('s', () => order)).resolves.toBe(order);
    await expect(latchkey.run('s', () => ({ status: 401 }))).resolves.toEqual({ status: 401 });
    expect(latchkey.canRun('s')).toBe(true);
    expect(latchkey.stats()).toMatchObject({ accepted: 2, rejected: 0 });
  });

  it('case 40: denied passes through and marks nothing, and is told', async () => {
    const reporter = recordingReporter();
    const latchkey = createLatchkey({ clock: manualClock(), reporter });
    const credential = bearer('token-a');
    latchkey.capture({ session: 's', provider: 'openai' }, credential);
    const heard = hearAll(latchkey);
    const scope = { session: 's', provider: 'openai' };
    const insufficient = Object.assign(statusError(403, { 'www-authenticate': 'Bearer error="insufficient_scope"' }));
    const body = (code: string) => Object.assign(statusError(403), { error: { code } });
    const denials = [insufficient, body('model_not_found'), body('unsupported_country_region_territory'), body('missing_scope')];
    for (const error of denials) await expect(latchkey.run(scope, () => Promise.reject(error))).rejects.toBe(error);
    expect(named(heard, 'denied')).toEqual(denials.map(() => ({ scope, fingerprint: credential.fingerprint, status: 403 })));
    expect(latchkey.canRun(scope)).toBe(true);
    expect(latchkey.stats()).toMatchObject({ denied: 4, rejected: 0, incidents: 0 });
    expect(reporter.openings).toEqual([]);
  });

  it('case 40: a denied Response is returned, its body unread', async () => {
    const latchkey = make();
    latchkey.capture({ session: 's', provider: 'google' }, apiKey('key-a'));
    const body = JSON.stringify({ error: { code: 403, details: [{ reason: 'SERVICE_DISABLED' }] } });
    const value = await latchkey.run({ session: 's', provider: 'google' }, () => new Response(body, { status: 403 }));
    expect(value.status).toBe(403);
    expect(value.bodyUsed).toBe(false);
    await expect(value.text()).resolves.toBe(body);
    expect(latchkey.canRun({ session: 's', provider: 'google' })).toBe(true);
  });

  it('case 43: `context.check` gives back a 2xx and throws what is recognised for any other', async () => {
    const latchkey = make();
    latchkey.capture('s', bearer('token-a'));
    const answers = [new Response('{"id":1}'), new Response('{"error":"no"}', { status: 401 })];
    const attempt = async (_: Lease, { check }: { check<R extends Response>(response: R): Promise<R> }): Promise<unknown> =>
      (await check(answers.shift() as Response)).json();
    await expect(latchkey.run('s', attempt)).resolves.toEqual({ id: 1 });
    await expect(latchkey.run('s', attempt)).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED', status: 401 });
    expect(latchkey.canRun('s')).toBe(false);
  });

  it('case 43: what `check` throws for a failure of another kind reaches the caller, with the unread response', async () => {
    const latchkey = make();
    latchkey.capture('s', bearer('token-a'));
    const response = new Response('{"error":"no such thing"}', { status: 404 });
    const error = await latchkey.run('s', (_, { check }) => check(response)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'ResponseError', status: 404 });
    expect((error as { response: unknown }).response).toBe(response);
    await expect(response.text()).resolves.toBe('{"error":"no such thing"}');
  });

  it('case 43: `context.unused()` means no verdict, whatever the attempt then returns or throws', async () => {
    const latchkey = make();
    latchkey.capture('s', bearer('token-a'));
    await expect(
      latchkey.run('s', (_, { unused }) => {
        unused();
        return 'from the cache';
      }),
    ).resolves.toBe('from the cache');
    const error = statusError(401);
    const unsent = latchkey.run('s', (_, context) => {
      context.unused();
      throw error;
    });
    await expect(unsent).rejects.toBe(error);
    expect(latchkey.stats()).toMatchObject({ accepted: 0, rejected: 0 });
    expect(latchkey.capture('s', bearer('token-a')).settle(404)).toEqual({ state: 'unproven' });
  });

  it('case 55: a long chain of steps can ask `lease.usable()` in between', async () => {
    const latchkey = make();
    latchkey.capture('s', bearer('token-a'));
    const steps: boolean[] = [];
    await latchkey.run('s', async (lease) => {
      steps.push(lease.usable());
      await latchkey.run('s', throwing({ 'token-a': 401 }).attempt, { urgent: true }).catch(() => {});
      steps.push(lease.usable());
      return 'stopped early';
    });
    expect(steps).toEqual([true, false]);
  });

  it("refuses a caller's own mistakes with a TypeError that names them", async () => {
    const latchkey = make();
    latchkey.capture('s', bearer('token-a'));
    const wrong: [object, string][] = [
      [{ retry: 1 }, '`retry`'],
      [{ whenBlocked: 'wait' }, '`whenBlocked`'],
      [{ timeoutMs: Number.NaN }, '`timeoutMs`'],
      [{ parkMs: -1 }, '`parkMs`'],
      [{ urgent: 'yes' }, '`urgent`'],
      [{ signal: {} }, '`signal`'],
      [{ fallback: 'global' }, '`fallback`'],
      [{ rejected: 'ignore' }, '`rejected`'],
      [{ transient: 3 }, '`transient`'],
      [{ transient: { retries: -1 } }, '`transient.retries`'],
      [{ transient: { retries: 1, max: 2 } }, '`transient.max`'],
    ];
    for (const [options, name] of wrong) {
      const error = await latchkey.run('s', () => 1, options).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(TypeError);
      expect(String(error)).toContain(name);
    }
    await expect(latchkey.run('s', 'not a function' as never)).rejects.toThrow(TypeError);
    await expect(latchkey.run({ session: '' }, () => 1)).rejects.toThrow(/`session` is empty/);
    await expect(latchkey.run('s', () => 1, null as never)).rejects.toThrow(TypeError);
    expect(latchkey.stats()).toMatchObject({ runs: 0, attempts: 0 });
  });
});
