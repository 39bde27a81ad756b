import type { Incident, Latchkey, Reporter } from '../../src/index.js';
import { EVENT_NAMES } from '../support/heard.js';
import type { Place } from './issuer.js';
import type { Laws } from './laws.js';
import { identityAt, scopeAt } from './runs.js';
import type { Secrets } from './secrets.js';
import type { Witness } from './witness.js';

/** So many incidents are remembered. */
const MOST_INCIDENTS = 1_000;

/** Longer than the end of an outage takes to be known everywhere. */
const TROUBLE_MS = 2_000;

/**
 * Who was told of which incident: once that it is open, once that it is over, by whichever process. Whoever cannot reach the store, or gets no answer, tells
 * alone: then each does so once.
 */
export class Reports {
  readonly #laws: Laws;
  readonly #secrets: Secrets;
  readonly #told = new Map<string, { opened: number; ended: number }>();
  #troubles = 0;
  #troubledAt = Number.NEGATIVE_INFINITY;

  constructor(laws: Laws, secrets: Secrets) {
    this.#laws = laws;
    this.#secrets = secrets;
  }

  /** Something is wrong with the store, until the promise ends. */
  troubled(trouble: Promise<void>): void {
    this.#troubles++;
    void trouble.finally(() => {
      this.#troubles--;
      this.#troubledAt = performance.now();
    });
  }

  reporter(by: number): Reporter {
    return {
      opened: (incident) => this.#hear(incident, 'opened', by),
      ended: (incident) => this.#hear(incident, 'ended', by),
    };
  }

  #hear(incident: Incident, what: 'opened' | 'ended', by: number): void {
    this.#secrets.look('a report', incident);
    this.#laws.note(`${by} reports ${what} ${incident.id} (${incident.kind} ${incident.fingerprint}, ${incident.end})`);
    const isTroubled = this.#troubles > 0 || performance.now() - this.#troubledAt < TROUBLE_MS;
    // Under this id, by whomever.
    const opened = `opened ${incident.id}`;
    if (what === 'opened') this.#told.set(opened, { opened: 1, ended: 0 });
    else this.#laws.check('L6', this.#told.has(opened), () => `incident ${incident.id} ends and was never told`);
    this.#check(isTroubled ? `${by} ${incident.id}` : incident.id, what);
  }

  #check(id: string, what: 'opened' | 'ended'): void {
    const told = this.#told.get(id) ?? { opened: 0, ended: 0 };
    told[what]++;
    this.#told.set(id, told);
    this.#laws.check('L6', told[what] === 1, () => `incident ${id} is told ${told[what]} times as ${what}`);
    for (const oldest of this.#told.keys()) {
      if (this.#told.size <= MOST_INCIDENTS) break;
      this.#told.delete(oldest);
    }
  }
}

/** Hears everything that a process tells: for secrets, for what it says that it has learnt, and for what is told twice. */
export function listen(
  latchkey: Latchkey,
  by: number,
  saysOnce: boolean,
  { laws, secrets, witness }: { laws: Laws; secrets: Secrets; witness: Witness },
): void {
  for (const name of EVENT_NAMES) latchkey.on(name, (event: unknown) => secrets.look(`the event ${name}`, event));
  latchkey.on('rejected', ({ scope, fingerprint, reach, late, strike }) => {
    laws.note(
      `${by} learns: ${fingerprint} rejected for ${JSON.stringify(scope)} (${reach}${late ? ', late' : ''}${strike ? ', strike' : ''})`,
    );
    if (late || strike) return;
    const place = scope as Place;
    witness.told(reach === 'identity' ? identityAt(place, fingerprint) : scopeAt(place, fingerprint), by, 'rejected');
  });
  latchkey.on('held', ({ scope, fingerprint }) => witness.told(identityAt(scope as Place, fingerprint), by, 'held'));
  const blocked = new Set<string>();
  latchkey.on('blocked', ({ scope, incident }) => {
    const key = JSON.stringify(scope);
    laws.note(`${by} says that ${key} is blocked (${incident})`);
    laws.check('L6', !saysOnce || !blocked.has(key), () => `${by} says twice that ${key} is blocked`);
    blocked.add(key);
  });
  latchkey.on('resumed', ({ scope, end }) => {
    laws.note(`${by} says that ${JSON.stringify(scope)} has resumed (${end})`);
    blocked.delete(JSON.stringify(scope));
  });
  latchkey.on('captured', ({ scope, fingerprint, pinned, remote, refreshed }) => {
    const how = [pinned && 'pinned', remote && 'from elsewhere', refreshed && 'refreshed'].filter((one) => one);
    laws.note(`${by} has ${fingerprint} for ${JSON.stringify(scope)} (${how.join(', ')})`);
  });
  latchkey.on('evicted', ({ tenant, session, why }) => laws.note(`${by} evicted ${tenant} ${session} (${why})`));
  latchkey.on('error', ({ origin, error }) => laws.note(`${by} contained an error of ${origin}: ${String(error)}`));
  latchkey.on('store', ({ state }) => laws.note(`${by} says that the store is ${state}`));
}
