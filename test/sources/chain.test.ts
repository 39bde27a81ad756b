import { afterEach, describe, expect, it, vi } from 'vitest';
import { apiKey, bearer } from '../../src/credential/credential.js';
import { firstOf } from '../../src/sources/chain.js';
import { authoritative, type CredentialSource, NO_CREDENTIAL, type SourceContext } from '../../src/sources/source.js';
import { SourceError } from '../../src/sources/source-error.js';
import { freezeTime, settled } from '../support/clock.js';
import { deferred } from '../support/deferred.js';

const A = bearer('value-a');
const B = apiKey('value-b');
const nothing = (): undefined => undefined;
const hanging = (): Promise<never> => new Promise<never>(() => {});
const failing = (): never => {
  throw Object.assign(new Error('down'), { code: 'ECONNREFUSED' });
};
/** The same source under a name. */
const called = (sourceName: string, source: CredentialSource): CredentialSource =>
  Object.assign<CredentialSource, object>((query, context) => source(query, context), { sourceName });
/** What a promise came to, once everything that is ready has happened. */
async function outcomeOf(promise: Promise<unknown>): Promise<unknown> {
  let outcome: unknown = 'pending';
  promise.then(
    (value) => {
      outcome = value;
    },
    (error: unknown) => {
      outcome = error;
    },
  );
  await settled();
  return outcome;
}

afterEach(() => void vi.useRealTimers());

describe('firstOf', () => {
  it('gives the first credential, and asks nobody after it', async () => {
    const last = vi.fn(nothing);
    const chain = firstOf([nothing, async () => undefined, async () => A, last]);
    expect(await chain.resolve({})).toEqual({ credential: A, source: 'source 3' });
    expect(last).not.toHaveBeenCalled();
  });

  it('gives none if no source has one, or if there is no source', async () => {
    expect(await firstOf([nothing, async () => undefined]).resolve({})).toEqual({ credential: undefined, source: undefined });
    expect(await firstOf([]).resolve({})).toEqual({ credential: undefined, source: undefined });
  });

  it('stops at an authoritative none', async () => {
    const last = vi.fn(() => A);
    const none = (): typeof NO_CREDENTIAL => NO_CREDENTIAL;
    expect(await firstOf([nothing, none, last]).resolve({})).toEqual({ credential: undefined, source: 'none' });
    expect(last).not.toHaveBeenCalled();
  });

  it('calls a source by its sourceName, by the name of the function, or by its place', async () => {
    const vault = (): typeof A => A;
    const titled = Object.assign((): undefined => undefined, { sourceName: 'the vault' });
    const untitled = Object.assign((): undefined => undefined, { sourceName: '' });
    const { steps } = await firstOf([titled, untitled, nothing, () => undefined, vault]).explain({});
    expect(steps.map(({ source }) => source)).toEqual(['the vault', 'source 2', 'nothing', 'source 4', 'vault']);
  });

  it('hands each source the query and a signal, and asks anew every time', async () => {
    const source = vi.fn((query: { job: string }, { signal }: SourceContext) => (query.job === 'a' && !signal.aborted ? A : undefined));
    const chain = firstOf([source]);
    expect((await chain.resolve({ job: 'a' })).credential).toBe(A);
    expect((await chain.resolve({ job: 'b' })).credential).toBeUndefined();
    expect(source).toHaveBeenCalledTimes(2);
  });

  it('takes a promise of another library for one', async () => {
    // biome-ignore lint/suspicious/noThenProperty: it is what makes it one
    const thenable = { then: (resolve: (value: typeof A) => void) => resolve(A) } as PromiseLike<typeof A>;
    expect((await firstOf([() => thenable]).resolve({})).credential).toBe(A);
  });
});

