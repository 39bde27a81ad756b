import { setTimeout as sleep } from 'node:timers/promises';
import type { ScenarioCase } from './case.js';
import type { Upstream } from './upstream.js';

export const OLD = 'token-old';
export const NEW = 'token-new';

/** Brings what the case says, after so long. */
export class TokenEndpoint {
  refreshes = 0;
  readonly #upstream: Upstream;
  readonly #brings: ScenarioCase['brings'];
  readonly #ms: number;

  constructor(upstream: Upstream, brings: ScenarioCase['brings'], ms: number) {
    this.#upstream = upstream;
    this.#brings = brings;
    this.#ms = ms;
  }

  readonly refresh = async (): Promise<string> => {
    this.refreshes++;
    await sleep(this.#ms);
    // RFC 6749, section 5.2, as clients throw it.
    if (this.#brings === 'invalid_grant') throw Object.assign(new Error('refused'), { status: 400, error: 'invalid_grant' });
    if (this.#brings === 'same') return OLD;
    this.#upstream.alive.add(NEW);
    return NEW;
  };
}
