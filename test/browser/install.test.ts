import { describe, expect, it, vi } from 'vitest';
import { installAuthWatch } from '../../src/browser/index.js';
import { deferred } from '../support/deferred.js';
import { answer, fakeWindow } from './fake-window.js';

describe('installAuthWatch', () => {
  it('wraps the window’s fetch, and takes itself out again', async () => {
    const window = fakeWindow(() => answer(401));
    const original = window.fetch;
    const uninstall = installAuthWatch({ window });
    await window.fetch('/a');
    expect(window.heard).toHaveLength(1);
    uninstall();
    expect(window.fetch).toBe(original);
    await window.fetch('/a');
    expect(window.heard).toHaveLength(1);
  });

  it('installed twice fires once, and stays until the last has gone', async () => {
    const window = fakeWindow(() => answer(401));
    const original = window.fetch;
    const first = installAuthWatch({ window });
    const wrapper = window.fetch;
    const second = installAuthWatch({ window });
    expect(window.fetch).toBe(wrapper);
    await window.fetch('/a');
    expect(window.heard).toHaveLength(1);
    first();
    first();
    await window.fetch('/a');
    expect(window.heard).toHaveLength(2);
    second();
    expect(window.fetch).toBe(original);
  });

  it('installed by two copies of the module fires once', async () => {
    vi.resetModules();
    const copy = await import('../../src/browser/index.js');
    expect(copy.installAuthWatch).not.toBe(installAuthWatch);
    const window = fakeWindow(() => answer(401));
    const original = window.fetch;
    const first = installAuthWatch({ window });
    const second = copy.installAuthWatch({ window });
    await window.fetch('/a');
    expect(window.heard).toHaveLength(1);
    second();
    first();
    expect(window.fetch).toBe(original);
  });

  it('installed once more around a wrapper of somebody else fires once', async () => {
    vi.resetModules();
    const copy = await import('../../src/browser/index.js');
    const window = fakeWindow(() => answer(401));
    installAuthWatch({ window });
    const watched = window.fetch;
    window.fetch = async (input, init) => watched(input, init);
    copy.installAuthWatch({ window });
    await window.fetch('/a');
    expect(window.heard).toHaveLength(1);
    await window.fetch('/a');
    expect(window.heard).toHaveLength(2);
  });

  it('not outermost any more, it leaves the other wrapper in place and passes everything through', async () => {
    const window = fakeWindow(() => answer(401));
    const uninstall = installAuthWatch({ window });
    const watched = window.fetch;
    const other: typeof watched = async (input, init) => watched(input, init);
    window.fetch = other;
    uninstall();
    expect(window.fetch).toBe(other);
    expect((await window.fetch('/a')).status).toBe(401);
    expect(window.heard).toEqual([]);
    expect(window.sent[0]?.init).toBeUndefined();
  });

  it('taken out while a call is on its way, it does not tell that call', async () => {
    const { promise, resolve } = deferred<Response>();
    const window = fakeWindow(() => promise);
    const uninstall = installAuthWatch({ window });
    const call = window.fetch('/a');
    uninstall();
    resolve(answer(401));
    expect((await call).status).toBe(401);
    expect(window.heard).toEqual([]);
  });

  it('can be installed again after it was taken out', async () => {
    const window = fakeWindow(() => answer(401));
    installAuthWatch({ window })();
    installAuthWatch({ window, exempt: ['/quiet/'] });
    await window.fetch('/a');
    await window.fetch('/quiet/a');
    expect(window.heard.map(({ pathname }) => pathname)).toEqual(['/a']);
  });

  it('leaves calls to other origins than `origins` alone', async () => {
    const window = fakeWindow(() => answer(401));
    installAuthWatch({ window, origins: ['https://panel.example'] });
    await window.fetch('https://elsewhere.example/a');
    expect([window.heard, window.sent[0]?.init]).toEqual([[], undefined]);
    await window.fetch('/a');
    expect(window.heard).toHaveLength(1);
  });

  it('two windows do not know of each other', async () => {
    const one = fakeWindow(() => answer(401));
    const other = fakeWindow(() => answer(401));
    installAuthWatch({ window: one });
    await other.fetch('/a');
    expect(other.heard).toEqual([]);
    installAuthWatch({ window: other });
    await other.fetch('/a');
    expect([one.heard.length, other.heard.length]).toEqual([0, 1]);
  });
});
