interface Turns {
  readonly setImmediate?: ((act: () => void) => unknown) | undefined;
  readonly setTimeout: (act: () => void, ms: number) => unknown;
}

/** As they are when this file is loaded: fake timers that are put in their place later hold nothing up here. */
const { setImmediate, setTimeout }: Turns = globalThis;

/** Lets everything that is ready to happen without time passing happen. */
export async function settle(turns = 2): Promise<void> {
  for (let turn = 0; turn < turns; turn++) {
    await new Promise<void>((resolve) => {
      if (setImmediate === undefined) setTimeout(resolve, 0);
      else setImmediate(resolve);
    });
  }
}
