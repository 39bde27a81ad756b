import { getEventListeners } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { SignalLinks } from '../../src/adapters/fetch/signal-links.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

describe('signal links', () => {
  it('follow either signal, with its reason', () => {
    const links = new SignalLinks();
    for (const which of [0, 1]) {
      const controllers = [new AbortController(), new AbortController()] as const;
      const joint = links.link(controllers[0].signal, controllers[1].signal);
      expect(joint.aborted).toBe(false);
      const reason = new Error('enough');
      controllers[which]?.abort(reason);
      expect([joint.aborted, joint.reason]).toEqual([true, reason]);
    }
  });

  it('are aborted from the start if one of them is', () => {
    const links = new SignalLinks();
    const fine = new AbortController().signal;
    expect(links.link(AbortSignal.abort('a'), fine).reason).toBe('a');
    expect(links.link(fine, AbortSignal.abort('b')).reason).toBe('b');
  });

  it('live as long as somebody listens, though nobody holds their controller', async () => {
    const links = new SignalLinks();
    const source = new AbortController();
    const joint = links.link(source.signal, new AbortController().signal);
    for (let round = 0; round < 3; round++) {
      collectGarbage();
      await new Promise((resolve) => setImmediate(resolve));
    }
    source.abort();
    expect(joint.aborted).toBe(true);
  });

  it('work, and leave nothing behind, when what made them is gone', async () => {
    const source = new AbortController();
    const make = (): AbortSignal => new SignalLinks().link(source.signal, new AbortController().signal);
    const joint = make();
    for (let count = 0; count < 100; count++) make();
    const deadline = Date.now() + 10_000;
    while (getEventListeners(source.signal, 'abort').length > 1 && Date.now() < deadline) {
      collectGarbage();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(getEventListeners(source.signal, 'abort')).toHaveLength(1);
    source.abort();
    expect(joint.aborted).toBe(true);
  });

  it('leave nothing behind on a signal that outlives them', async () => {
    const links = new SignalLinks();
    const source = new AbortController();
    for (let count = 0; count < 100; count++) links.link(source.signal, new AbortController().signal);
    const deadline = Date.now() + 10_000;
    while (getEventListeners(source.signal, 'abort').length > 0 && Date.now() < deadline) {
      collectGarbage();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(getEventListeners(source.signal, 'abort')).toHaveLength(0);
  });
});