describe('an unavailable source', () => {
  it.each<[string, CredentialSource, string]>([
    ['throws', failing, 'ECONNREFUSED'],
    ['rejects', async () => failing(), 'ECONNREFUSED'],
    ['rejects with nothing', () => Promise.reject(undefined), 'it failed'],
    [
      'throws a text',
      () => {
        throw 'value-a';
      },
      'it failed',
    ],
    [
      'throws what cannot be read',
      () => {
        throw new Proxy({}, { get: failing });
      },
      'it failed',
    ],
    [
      'has a code that is a sentence',
      () => {
        throw Object.assign(new Error(''), { code: 'the value-a' });
      },
      'it failed',
    ],
    ['answers with a token', () => 'value-a' as never, 'it answered neither a credential, nor NO_CREDENTIAL, nor undefined'],
    ['answers with null', () => null as never, 'it answered neither a credential, nor NO_CREDENTIAL, nor undefined'],
    [
      'answers with an error',
      () => new SourceError('x', 'y') as never,
      'it answered neither a credential, nor NO_CREDENTIAL, nor undefined',
    ],
    ['answers with headers', () => A.headers() as never, 'it answered neither a credential, nor NO_CREDENTIAL, nor undefined'],
  ])('one that %s ends the search, with an error', async (_, source, reason) => {
    const last = vi.fn(() => A);
    const failed: unknown = await firstOf([nothing, called('vault', source), last])
      .resolve({})
      .catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(SourceError);
    expect(failed).toMatchObject({
      name: 'SourceError',
      code: 'SOURCE_UNAVAILABLE',
      source: 'vault',
      reason,
      message: `the credential source vault is unavailable: ${reason}`,
    });
    expect(last).not.toHaveBeenCalled();
  });

  it('is told by the code of the deepest cause', async () => {
    const fetchLike = Object.assign(new TypeError('fetch failed'), { cause: Object.assign(new Error('down'), { code: 'ECONNREFUSED' }) });
    await expect(firstOf([() => Promise.reject(fetchLike)]).resolve({})).rejects.toMatchObject({ reason: 'ECONNREFUSED' });
  });

  it('keeps a copy of what was thrown', async () => {
    const thrown = Object.assign(new Error('down'), { code: 'ECONNREFUSED', request: { token: 'value-a' } });
    const failed = (await firstOf([() => Promise.reject(thrown)])
      .resolve({})
      .catch((error: unknown) => error)) as SourceError;
    expect(failed.cause).toMatchObject({ message: 'down', code: 'ECONNREFUSED' });
    expect(failed.cause).not.toBe(thrown);
    expect(failed.cause).not.toHaveProperty('request');
  });

  it.each([
    ['5 s', {}, {}, 5_000],
    ['what the chain has', { timeoutMs: 70 }, {}, 70],
    ['what is asked for', { timeoutMs: 70 }, { timeoutMs: 30 }, 30],
  ])('one that hangs is unavailable after %s; it is told, and what it says later is nothing to anybody', async (_, chain, ask, ms) => {
    freezeTime();
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const late = deferred<typeof A>();
    let told: AbortSignal | undefined;
    const hangs: CredentialSource = (_query, { signal }) => {
      told = signal;
      return late.promise;
    };
    const next = vi.fn(() => B);
    const promise = firstOf([nothing, hangs, next], chain).resolve({}, ask);
    const outcome = outcomeOf(promise);
    await vi.advanceTimersByTimeAsync(ms - 1);
    expect(await outcome).toBe('pending');
    expect(told?.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await outcomeOf(promise)).toMatchObject({
      code: 'SOURCE_UNAVAILABLE',
      source: 'hangs',
      message: `the credential source hangs is unavailable: no answer within ${ms} ms`,
    });
    expect(told?.aborted).toBe(true);
    late.reject(new Error('too late'));
    await settled();
    expect(next).not.toHaveBeenCalled();
    expect(unhandled).not.toHaveBeenCalled();
    process.off('unhandledRejection', unhandled);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('each source has the time for itself', async () => {
    freezeTime();
    const slow =
      (answer: typeof A | undefined): CredentialSource =>
      () =>
        new Promise((resolve) => setTimeout(resolve, 80, answer));
    const promise = firstOf([slow(undefined), slow(undefined), slow(A)], { timeoutMs: 100 }).resolve({});
    await vi.advanceTimersByTimeAsync(240);
    expect(await promise).toEqual({ credential: A, source: 'source 3' });
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("the caller's signal", () => {
  it('ends the waiting with its reason, and tells the source', async () => {
    const caller = new AbortController();
    const reason = new Error('shutting down');
    let told: AbortSignal | undefined;
    const next = vi.fn(() => A);
    const hangs: CredentialSource = (_query, { signal }) => {
      told = signal;
      return hanging();
    };
    const promise = firstOf([hangs, next]).resolve({}, { signal: caller.signal });
    expect(await outcomeOf(promise)).toBe('pending');
    caller.abort(reason);
    expect(await outcomeOf(promise)).toBe(reason);
    expect(told?.reason).toBe(reason);
    expect(next).not.toHaveBeenCalled();
  });

  it('goes before what a source makes of it', async () => {
    const caller = new AbortController();
    const reason = new Error('shutting down');
    const aborting = (): never => {
      caller.abort(reason);
      throw new Error('something else');
    };
    await expect(firstOf([aborting]).resolve({}, { signal: caller.signal })).rejects.toBe(reason);
    await expect(firstOf([() => failing()]).explain({}, { signal: caller.signal })).rejects.toBe(reason);
  });

  it('once aborted, nobody is asked', async () => {
    const source = vi.fn(() => A);
    const reason = new Error('gone');
    await expect(firstOf([source]).resolve({}, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(firstOf([]).resolve({}, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(source).not.toHaveBeenCalled();
    expect((await firstOf([source]).resolve({}, { signal: null })).credential).toBe(A);
  });
});

describe('a chain in a chain', () => {
  const inner = (sources: CredentialSource[]): CredentialSource => firstOf(sources, { name: 'local' });

  it('gives what it has, and is called by its name', async () => {
    expect(await firstOf([inner([nothing, () => A]), () => B]).resolve({})).toEqual({ credential: A, source: 'local' });
    expect(await firstOf([inner([nothing]), () => B]).resolve({})).toEqual({ credential: B, source: 'source 2' });
    expect((await firstOf([firstOf([])]).explain({})).steps[0]?.source).toBe('chain');
  });

  it('says none for all', async () => {
    expect(await firstOf([inner([() => NO_CREDENTIAL]), () => B]).resolve({})).toEqual({ credential: undefined, source: 'local' });
  });

  it('is unavailable as the source in it is', async () => {
    await expect(firstOf([inner([failing]), () => B]).resolve({})).rejects.toMatchObject({ source: 'failing', code: 'SOURCE_UNAVAILABLE' });
  });

  it('has the time of one source', async () => {
    freezeTime();
    const promise = firstOf([inner([hanging])], { timeoutMs: 50 }).resolve({});
    const outcome = outcomeOf(promise);
    await vi.advanceTimersByTimeAsync(50);
    expect(await outcome.then(() => outcomeOf(promise))).toMatchObject({ source: 'local' });
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('authoritative', () => {
  it.each<[string, CredentialSource]>([
    ['at once', nothing],
    ['later', async () => undefined],
  ])('makes nothing, said %s, the last word', async (_, source) => {
    const next = vi.fn(() => B);
    const chain = firstOf([authoritative(called('vault', source)), next]);
    expect(await chain.resolve({})).toEqual({ credential: undefined, source: 'vault' });
    expect(next).not.toHaveBeenCalled();
  });

  it('leaves every other answer', async () => {
    expect(await firstOf([authoritative(() => A)]).resolve({})).toMatchObject({ credential: A });
    expect(await firstOf([authoritative(() => NO_CREDENTIAL)]).resolve({})).toMatchObject({ credential: undefined, source: 'source 1' });
    await expect(firstOf([authoritative(failing)]).resolve({})).rejects.toMatchObject({ source: 'failing' });
  });
});

describe('explain', () => {
  it('tells what each source said, and prints well', async () => {
    const explanation = await firstOf([nothing, called('vault', () => A), () => B]).explain({});
    expect(explanation).toEqual({
      outcome: 'found',
      source: 'vault',
      fingerprint: A.fingerprint,
      steps: [
        { source: 'nothing', outcome: 'nothing', fingerprint: undefined, reason: undefined },
        { source: 'vault', outcome: 'found', fingerprint: A.fingerprint, reason: undefined },
        { source: 'source 3', outcome: 'not asked', fingerprint: undefined, reason: undefined },
      ],
    });
    expect(`${explanation}`).toBe(`a credential (vault)\n  nothing: nothing\n  vault: found (${A.fingerprint})\n  source 3: not asked`);
  });

  it('tells of an authoritative none, of nothing at all, and of a source that is unavailable', async () => {
    const none = (): typeof NO_CREDENTIAL => NO_CREDENTIAL;
    expect(`${await firstOf([none, nothing]).explain({})}`).toBe(
      'no credential, and no other source is asked (none)\n  none: none\n  nothing: not asked',
    );
    expect(`${await firstOf([nothing]).explain({})}`).toBe('no credential: no source has one\n  nothing: nothing');
    const down = await firstOf([failing, nothing]).explain({});
    expect(down).toMatchObject({
      outcome: 'unavailable',
      source: 'failing',
      fingerprint: undefined,
      steps: [{ reason: 'ECONNREFUSED' }, {}],
    });
    expect(`${down}`).toBe('cannot be told (failing)\n  failing: unavailable (ECONNREFUSED)\n  nothing: not asked');
  });
});

describe('bad input', () => {
  it.each<[string, () => unknown, string]>([
    ['no list', () => firstOf(nothing as never), 'firstOf: `sources` must be a list of functions'],
    ['a source that is none', () => firstOf([nothing, A as never]), 'firstOf: `sources[1]` must be a function'],
    ['an unknown option', () => firstOf([], { timeout: 5 } as never), 'firstOf: unknown option `timeout`'],
    ['no time', () => firstOf([], { timeoutMs: 0 }), 'firstOf: `timeoutMs` must be a whole number of milliseconds, 1 or more'],
    ['no name', () => firstOf([], { name: '' }), 'firstOf: `name` must be a string that is not empty'],
    ['authority of nobody', () => authoritative(undefined as never), 'authoritative: `source` must be a function'],
  ])('%s', (_, call, message) => {
    expect(call).toThrow(new TypeError(message));
  });

  it.each<[string, object, string]>([
    ['an unknown option', { timeout: 5 }, 'unknown option `timeout`'],
    ['a time that is none', { timeoutMs: 1.5 }, '`timeoutMs` must be a whole number of milliseconds, 1 or more'],
  ])('%s, when it is asked', async (_, options, message) => {
    await expect(firstOf([nothing]).resolve({}, options)).rejects.toThrow(new TypeError(`resolve: ${message}`));
    await expect(firstOf([nothing]).explain({}, options)).rejects.toThrow(new TypeError(`explain: ${message}`));
  });
});
