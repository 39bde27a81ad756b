import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Latchkey } from 'latchkey';
import { createOperator } from 'latchkey/operator';
import type { User } from './users.js';

export const CREDENTIALS_PATH = '/latchkey';

export interface CredentialsPageOptions {
  /** Whether browsers reach the gateway over https. */
  readonly https: boolean;
  readonly print: (line: string) => void;
}

/**
 * The package's own page, behind this gateway's login: which credentials are dead, whose work waits for them, and how to free or forget it. It shows
 * what clients call their sessions, since that is what can be evicted.
 */
export function createCredentialsPage(latchkey: Latchkey, { https, print }: CredentialsPageOptions) {
  const users = new WeakMap<object, string>();
  const operator = createOperator(latchkey, {
    basePath: CREDENTIALS_PATH,
    https,
    // The gateway's own login has been here before.
    authorize: (request) => users.get(request) ?? false,
    // A real gateway keeps them: `openAuditLog` of latchkey/guard.
    audit: {
      record(event, fields) {
        print(`audit     ${event} ${JSON.stringify(fields)}`);
        return true;
      },
    },
    onError: (error) => print(`the credentials page failed: ${error instanceof Error ? error.name : typeof error}`),
  });
  return {
    handle(request: IncomingMessage, response: ServerResponse, user: User | undefined): Promise<void> {
      users.set(request, user?.name ?? 'this machine');
      return operator.handle(request, response);
    },
    close: (): void => operator.close(),
  };
}
