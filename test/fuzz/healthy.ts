import { bearer, createLatchkey, type Latchkey, type LatchkeyOptions } from '../../src/index.js';
import { ended, PLAIN_SECRET, require, requireNoSecret } from './ground.js';

/** One that is used for so many inputs, and then replaced: what an input has left behind meets the next ones. */
const MOST_USES = 300;

/** A Latchkey that inputs are thrown at, and that has to be in order after each. */
export class Subject {
  readonly #options: LatchkeyOptions;
  #latchkey: Latchkey | undefined;
  #uses = 0;

  constructor(options: LatchkeyOptions = {}) {
    this.#options = options;
  }

  get latchkey(): Latchkey {
    if (this.#latchkey === undefined || ++this.#uses > MOST_USES) {
      void this.#latchkey?.close({ timeoutMs: 0 });
      this.#uses = 0;
      this.#latchkey = createLatchkey({ probe: 'off', ...this.#options });
    }
    return this.#latchkey;
  }

  /** Work whose credential nobody has touched goes on, and nothing is given away. */
  async requireHealthy(): Promise<void> {
    const latchkey = this.#latchkey;
    if (latchkey === undefined) return;
    const scope = { tenant: 'healthy', session: 'healthy', provider: 'healthy' };
    latchkey.capture(scope, bearer(PLAIN_SECRET));
    require(latchkey.canRun(scope), 'a healthy scope cannot run');
    const value = await ended(latchkey.run(scope, () => 'fine', { whenBlocked: 'skip' }));
    require(value === 'fine', `a healthy run came to ${String(value)}`);
    const { running, waiting } = latchkey.stats();
    require(running === 0 && waiting === 0, `${running} run and ${waiting} wait`);
    this.requireSnapshot();
  }

  /** It serialises, holds no secret, and each number in it is one. */
  requireSnapshot(): void {
    const text = JSON.stringify(this.#latchkey?.snapshot() ?? {});
    requireNoSecret('a snapshot', text);
    JSON.parse(text, (name, value: unknown) => {
      const isMoment = name === 'since' || name === 'until' || name === 'at' || name === 'openedAt';
      require(!isMoment || Number.isFinite(value), `${name} is ${String(value)}`);
      return value;
    });
  }
}
