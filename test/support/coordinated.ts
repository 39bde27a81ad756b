import { Sequence } from '../../src/ledger/sequence.js';
import type { Coordinator, Store } from '../../src/ledger/store.js';

export interface CoordinatedStore extends Store {
  /** Whether it answers. */
  up: boolean;
}

/** A store in which processes agree on who does what, and share nothing else. */
export function coordinatedStore(coordinator: Coordinator): CoordinatedStore {
  const store: CoordinatedStore = {
    up: true,
    attach: () => ({
      get state() {
        return store.up ? 'up' : 'down';
      },
      sequence: new Sequence(),
      coordinator,
      journal: {
        presented: () => {},
        succeeded: () => {},
        learnt: () => {},
        proven: () => {},
        pinned: () => {},
        evicted: () => {},
        dropped: () => {},
        forgotten: () => {},
      },
      start: () => {},
      ready: async () => {},
      isLoaded: () => true,
      load: async () => {},
      wait: () => () => {},
      flush: async () => {},
      close: async () => {},
    }),
  };
  return store;
}
