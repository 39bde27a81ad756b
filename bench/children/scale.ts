import { importBuilt } from '../support/built.js';
import { subject } from '../support/child.js';
import { sessionIds, tokenOf } from '../support/sessions.js';
import { nsPerCallOfBoth } from '../support/timing.js';

/** One case of `npm run bench -- scale`. */
export interface ScaleCase {
  readonly name: 'resolve' | 'capture' | 'run' | 'idle tick';
  readonly sessions: number;
}

const LEAST_CALLS = 200_000;
const { name, sessions } = subject<ScaleCase>();
const { createLatchkey, bearer } = await importBuilt();

const latchkey = createLatchkey({ limits: { sessions } });
const ids = sessionIds(sessions);
const credentials = ids.map((_, index) => bearer(tokenOf(index)));
const map = new Map(ids.map((id, index) => [id, { index }]));
const attempt = async (): Promise<number> => 1;
for (let at = 0; at < sessions; at++) {
  latchkey.capture(ids[at]!, credentials[at]!);
  await latchkey.run(ids[at]!, attempt);
}

const rounds = Math.max(1, Math.round(LEAST_CALLS / sessions));
const calls = rounds * sessions;

const PASSES: Readonly<Record<ScaleCase['name'], () => number | Promise<number>>> = {
  resolve() {
    let found = 0;
    for (let round = 0; round < rounds; round++) for (let at = 0; at < sessions; at++) if (latchkey.resolve(ids[at]!).ok) found++;
    return found;
  },
  capture() {
    let found = 0;
    for (let round = 0; round < rounds; round++)
      for (let at = 0; at < sessions; at++) if (latchkey.capture(ids[at]!, credentials[at]!).usable) found++;
    return found;
  },
  async run() {
    let found = 0;
    for (let round = 0; round < rounds; round++) for (let at = 0; at < sessions; at++) found += await latchkey.run(ids[at]!, attempt);
    return found;
  },
  'idle tick'() {
    let found = 0;
    for (let round = 0; round < rounds; round++) for (let at = 0; at < sessions; at++) if (latchkey.canRun(ids[at]!)) found++;
    return found;
  },
};

function lookUps(): number {
  let found = 0;
  for (let round = 0; round < rounds; round++) for (let at = 0; at < sessions; at++) if (map.get(ids[at]!) !== undefined) found++;
  return found;
}

async function all(pass: () => number | Promise<number>): Promise<void> {
  if ((await pass()) !== calls) throw new Error('a session was not found');
}

const taken = await nsPerCallOfBoth(
  calls,
  () => all(PASSES[name]),
  () => all(lookUps),
  sessions >= 1e6 ? 5 : 9,
);
console.log(JSON.stringify({ nsPerCall: taken.one, timesMapGet: taken.ratio }));
