import { requireOptions } from '../arguments.js';
import { Choices, type Chooser, printSchedule, readSchedule, recorded, seededRandom, strategy } from './choices.js';
import { ExplorationError } from './exploration-error.js';
import { settle } from './settle.js';
import { shrink } from './shrink.js';
import { takeUnhandledRejections } from './unhandled-rejections.js';
import { type Played, type Scenario, ScheduledWorld } from './world.js';

/** Options of `explore`. */
export interface ExploreOptions {
  /** From 0 to 2^32 - 1; the same one makes the same schedules. Default 1. */
  readonly seed?: number | undefined;
  /** How many schedules are tried. Default 500. */
  readonly schedules?: number | undefined;
  /** After so many milliseconds of real time no further one is begun. Default 3 s, and as many again to find the shortest way to a failure. */
  readonly ms?: number | undefined;
}

/** What an exploration that found nothing has looked at. */
export interface Explored {
  readonly schedules: number;
  readonly steps: number;
}

interface Tried {
  readonly played: Played;
  readonly choices: readonly number[];
  readonly steps: readonly string[];
}

const MOST_SEED = 2 ** 32 - 1;
/** As they are when this file is loaded. */
const { performance: stopwatch } = globalThis;

/**
 * Plays a scenario under many schedules, one after the other, while timers, `Date` and `Math.random` of this thread are the world's.
 * Resolves if it never fails; otherwise rejects with the shortest schedule found that does. A promise that is rejected meanwhile and that nobody
 * handles is a failure, too; whoever else listens for such does not hear of it.
 * @throws {ExplorationError} that prints the steps and the schedule, for `replay`.
 * @throws {TypeError} naming the option that is wrong.
 */
export async function explore(scenario: Scenario, options: ExploreOptions = {}): Promise<Explored> {
  requireOptions('explore', options, ['seed', 'schedules', 'ms']);
  const { seed = 1, schedules = 500, ms = 3_000 } = options;
  requireScenario('explore', scenario);
  if (!Number.isSafeInteger(seed) || seed < 0 || seed > MOST_SEED)
    throw new TypeError('explore: `seed` must be a whole number from 0 to 4294967295');
  if (!Number.isSafeInteger(schedules) || schedules < 1) throw new TypeError('explore: `schedules` must be a whole number, 1 or more');
  if (typeof ms !== 'number' || !(ms > 0)) throw new TypeError('explore: `ms` must be a number of milliseconds, more than 0');
  // What was left alone before is for whoever listens for it.
  await settle(1);
  const startedAt = stopwatch.now();
  const random = seededRandom(seed);
  let steps = 0;
  for (let number = 0; number < schedules; number++) {
    if (number > 0 && stopwatch.now() - startedAt >= ms) return { schedules: number, steps };
    const tried = await play(scenario, seed, strategy(number, random));
    steps += tried.steps.length;
    if (tried.played.failure !== undefined) throw await failureOf(scenario, seed, ms, tried, `schedule ${number + 1} of ${schedules}`);
  }
  return { schedules, steps };
}

/**
 * Plays a scenario under one schedule, as `explore` printed it. Resolves to what happened if it does not fail.
 * @throws {ExplorationError} if it does.
 */
export async function replay(scenario: Scenario, schedule: string): Promise<readonly string[]> {
  requireScenario('replay', scenario);
  const { seed, choices } = readSchedule(schedule);
  await settle(1);
  const { played, steps } = await play(scenario, seed, recorded(choices));
  if (played.failure === undefined) return steps;
  throw new ExplorationError(played, schedule, 'replay: the scenario fails');
}

async function failureOf(scenario: Scenario, seed: number, ms: number, first: Tried, which: string): Promise<ExplorationError> {
  const again = async (choices: readonly number[]): Promise<Tried | undefined> => {
    const tried = await play(scenario, seed, recorded(choices));
    return tried.played.failure === undefined ? undefined : tried;
  };
  const until = stopwatch.now() + ms;
  const second = await again(first.choices);
  const { played, choices } = second === undefined ? first : await shrink(second, again, () => stopwatch.now() >= until);
  const found =
    second === undefined
      ? `explore: the scenario fails under ${which} (seed ${seed}), but not again: something in it does not go by the world's clock`
      : `explore: the scenario fails under ${which} (seed ${seed}); the shortest way there that was found:`;
  return new ExplorationError(played, printSchedule(seed, choices), found);
}

async function play(scenario: Scenario, seed: number, choose: Chooser): Promise<Tried> {
  const choices = new Choices(choose);
  const world = new ScheduledWorld(choices);
  const uninstall = world.clock.install();
  const giveBack = takeUnhandledRejections((reason) => world.leftAlone(reason));
  const { random } = Math;
  Math.random = seededRandom(seed);
  try {
    const played = await world.play(scenario);
    return { played, choices: choices.told, steps: played.steps };
  } finally {
    Math.random = random;
    giveBack();
    world.clock.close();
    uninstall();
  }
}

function requireScenario(caller: string, scenario: unknown): void {
  if (typeof scenario !== 'function') throw new TypeError(`${caller}: \`scenario\` must be a function`);
}
