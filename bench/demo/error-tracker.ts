import * as Sentry from '@sentry/node';
import type { Reporter } from '../../src/index.js';

/** What the transport holds before it drops, less what may be on its way already. */
const BUFFER = 64;
const FLUSH_MS = 10_000;

/** `@sentry/node` with its own transport, in a client of its own: nothing is left in it from another policy or setting. */
export class ErrorTracker {
  readonly #client: Sentry.NodeClient;
  readonly #scope = new Sentry.Scope();
  #unflushed = 0;

  constructor(dsn: string) {
    this.#client = new Sentry.NodeClient({
      dsn,
      transport: Sentry.makeNodeTransport,
      stackParser: Sentry.defaultStackParser,
      integrations: [Sentry.eventFiltersIntegration(), Sentry.functionToStringIntegration(), Sentry.linkedErrorsIntegration()],
      sendClientReports: false,
    });
    this.#scope.setClient(this.#client);
    this.#client.init();
  }

  capture(error: Error): void {
    this.#unflushed++;
    this.#scope.captureException(error);
  }

  reporter(): Reporter {
    return { opened: (incident) => this.capture(new Error(`credential rejected: ${incident.fingerprint}`)), ended: () => {} };
  }

  /** Waits until what was captured has gone, if `captures` more might not find room beside it. */
  async makeRoomFor(captures: number): Promise<void> {
    if (this.#unflushed + captures > BUFFER) await this.#flush();
  }

  async close(): Promise<void> {
    await this.#flush();
    await this.#client.close(FLUSH_MS);
  }

  async #flush(): Promise<void> {
    if (!(await this.#client.flush(FLUSH_MS))) throw new Error('the error tracker did not take its events in time');
    this.#unflushed = 0;
  }
}
