import { startTimer } from '../clock.js';

const MOST_A_WINDOW = 60;
const WINDOW_MS = 60_000;

type Fields = Readonly<Record<string, unknown>>;

/** Records who was refused, line by line up to 60 a minute, and then how many more there were: nobody can fill a disk by knocking. */
export class RefusalLog {
  readonly #record: (fields: Fields) => void;
  #written = 0;
  #left = 0;
  #window: { cancel(): void } | undefined;

  constructor(record: (fields: Fields) => void) {
    this.#record = record;
  }

  refused(fields: Fields): void {
    this.#window ??= startTimer(WINDOW_MS, () => this.close());
    if (this.#written === MOST_A_WINDOW) {
      this.#left++;
    } else {
      this.#written++;
      this.#record(fields);
    }
  }

  /** Ends the minute that has begun; the next refusal begins another. */
  close(): void {
    this.#window?.cancel();
    this.#window = undefined;
    const left = this.#left;
    this.#written = 0;
    this.#left = 0;
    if (left > 0) this.#record({ reason: 'many', count: left });
  }
}
