import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { apiKey, bearer, createLatchkey, type Latchkey, LatchkeyError, type LatchkeyErrorCode } from '../../src/index.js';
import { sendAnswer, toResponse } from '../../src/signals/answer.js';
import { type CredentialAnswerOptions, credentialAnswer } from '../../src/signals/credential-answer.js';
import { statusError, throwing } from '../support/attempts.js';
import { freezeTime, manualClock, START } from '../support/clock.js';
import { secretsIn } from '../support/secret-forms.js';

const SECRET = 'answer-secret/+=%';
const S = { tenant: 'acme', session: 'session-of-mine', provider: 'p' };

const made = (code: LatchkeyErrorCode, details: object = {}): LatchkeyError =>
  new LatchkeyError(code, 'words of its own', { scope: S, fingerprint: 'abcdef', status: 401, ...details });

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe('what a client of the gateway gets for work that failed', () => {
  it.each([
    ['CREDENTIAL_MISSING', 503, undefined],
    ['CREDENTIAL_REJECTED', 503, undefined],
    ['CREDENTIAL_HELD', 503, undefined],
    ['CREDENTIAL_EXPIRED', 503, undefined],
    ['AUTH_RETRYING', 503, '10'],
    ['PARK_TIMEOUT', 504, undefined],
    ['PARK_OVERFLOW', 503, '10'],
    ['TIMEOUT', 504, undefined],
    ['CLOSED', 503, undefined],
  ] as const)('%s: %d', (code, status, retryAfter) => {
    const answer = credentialAnswer(made(code));
    expect(answer).toEqual({
      status,
      headers: {
        'Cache-Control': 'no-store',
        'Content-Type': 'application/json',
        ...(retryAfter === undefined ? {} : { 'Retry-After': retryAfter }),
      },
      body: expect.any(String),
    });
    expect(JSON.parse(answer?.body ?? '')).toEqual({ error: code, detail: expect.stringMatching(/^[A-Z].*\.$/) });
    for (const part of [...Object.values(S), 'abcdef', 'words of its own']) expect(answer?.body).not.toContain(`"${part}`);
  });

  it('is told when to come back, in whole seconds and never at once', () => {
    const clock = manualClock();
    const comeBack = (until: unknown, code: LatchkeyErrorCode = 'CREDENTIAL_HELD'): unknown =>
      credentialAnswer(made(code, { until }), { clock })?.headers['Retry-After'];
    expect([comeBack(START + 1), comeBack(START + 60_000), comeBack(START + 60_001), comeBack(START - 5_000)]).toEqual([
      '1',
      '60',
      '61',
      '1',
    ]);
    expect(comeBack(START + 900_000, 'CREDENTIAL_REJECTED')).toBe('900');
    // However long the pause between two tries is: a client's next request may bring something better.
    expect(comeBack(START + 600_000, 'AUTH_RETRYING')).toBe('10');
    for (const odd of [undefined, Number.NaN, Number.POSITIVE_INFINITY, '60']) expect(comeBack(odd)).toBeUndefined();
    expect(credentialAnswer(made('CREDENTIAL_HELD', { until: Date.now() + 3_000 }))?.headers['Retry-After']).toBe('3');
    const throws = () => {
      throw new Error('no time');
    };
    expect(credentialAnswer(made('CREDENTIAL_HELD', { until: START }), { clock: { now: throws } })?.status).toBe(503);
  });

  it('is nothing for what is no error of Latchkey’s, whatever it is', () => {
    const hostile = new Proxy(new Error('no'), {
      get() {
        throw new Error(SECRET);
      },
    });
    const round: { cause?: unknown } = new Error('round');
    round.cause = round;
    for (const none of [undefined, null, 'CLOSED', 503, new Error('no'), statusError(401), { code: 'CLOSED' }, hostile, round])
      expect(credentialAnswer(none)).toBeUndefined();
  });

  it('is the same however the error was wrapped, or whichever copy of the package it comes from', () => {
    const wrapped = new TypeError('fetch failed', { cause: new Error('between', { cause: made('AUTH_RETRYING') }) });
    expect(credentialAnswer(wrapped)).toEqual(credentialAnswer(made('AUTH_RETRYING')));
    const other = { [Symbol.for('latchkey.error')]: true, code: 'CREDENTIAL_OTHERWISE' };
    expect(credentialAnswer(other)).toMatchObject({ status: 503 });
    expect(credentialAnswer({ ...other, code: 'toString' })).toMatchObject({ status: 503 });
    expect(credentialAnswer({ ...other, code: undefined })).toBeUndefined();
  });

  it('says what the gateway would rather say', () => {
    const detail = 'Come back after lunch.';
    expect(JSON.parse(credentialAnswer(made('CREDENTIAL_HELD'), { detail })?.body ?? '')).toEqual({ error: 'CREDENTIAL_HELD', detail });
  });

  it('names what it does not take', () => {
    const bad = (options: unknown) => () => credentialAnswer(made('CLOSED'), options as CredentialAnswerOptions);
    expect(bad(null)).toThrow(new TypeError('credentialAnswer: `options` must be an object'));
    expect(bad({ clocks: 1 })).toThrow(new TypeError('credentialAnswer: unknown option `clocks`'));
    expect(bad({ detail: 1 })).toThrow(new TypeError('credentialAnswer: `detail` must be a text'));
    for (const clock of [null, {}, { now: 1 }])
      expect(bad({ clock })).toThrow(new TypeError('credentialAnswer: `clock.now` must be a function'));
  });
});

