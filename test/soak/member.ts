import {
  bearer,
  type Capture,
  createIdleLoop,
  createLatchkey,
  type IdleLoop,
  type Latchkey,
  type Lease,
  type RefreshFunction,
  type Snapshot,
} from '../../src/index.js';
import type { Store } from '../../src/ledger/store.js';
import type { Place } from './issuer.js';
import { type Plan, PROVIDERS } from './plan.js';
import { heard, homeOf, identityAt, pause, send, type Watch } from './runs.js';
import { listen, type Reports } from './telling.js';

/** One process: its Latchkey, its idle loop, and what it has out. */
export interface Member {
  readonly watch: Watch;
  readonly latchkey: Latchkey;
  readonly loop: IdleLoop;
  readonly leases: Lease[];
  readonly captures: Capture[];
  readonly unpins: (() => void)[];
  /** Its time stands still while it is asked. */
  readonly clock: { frozenAt: number | undefined };
  close(): Promise<void>;
}

export interface Joining {
  readonly plan: Plan;
  readonly watch: Omit<Watch, 'isClosing'>;
  readonly reports: Reports;
  readonly store: { readonly store: Store; end(): Promise<void> } | undefined;
  readonly tombstones: Snapshot | undefined;
}

const CLOSE_MS = 300;

export function join({ plan, watch: watched, reports, store, tombstones }: Joining): Member {
  let isClosing = false;
  let isClosed = false;
  const watch: Watch = { ...watched, isClosing: () => isClosing };
  const { by, laws, random } = watch;
  const clock: Member['clock'] = { frozenAt: undefined };
  const latchkey = createLatchkey({
    ...plan.options,
    clock: { now: () => clock.frozenAt ?? Date.now() },
    reporter: reports.reporter(by),
    refresh: plan.hasRefresh ? refreshing(watch, plan, () => isClosed) : undefined,
    store: store?.store,
    tombstones,
  });
  listen(latchkey, by, plan.saysOnce, watch);
  const loop = createIdleLoop(latchkey, {
    everyMs: 120,
    items: function* items() {
      for (let at = 0; at < 6; at++) yield anyPlace(plan, watch);
    },
    scope: (place) => place,
    task: (place, { run }) =>
      run(async (lease) => {
        const sending = send(watch, place, lease);
        await pause(random.between(0, 15));
        heard(watch, sending, !isClosing);
        return { status: sending.reply.status, headers: sending.reply.headers };
      }),
    concurrency: 3,
    wakeOnFreshAuth: random.chance(0.5),
  });
  loop.start();
  return {
    watch,
    latchkey,
    loop,
    leases: [],
    captures: [],
    unpins: [],
    clock,
    async close() {
      isClosing = true;
      const began = performance.now();
      await loop.stop({ timeoutMs: CLOSE_MS });
      isClosed = true;
      await latchkey.close({ timeoutMs: CLOSE_MS });
      await store?.end();
      laws.check('L12', performance.now() - began < 10_000, () => `closing ${by} took ${performance.now() - began} ms`);
      await pause(0);
      const { running, waiting, refreshing } = latchkey.stats();
      laws.check(
        'L12',
        running + waiting + refreshing === 0,
        () => `${by} is closed, and ${running} run, ${waiting} wait, ${refreshing} refresh`,
      );
    },
  };
}

export function anyPlace(plan: Plan, { random }: Pick<Watch, 'random'>): Place {
  const tenant = random.of(plan.tenants);
  const session = random.chance(0.1) ? undefined : `s${random.below(plan.sessions)}`;
  return {
    ...(tenant === undefined ? {} : { tenant }),
    ...(session === undefined ? {} : { session }),
    provider: random.of(PROVIDERS),
  };
}

/** A token endpoint that brings new ones, or does not, or not in time. */
function refreshing({ by, issuer, witness, laws, random, isFleet }: Watch, plan: Plan, isClosed: () => boolean): RefreshFunction {
  const out = new Map<string, AbortSignal>();
  return async ({ scope, credential }, { signal }) => {
    const place = scope as Place;
    const about = identityAt(place, credential.fingerprint);
    const key = `${place.tenant} ${about}`;
    const before = out.get(key);
    // With the store away each process refreshes for itself.
    laws.check('L12', isFleet || before === undefined || before.aborted, () => `two refreshes of ${key} at once`);
    laws.check('L12', !isClosed(), () => `a refresh of ${by} after its end`);
    const token = issuer.find(credential);
    if (token !== undefined) laws.check('L8', token.homes.has(homeOf(place)), () => `a refresh for ${homeOf(place)} of another’s`);
    out.set(key, signal);
    try {
      await pause(random.chance(0.1) ? 600 : random.between(1, 60));
      const what = random.next();
      if (what < 0.1) return undefined;
      if (what < 0.2) throw Object.assign(new Error(`down, ${credential.reveal()}`), { status: 503 });
      if (what < 0.3) {
        // It becomes a verdict if the credential is over: one that the witness does not know the time of.
        witness.forgiven(about);
        throw Object.assign(new Error(`refused, ${credential.reveal()}`), { status: 400, error: 'invalid_grant' });
      }
      if (what < 0.35) return bearer(credential.reveal());
      const fresh = issuer.issue(place.tenant, place.provider.toLowerCase(), plan.lives);
      fresh.homes.add(homeOf(place));
      fresh.firstHand.add(by);
      fresh.isRefreshed = true;
      return fresh.credential;
    } finally {
      if (out.get(key) === signal) out.delete(key);
    }
  };
}
