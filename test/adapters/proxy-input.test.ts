import { describe, expect, it } from 'vitest';
import { createUnauthorizedMonitor, type UnauthorizedMonitorOptions } from '../../src/adapters/proxy.js';
import { createLatchkey } from '../../src/index.js';

const scope = (): string => 's';

describe('a mistake in the options is a TypeError that names it', () => {
  it.each<[string, unknown, string]>([
    ['no options', undefined, '`options` must be an object'],
    ['an unknown option', { scope, onUnautorized: () => {} }, 'unknown option `onUnautorized`'],
    ['no scope', {}, '`scope` must be a function'],
    ['a scope', { scope: 's' }, '`scope` must be a function'],
    ['credential', { scope, credential: 'x' }, '`credential` must be a function'],
    ['onUnauthorized', { scope, onUnauthorized: {} }, '`onUnauthorized` must be a function'],
    ['onWorkload', { scope, onWorkload: 1 }, '`onWorkload` must be a function'],
    ['onError', { scope, onError: null }, '`onError` must be a function'],
    ['provisional', { scope, provisional: 'yes' }, '`provisional` must be a boolean'],
    ['writeTimeoutMs', { scope, writeTimeoutMs: 0 }, '`writeTimeoutMs` must be a number of milliseconds, 1 or more'],
    ['writeTimeoutMs', { scope, writeTimeoutMs: Number.POSITIVE_INFINITY }, '`writeTimeoutMs` must be a number of milliseconds, 1 or more'],
    ['clock', { scope, clock: {} }, '`clock` must have a function `now`'],
    ['clock', { scope, clock: null }, '`clock` must have a function `now`'],
    ['limit', { scope, limit: 0.5 }, '`limit` must be a whole number, 1 or more'],
  ])('%s', (_, options, message) => {
    const create = (): unknown => createUnauthorizedMonitor(createLatchkey(), options as UnauthorizedMonitorOptions);
    expect(create).toThrow(new TypeError(`createUnauthorizedMonitor: ${message}`));
  });

  it('what is no latchkey', () => {
    for (const latchkey of [undefined, null, {}, createLatchkey])
      expect(() => createUnauthorizedMonitor(latchkey as never, { scope })).toThrow(
        new TypeError('createUnauthorizedMonitor: `latchkey` must come from createLatchkey()'),
      );
  });
});

describe('so is one in a call', () => {
  const latchkey = createLatchkey();
  const monitor = createUnauthorizedMonitor(latchkey, { scope });
  const request = { headers: {} };

  it.each<[string, () => unknown, string]>([
    ['no request', () => monitor.open(undefined as never), 'open: `request` must be a request with headers'],
    ['no headers', () => monitor.open({} as never), 'open: `request` must be a request with headers'],
    ['options', () => monitor.open(request, null as never), 'open: `options` must be an object'],
    ['an unknown option', () => monitor.open(request, { leese: 1 } as never), 'open: unknown option `leese`'],
    ['a resolution', () => monitor.open(request, { lease: latchkey.resolve('s') as never }), 'open: `lease` must be a lease'],
    [
      'no answer',
      () => monitor.open(request).answered(undefined as never),
      'answered: `response` must be a response with a status, or a status',
    ],
    [
      'an answer without status',
      () => monitor.open(request).answered({}),
      'answered: `response` must be a response with a status, or a status',
    ],
    ['a scope', () => monitor.workload(''), 'scope: `session` is empty'],
    ['a scope', () => monitor.started({ sesion: 's' } as never), 'scope: unknown part `sesion`'],
  ])('%s', (_, call, message) => {
    expect(call).toThrow(new TypeError(message));
  });
});
