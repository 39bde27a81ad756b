import * as Sentry from '@sentry/node';
import { latchkeyIntegration } from '../../src/adapters/sentry.js';
import { type SentryEndpoint, sentryEndpoint } from './sentry-endpoint.js';

type Options = NonNullable<Parameters<typeof Sentry.init>[0]>;

const PROCESS_EVENTS = ['beforeExit', 'uncaughtException', 'unhandledRejection'];

export interface StartedSentry extends SentryEndpoint {
  /** Waits until all is sent: the second time for the client reports, which go out with the first. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** The real SDK with its default integrations and ours before them, sending to a loopback endpoint. */
export async function startSentry(options: Partial<Options> = {}): Promise<StartedSentry> {
  const endpoint = await sentryEndpoint();
  const before = PROCESS_EVENTS.map((name) => [name, process.listeners(name as 'exit')] as const);
  Sentry.init({ dsn: endpoint.dsn, integrations: (defaults) => [latchkeyIntegration(), ...defaults], ...options });
  return {
    ...endpoint,
    async flush() {
      await Sentry.flush(5_000);
      await Sentry.flush(5_000);
    },
    async close() {
      await Sentry.close(5_000);
      Sentry.getIsolationScope().clearBreadcrumbs();
      Sentry.getCurrentScope().setClient(undefined);
      // The SDK leaves them behind.
      for (const [name, known] of before)
        for (const listener of process.listeners(name as 'exit')) if (!known.includes(listener)) process.off(name, listener);
      await endpoint.close();
    },
  };
}

/** The forms in which a value could be found in what was sent. */
export function formsOf(value: string): string[] {
  const base64 = Buffer.from(value).toString('base64');
  // Inside of a longer text the bytes before it shift its base64; the middle is the same at every third.
  const shifted = [1, 2].map((offset) =>
    Buffer.from('\0'.repeat(offset) + value)
      .toString('base64')
      .slice(4, -4),
  );
  return [value, encodeURIComponent(value), base64.replace(/=+$/, '').slice(0, -1), ...shifted];
}
