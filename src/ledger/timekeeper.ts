import type { Clock } from '../clock.js';
import { readExpiryHeader } from '../policy/expiry.js';
import { headersOfAnswer } from '../policy/outcome.js';
import type { Call } from './call.js';
import type { Ledger } from './ledger.js';

/** Learns from answers how far their upstream's clock is ahead, and when credentials expire. */
export class Timekeeper {
  readonly #ledger: Pick<Ledger, 'hintLate' | 'hints' | 'sequence'>;
  readonly #clock: Clock;
  readonly #header: string | undefined;
  readonly #names: readonly string[];

  /** `header`: where answers say when the credential expires that they were got with; lower case. */
  constructor(ledger: Pick<Ledger, 'hintLate' | 'hints' | 'sequence'>, clock: Clock, header: string | undefined) {
    this.#ledger = ledger;
    this.#clock = clock;
    this.#header = header;
    this.#names = header === undefined ? ['date', 'age'] : ['date', 'age', header];
  }

  note({ identity, sent }: Call, answer: unknown): void {
    if (typeof answer !== 'object' || answer === null) return;
    const now = this.#clock.now();
    const clock = this.#ledger.hints.clocks.of(identity.provider);
    const isSample = clock.isWanted(now);
    if (!isSample && this.#header === undefined) return;
    const headers = headersOfAnswer(answer, this.#names);
    const date = Date.parse(headers['date'] ?? '');
    // What a cache kept says when it was kept.
    if (isSample && !Number.isNaN(date) && headers['age'] === undefined) clock.sample(date, now);
    const text = this.#header === undefined ? undefined : headers[this.#header];
    const read = text === undefined ? undefined : readExpiryHeader(text, now);
    if (read === undefined) return;
    const { expiresAt } = read;
    this.#ledger.hintLate(identity, { expiresAt, at: this.#ledger.sequence.bounded(sent), byUpstream: read.clock === 'upstream' });
  }
}
