import type { bearer, createLatchkey } from '../../src/index.js';
import { maxRejections, reportedOnce } from '../../src/testkit/assertions.js';
import { createRecordingReporter } from '../../src/testkit/recording-reporter.js';
import type { Scenario } from '../../src/testkit/world.js';

/** The library, as it is or with a bug planted in it. */
export interface Library {
  readonly createLatchkey: typeof createLatchkey;
  readonly bearer: typeof bearer;
}

/** One of the stories, as the schedule picks. */
export function scenarioOf(library: Library): Scenario {
  const [first, ...others] = Object.values(stories(library)) as [Scenario, ...Scenario[]];
  return (world) => world.pick('story', [first, ...others])(world);
}

/** Stories that any interleaving must leave true. */
function stories({ createLatchkey, bearer }: Library): Readonly<Record<string, Scenario>> {
  const [A, B, C] = [bearer('token-of-a'), bearer('token-of-b'), bearer('token-of-c')];
  const credentials = { A, B, C };
  const ignored = (): undefined => undefined;

  return {
    'a slow 401 of the old token does not reach the new one': async (world) => {
      const upstream = world.upstream({ credentials, rules: [{ for: 'A', status: 401 }] });
      const latchkey = createLatchkey({ clock: world.clock });
      latchkey.capture('ada', A).settle(200);
      for (const worker of [1, 2]) void world.schedule(`worker ${worker}`, () => latchkey.run('ada', upstream.attempt).catch(ignored));
      void world.schedule('the client brings B', () => latchkey.capture('ada', B));
      await world.idle(1_000);
      if (!latchkey.canRun('ada')) throw new Error('B was never rejected, and is not used');
    },

    'the answer to the call that was sent last decides': async (world) => {
      const upstream = world.upstream({ credentials, rules: [{ for: 'A', status: 401, from: 50 }] });
      const latchkey = createLatchkey({ clock: world.clock });
      latchkey.capture('ada', A).settle(200);
      for (const worker of [1, 2]) void world.schedule(`worker ${worker}`, () => latchkey.run('ada', upstream.attempt).catch(ignored));
      void world.schedule('A dies', () => world.clock.advance(50));
      await world.idle(1_000);
      const isDead = upstream.calls.at(-1)?.status === 401;
      if (latchkey.canRun('ada') === isDead) throw new Error(isDead ? 'A is dead, and is used still' : 'A is not used, though it works');
    },

    'the answer to the call that was sent last decides, also where it is good': async (world) => {
      const upstream = world.upstream({ credentials, rules: [{ for: 'A', status: 401, until: 50 }] });
      const latchkey = createLatchkey({ clock: world.clock });
      latchkey.capture('ada', A).settle(200);
      for (const worker of [1, 2]) void world.schedule(`worker ${worker}`, () => latchkey.run('ada', upstream.attempt).catch(ignored));
      void world.schedule('A is good again', () => world.clock.advance(50));
      await world.idle(1_000);
      const isDead = upstream.calls.at(-1)?.status === 401;
      if (latchkey.canRun('ada') === isDead) throw new Error(isDead ? 'A is dead, and is used still' : 'A is not used, though it works');
    },

    'a dead token that is presented again and again is sent once': async (world) => {
      const upstream = world.upstream({ credentials, rules: [{ for: 'A', status: 401 }] });
      const latchkey = createLatchkey({ clock: world.clock });
      for (const time of [1, 2, 3]) {
        void world.schedule(`the client presents A, ${time}`, () => latchkey.capture('ada', A));
        void world.schedule(`worker ${time}`, () => latchkey.run('ada', upstream.attempt, { whenBlocked: 'skip' }).catch(ignored));
      }
      await world.idle(1_000);
      maxRejections(upstream, 1);
    },

    'a run sends twice at the most, parked or not': async (world) => {
      const upstream = world.upstream({
        credentials,
        rules: [
          { for: 'A', status: 401 },
          { for: 'B', status: 401 },
        ],
      });
      const latchkey = createLatchkey({ clock: world.clock });
      latchkey.capture('ada', A);
      void world.schedule('the client brings B', () => latchkey.capture('ada', B));
      void world.schedule('the client brings C', () => latchkey.capture('ada', C));
      void latchkey.run('ada', upstream.attempt, { whenBlocked: world.pick('whenBlocked', ['throw', 'park']) }).catch(ignored);
      await world.idle(1_000);
      if (upstream.calls.length > 2) throw new Error(`one run has sent ${upstream.calls.length} times`);
    },

    'who is called off takes nobody along': async (world) => {
      const upstream = world.upstream({ credentials, rules: [{ for: 'A', status: 401 }] });
      const latchkey = createLatchkey({ clock: world.clock });
      const controller = new AbortController();
      latchkey.capture('ada', A);
      const run = (signal?: AbortSignal) => latchkey.run('ada', upstream.attempt, { whenBlocked: 'park', parkMs: 500, signal });
      void world.schedule('a worker that will be called off', () => run(controller.signal).catch(ignored));
      const others = [1, 2].map((worker) => world.schedule(`worker ${worker}`, () => run()));
      void world.schedule('it is called off', () => controller.abort(new Error('called off')));
      void world.schedule('the client brings B', () => latchkey.capture('ada', B));
      await Promise.all(others);
    },

    'whoever meets it, one incident is reported once': async (world) => {
      const reporter = createRecordingReporter();
      const upstream = world.upstream({ credentials, rules: [{ for: 'A', status: 401 }] });
      const latchkey = createLatchkey({ clock: world.clock, reporter });
      latchkey.capture('ada', A);
      for (const purpose of ['distil', 'curate', 'warm']) {
        const scope = { session: 'ada', purpose };
        void world.schedule(purpose, () => latchkey.run(scope, upstream.attempt, { whenBlocked: 'skip' }).catch(ignored));
      }
      await world.idle(1_000);
      reportedOnce(reporter, { credential: A, ended: false });
    },
  };
}
