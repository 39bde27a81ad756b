import { importBuilt } from '../support/built.js';
import { inOrder, type Order, sessionIds, tokenOf } from '../support/sessions.js';
import type { Passes } from './passes.js';

/** A pass asks about 100,000 sessions, or about each once if there are more. */
const LEAST_CALLS = 100_000;

type LookUp = (sessions: number, order: Order) => Promise<Passes>;

export const LOOK_UPS: Readonly<Record<string, LookUp>> = {
  'Map.get': async (sessions, order) => {
    const ids = sessionIds(sessions);
    const map = new Map(ids.map((id, index) => [id, { index }]));
    return asking(inOrder(ids, order), (keys, rounds) => {
      let found = 0;
      for (let round = 0; round < rounds; round++) {
        for (let at = 0; at < keys.length; at++) if (map.get(keys[at]!) !== undefined) found++;
      }
      return found;
    });
  },

  'latchkey.canRun': async (sessions, order) => {
    const { latchkey, ids } = await filled(sessions);
    return asking(inOrder(ids, order), (keys, rounds) => {
      let found = 0;
      for (let round = 0; round < rounds; round++) {
        for (let at = 0; at < keys.length; at++) if (latchkey.canRun(keys[at]!)) found++;
      }
      return found;
    });
  },

  'latchkey.resolve': async (sessions, order) => {
    const { latchkey, ids } = await filled(sessions);
    return asking(inOrder(ids, order), (keys, rounds) => {
      let found = 0;
      for (let round = 0; round < rounds; round++) {
        for (let at = 0; at < keys.length; at++) if (latchkey.resolve(keys[at]!).ok) found++;
      }
      return found;
    });
  },
};

/** A latchkey whose sessions have each presented a credential of their own, and done a piece of work with it. */
async function filled(sessions: number) {
  const { createLatchkey, bearer } = await importBuilt();
  const latchkey = createLatchkey({ limits: { sessions } });
  const ids = sessionIds(sessions);
  for (let index = 0; index < sessions; index++) {
    latchkey.capture(ids[index]!, bearer(tokenOf(index)));
    await latchkey.run(ids[index]!, async () => index);
  }
  return { latchkey, ids };
}

function asking(keys: readonly string[], ask: (keys: readonly string[], rounds: number) => number): Passes {
  const rounds = Math.max(1, Math.round(LEAST_CALLS / keys.length));
  const calls = rounds * keys.length;
  return {
    calls,
    pass() {
      if (ask(keys, rounds) !== calls) throw new Error('a session was not found');
    },
  };
}
