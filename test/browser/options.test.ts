import { describe, expect, it } from 'vitest';
import { createFetchJson, installAuthWatch, takeReturnTo, watchFetch } from '../../src/browser/index.js';
import { answer, fakeWindow } from './fake-window.js';

const window = fakeWindow(() => answer(200));
const fetch = window.fetch;
const loose = {
  installAuthWatch: installAuthWatch as (options?: unknown) => unknown,
  watchFetch: (options?: unknown) => watchFetch(fetch, options as object),
  createFetchJson: createFetchJson as (options?: unknown) => unknown,
  takeReturnTo: takeReturnTo as (options?: unknown) => unknown,
};
const names = Object.keys(loose) as (keyof typeof loose)[];

describe.each(names)('%s', (name) => {
  const call = loose[name];

  it('names an option that it does not know', () => {
    expect(() => call({ window, nonsense: 1 })).toThrow(new TypeError(`${name}: unknown option \`nonsense\``));
  });

  it.each([null, 7, 'text'])('wants an object, not %j', (options) => {
    expect(() => call(options)).toThrow(new TypeError(`${name}: \`options\` must be an object`));
  });

  it.each([null, 7])('wants a window, not %j', (wrong) => {
    expect(() => call({ window: wrong })).toThrow(new TypeError(`${name}: \`window\` must be a window`));
  });
});

describe('bad input', () => {
  it.each([[['api/']], [['']], [[7]], ['/api/'], [null]])('exempt %j', (exempt) => {
    for (const name of ['installAuthWatch', 'watchFetch'] as const)
      expect(() => loose[name]({ window, exempt })).toThrow(
        new TypeError(`${name}: \`exempt\` must be a list of paths that start with \`/\``),
      );
    expect(window.fetch).toBe(fetch);
  });

  it.each([
    [['https://panel.example/']],
    [['https://panel.example/api']],
    [['panel.example']],
    [['https://PANEL.example']],
    [['https://panel.example:443']],
    [['*']],
    [['null']],
    [['']],
    [[undefined]],
    [[7]],
    ['https://panel.example'],
    [null],
  ])('origins %j', (origins) => {
    for (const name of ['installAuthWatch', 'watchFetch'] as const)
      expect(() => loose[name]({ window, origins })).toThrow(
        new TypeError(`${name}: \`origins\` must be a list such as ['https://gateway.example']`),
      );
    expect(window.fetch).toBe(fetch);
  });

  it.each(['gw', 7, null])('prefix %j', (prefix) => {
    for (const name of ['createFetchJson', 'takeReturnTo'] as const)
      expect(() => loose[name]({ window, prefix })).toThrow(
        new TypeError(`${name}: \`prefix\` must be a path that starts with \`/\`, or empty`),
      );
  });

  it('fetch and upstream', () => {
    expect(() => watchFetch('x' as never, { window })).toThrow(new TypeError('watchFetch: `fetch` must be a function'));
    expect(() => loose.createFetchJson({ window, fetch: 7 })).toThrow(new TypeError('createFetchJson: `fetch` must be a function'));
    for (const upstream of ['', 7, null])
      expect(() => loose.createFetchJson({ window, upstream })).toThrow(
        new TypeError('createFetchJson: `upstream` must be a function or a text that is not empty'),
      );
  });

  it('a window that lacks something, such as the one of a server', () => {
    expect(() => installAuthWatch()).toThrow(new TypeError('installAuthWatch: `window` must be a window, and has no `location`'));
    expect(() => createFetchJson()).toThrow(new TypeError('createFetchJson: `window` must be a window, and has no `location`'));
    const { dispatchEvent: _, addEventListener: __, ...mute } = window;
    for (const [name, missing] of [
      ['installAuthWatch', 'dispatchEvent'],
      ['watchFetch', 'dispatchEvent'],
      ['createFetchJson', 'addEventListener'],
    ] as const)
      expect(() => loose[name]({ window: mute })).toThrow(new TypeError(`${name}: \`window\` must be a window, and has no \`${missing}\``));
    expect(takeReturnTo()).toBe('');
  });
});
