import { inspect, parseArgs } from 'node:util';
import type { Target } from './target.js';
import { TARGETS } from './targets.js';

// Inputs by the million, each target's by the one seed: the line that a failure prints is all that is needed to repeat it.

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    target: { type: 'string' },
  },
});
const inputs = Number(values.inputs);
const seed = Number(values.seed);
if (!Number.isSafeInteger(inputs) || inputs < 1 || !Number.isSafeInteger(seed))
  throw new TypeError('fuzz: `--inputs` must be a whole number, 1 or more, `--seed` a whole number');

const { target } = values;
const chosen: readonly Target[] = target === undefined ? TARGETS : TARGETS.filter(({ name }) => name.startsWith(target));
const shares = chosen.reduce((sum, { share }) => sum + share, 0);
const unhandled: unknown[] = [];
process.on('unhandledRejection', (reason) => void unhandled.push(reason));

process.stdout.write(`seed ${seed}\n\n| target | inputs |\n| --- | ---: |\n`);
let total = 0;
const failures: string[] = [];
for (const { name, share, run } of chosen) {
  const tried = await run(Math.ceil((inputs * share) / shares), seed);
  await new Promise<void>((resolve) => setImmediate(resolve));
  for (const reason of unhandled.splice(0)) failures.push(`${name}: unhandled: ${inspect(reason)}`);
  total += tried.inputs;
  process.stdout.write(`| ${name} | ${tried.inputs.toLocaleString('en')} |\n`);
  if (tried.failure !== undefined) failures.push(`${name}: ${tried.failure}`);
}
process.stdout.write(
  `| all | ${total.toLocaleString('en')} |\n\n${failures.length === 0 ? 'Nothing was found.' : failures.join('\n\n')}\n`,
);
// Some inputs have begun what has no end.
process.exit(failures.length === 0 ? 0 : 1);
