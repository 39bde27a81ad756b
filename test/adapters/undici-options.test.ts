import type { Agent, Dispatcher } from 'undici';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { createAuthInterceptor } from '../../src/adapters/undici.js';
import { createLatchkey } from '../../src/index.js';

describe('the options of createAuthInterceptor', () => {
  const latchkey = createLatchkey();

  it.each<[string, object, RegExp]>([
    ['an unknown option', { retries: 1 }, /createAuthInterceptor: unknown option `retries`/],
    ['no scope', { scope: undefined }, /createAuthInterceptor: `scope`/],
    ['no origins', { origins: undefined }, /createAuthInterceptor: `origins`/],
    ['empty origins', { origins: [] }, /createAuthInterceptor: `origins`/],
    ['an origin with a path', { origins: ['https://api.example.com/v1'] }, /createAuthInterceptor: `origins`/],
    ['an origin in the clear', { origins: ['http://api.example.com'] }, /createAuthInterceptor: .*cleartext/],
    ['a wildcard address', { origins: ['http://0.0.0.0:80'] }, /createAuthInterceptor: .*cleartext/],
    ['skip', { whenBlocked: 'skip' }, /createAuthInterceptor: `whenBlocked`/],
    ['a signal', { signal: AbortSignal.abort() }, /createAuthInterceptor: unknown option `signal`/],
    ['a bad time', { parkMs: -1 }, /createAuthInterceptor: `parkMs`/],
    ['bad transient options', { transient: { retries: 0.5 } }, /createAuthInterceptor: `transient.retries`/],
    ['a bad `allowCleartext`', { allowCleartext: 'yes' }, /createAuthInterceptor: `allowCleartext`/],
  ])('%s is a TypeError that names it', (_, options, message) => {
    const create = () => createAuthInterceptor(latchkey, { scope: 's', origins: ['https://api.example.com'], ...options } as never);
    expect(create).toThrow(TypeError);
    expect(create).toThrow(message);
  });

  it('no latchkey and no options are TypeErrors too; `allowCleartext` allows it', () => {
    expect(() => createAuthInterceptor(undefined as never, { scope: 's', origins: [] })).toThrow(/createAuthInterceptor: `latchkey`/);
    expect(() => createAuthInterceptor(latchkey, null as never)).toThrow(/createAuthInterceptor: `options`/);
    createAuthInterceptor(latchkey, { scope: 's', origins: ['http://api.internal'], allowCleartext: true });
  });

  it('has the type that compose takes', () => {
    const interceptor = createAuthInterceptor(latchkey, { scope: 's', origins: ['https://api.example.com'] });
    expectTypeOf(interceptor).toExtend<Dispatcher.DispatcherComposeInterceptor>();
    expectTypeOf(interceptor<Agent['dispatch']>).returns.toEqualTypeOf<Agent['dispatch']>();
  });
});
