import { expect, it } from 'vitest';
import { redirectTarget } from '../../src/adapters/proxy/redirect.js';
import { redactedCopy } from '../../src/credential/redact.js';
import { bearer, createLatchkey, isLatchkeyError } from '../../src/index.js';
import { matchesRecord } from '../../src/sources/job-record.js';
import { settled } from '../support/clock.js';

// What the fuzz has found, each once: values that resist the very question of what they are.

const refuse = (): never => {
  throw new Error('not to be read');
};
const unreadable = (): Error => {
  const error = new Error('some');
  // Node writes it when it is first asked for, with the name.
  void error.stack;
  return Object.defineProperties(error, { stack: { get: refuse }, message: { get: refuse }, name: { get: refuse } });
};
const resisting = (target: object = {}): object => new Proxy(target, { get: refuse, has: refuse, getPrototypeOf: refuse });
const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};

it.each([
  ['a proxy that refuses', resisting()],
  ['one that was revoked', revoked()],
])('a run ends with whatever its attempt throws or returns: %s', async (_, value) => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', note);
  const latchkey = createLatchkey();
  latchkey.capture('s', bearer('some-token'));
  const ended: unknown[] = [];
  for (const attempt of [() => Promise.reject(value), refuse, () => refuse(), async () => ({ status: 401, headers: value })])
    latchkey.run('s', attempt, { whenBlocked: 'skip' }).then(
      () => ended.push('resolved'),
      () => ended.push('rejected'),
    );
  await settled(60);
  process.off('unhandledRejection', note);
  expect(ended).toHaveLength(4);
  expect(unhandled).toEqual([]);
  expect(latchkey.stats().running).toBe(0);
});

it.each([
  ['a proxy that refuses', resisting()],
  ['one that was revoked', revoked()],
  ['an error whose fields refuse', unreadable()],
])('a refresh that throws it is asked again after a pause: %s', async (_, value) => {
  let calls = 0;
  const refresh = async (): Promise<never> => {
    calls++;
    throw value;
  };
  const latchkey = createLatchkey({ refresh });
  latchkey.capture('s', bearer('some-token')).settle(401);
  const ended = latchkey.run('s', async () => 'sent', { whenBlocked: 'skip' });
  expect(await ended).toBeUndefined();
  expect(calls).toBe(1);
  expect(latchkey.status('s')).toMatchObject({ state: 'refreshing', next: expect.any(Number) });
  await latchkey.close();
});

it('an outcome that resists being read says nothing', () => {
  const latchkey = createLatchkey();
  const capture = latchkey.capture('s', bearer('some-token'));
  for (const outcome of [resisting(), revoked(), resisting([])]) expect(capture.settle(outcome)).toEqual({ state: 'unproven' });
  expect(latchkey.canRun('s')).toBe(true);
});

it('what resists being read is no error of ours', () => {
  for (const value of [resisting(), revoked()]) expect(isLatchkeyError(value)).toBe(false);
});

it('a copy is made of whatever was thrown', () => {
  expect(redactedCopy(resisting(refuse), [bearer('some-token')]).message).toBe('[function]');
});

it('an address that has no text leads nowhere', () => {
  const nothing = Object.create(null) as string;
  expect(redirectTarget(nothing, 'http://a.example/')).toBeUndefined();
  const record = { state: 'running', scheme: 'http' as const, port: 80, bindHost: '127.0.0.1' };
  expect(() => matchesRecord(record, nothing)).toThrow('matchesRecord: `url` must be a URL');
});
