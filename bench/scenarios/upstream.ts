import { setTimeout as sleep } from 'node:timers/promises';

/** An upstream in this process: it looks at the token when a call arrives, and answers after its latency. */
export class Upstream {
  readonly alive = new Set<string>();
  calls = 0;
  unauthorized = 0;
  /** Calls that had left when the first 401 was answered, or known to whoever sends them. */
  callsOut = 0;
  #isKnown = false;
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

  /** Whoever sends calls has learnt from a 401: those that had left by then could not know. */
  readonly learnt = (): void => {
    if (this.#isKnown) return;
    this.#isKnown = true;
    this.callsOut = this.calls;
  };

  /** From here on it is counted. */
  reset(): void {
    this.calls = this.unauthorized = this.callsOut = 0;
  }
}
