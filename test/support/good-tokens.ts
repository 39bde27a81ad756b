import type { Lease } from '../../src/index.js';
import { statusError } from './attempts.js';

/** An upstream that knows which tokens are good; answers take a turn of the event loop. */
export class GoodTokens {
  readonly good = new Set<string>();
  answered = 0;

  /** What a client sees that sends a token itself. */
  status(token: string): number {
    return this.good.has(token) ? 200 : 401;
  }

  readonly attempt = async (lease: Lease): Promise<string> => {
    const token = lease.credential.reveal();
    await new Promise((resolve) => setImmediate(resolve));
    this.answered++;
    if (!this.good.has(token)) throw statusError(401);
    return token;
  };
}