describe('of real work', () => {
  let latchkey: Latchkey;
  afterEach(() => latchkey.close());

  const runs = async (options: Parameters<Latchkey['run']>[2] = {}, attempt = throwing({ [SECRET]: 401 }).attempt): Promise<unknown> =>
    credentialAnswer(await failure(latchkey.run(S, attempt, options)));

  it('that found nothing, was rejected, or came before its time', async () => {
    latchkey = createLatchkey({ canary: 'off' });
    expect(await runs()).toMatchObject({ status: 503, body: expect.stringContaining('CREDENTIAL_MISSING') });
    latchkey.capture(S, apiKey(SECRET));
    expect(await runs()).toMatchObject({ status: 503, body: expect.stringContaining('CREDENTIAL_REJECTED') });
    // The probe comes by itself.
    expect(await runs()).toMatchObject({ status: 503, headers: { 'Retry-After': expect.stringMatching(/^9\d\d$/) } });
    latchkey.capture(S, bearer('answer-other'));
    const held = async () => {
      throw statusError(402, { 'retry-after': '120' });
    };
    await runs({}, held as never);
    expect(await runs()).toMatchObject({ status: 503, headers: { 'Retry-After': expect.stringMatching(/^\d+$/) } });
    await latchkey.close();
    expect(await runs()).toMatchObject({ status: 503, body: expect.stringContaining('CLOSED') });
  });

  it('whose credential is being refreshed: 503 and not 401, over HTTP, with no secret in it', async () => {
    vi.useRealTimers();
    latchkey = createLatchkey({ canary: 'off', refresh: () => Promise.reject({ status: 503, body: SECRET }) });
    latchkey.capture(S, bearer(SECRET)).settle(401);
    const server = createServer((_, response) => {
      latchkey
        .run(S, async () => 'never')
        .catch((error: unknown) => {
          const answer = credentialAnswer(error);
          if (answer === undefined) response.writeHead(500).end();
          else sendAnswer(response, answer);
        });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      const body = await response.text();
      expect([response.status, response.headers.get('retry-after'), response.headers.get('www-authenticate')]).toEqual([503, '10', null]);
      expect(JSON.parse(body)).toEqual({ error: 'AUTH_RETRYING', detail: 'The credential for the upstream is being refreshed.' });
      expect(secretsIn(JSON.stringify([...response.headers]) + body, [SECRET])).toEqual([]);
      const answer = credentialAnswer(await failure(latchkey.run(S, async () => 'never')));
      expect(answer && (await toResponse(answer).json())).toEqual(JSON.parse(body));
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
