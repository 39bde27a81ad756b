import { setTimeout as sleep } from 'node:timers/promises';

/** An upstream in this process: it looks at the token when a call arrives, and answers after its latency. */
export class Upstream {
  readonly alive = new Set<string>();
  calls = 0;
  unauthorized = 0;
  /**
   * Calls that had left when the first 401 was answered. What waits for that answer goes on before the next timer fires, which is what starts a worker: so
   * whoever needs no more than promises to act upon it has nothing more under way.
   */
  callsOut = 0;
  readonly #latencyMs: () => number;
  readonly #first401: () => void;

  /** `first401` hears of that one. */
  constructor(latencyMs: () => number, first401: () => void = () => {}) {
    this.#latencyMs = latencyMs;
    this.#first401 = first401;
  }

  readonly send = async (token: string): Promise<Response> => {
    this.calls++;
    const isAlive = this.alive.has(token);
    await sleep(this.#latencyMs());
    if (isAlive) return new Response('{"done":true}', { headers: { 'content-type': 'application/json' } });
    if (this.unauthorized++ === 0) {
      this.callsOut = this.calls;
      this.#first401();
    }
    return new Response('{"error":"invalid token"}', {
      status: 401,
      headers: { 'content-type': 'application/json', 'www-authenticate': 'Bearer error="invalid_token"' },
    });
  };

  /** From here on it is counted. */
  reset(): void {
    this.calls = this.unauthorized = this.callsOut = 0;
  }
}
