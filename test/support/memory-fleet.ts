import { type Clock, systemClock } from '../../src/clock.js';
import { createFleetStore } from '../../src/fleet/store.js';
import { createLatchkey, type Latchkey, type LatchkeyOptions } from '../../src/index.js';
import { type MemoryCarrier, MemoryStore } from './memory-carrier.js';

export const SEAL = 'a sealing secret of 32 characters or more';

export interface MemoryProcess {
  readonly latchkey: Latchkey;
  readonly carrier: MemoryCarrier;
}

/** Several Latchkeys of one process on one store in memory, as if each were a process of its own. */
export class MemoryFleet {
  readonly store: MemoryStore;
  readonly processes: MemoryProcess[] = [];
  readonly #clock: Clock;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
    this.store = new MemoryStore({ clock });
  }

  add(
    options: LatchkeyOptions & { readonly seal?: string | undefined; readonly syncMs?: number; readonly helloMs?: number } = {},
  ): MemoryProcess {
    const { seal = SEAL, syncMs = 2_000, helloMs, ...rest } = options;
    const carrier = this.store.carrier();
    if (helloMs !== undefined) slow(carrier, helloMs);
    const store = createFleetStore({
      carrier,
      namespace: 'test',
      ...('seal' in options && options.seal === undefined ? { fingerprintKey: SEAL } : { seal }),
      syncMs,
      // All count alike, so that numbers meet as often as can be.
      process: 0,
    });
    const process = { carrier, latchkey: createLatchkey({ clock: this.#clock, store, ...rest }) };
    this.processes.push(process);
    return process;
  }

  async ready(): Promise<void> {
    await Promise.all(this.processes.map(({ latchkey }) => latchkey.ready()));
    await settled();
  }

  async close(): Promise<void> {
    await Promise.all(this.processes.map(({ latchkey }) => latchkey.close({ timeoutMs: 100 })));
  }
}

/** Everything that is on its way between processes and store arrives: calls and messages take a few microtasks each. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 200; turn++) await Promise.resolve();
}

/** The store is far away at first. */
function slow(carrier: MemoryCarrier, ms: number): void {
  const { hello } = carrier;
  carrier.hello = async (known) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return hello(known);
  };
}
