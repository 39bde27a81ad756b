import * as Sentry from '@sentry/node';
import { sentryReporter } from '../../src/adapters/sentry.js';
import type { Reporter } from '../../src/index.js';

/** How many events the SDK's transport holds before it drops. */
const BUFFER = 64;
const FLUSH_MS = 10_000;

/** `@sentry/node` with its own transport, in a client of its own: nothing is left in it from another policy or setting. */
export class ErrorTracker {
  readonly #client: Sentry.NodeClient;
  #unflushed = 0;

  constructor(dsn: string) {
    this.#client = new Sentry.NodeClient({
      dsn,
      transport: Sentry.makeNodeTransport,
      stackParser: Sentry.defaultStackParser,
      // Without Dedupe, and without those that instrument the process.
      integrations: [Sentry.eventFiltersIntegration(), Sentry.functionToStringIntegration(), Sentry.linkedErrorsIntegration()],
    });
    Sentry.setCurrentClient(this.#client);
    this.#client.init();
  }

  capture(error: Error): void {
    this.#unflushed++;
    Sentry.captureException(error);
  }

  /** What tells Latchkey's incidents to it. */
  reporter(): Reporter {
    return sentryReporter(Sentry);
  }

  /** Waits until what was captured has gone, if `captures` more might not find room beside it. */
  async makeRoomFor(captures: number): Promise<void> {
    if (this.#unflushed + captures > BUFFER) await this.#flush();
  }

  /** Flushes twice: what the SDK had to drop goes out after the rest. */
  async close(): Promise<void> {
    await this.#flush();
    await this.#flush();
    await this.#client.close(FLUSH_MS);
  }

  async #flush(): Promise<void> {
    if (!(await this.#client.flush(FLUSH_MS))) throw new Error('the error tracker did not take its events in time');
    this.#unflushed = 0;
  }
}
