import { isLatchkeyError, type RunOptions } from '../../src/index.js';
import type { Place, Token } from './issuer.js';
import { anyPlace, type Member } from './member.js';
import { type Plan, PURPOSES } from './plan.js';
import { callOff, heard, homeOf, identityAt, launch, pause, type Running, scopeAt, send } from './runs.js';

/** What an operation needs of the group. */
interface Scene {
  readonly plan: Plan;
  readonly member: Member;
  readonly running: Set<Running>;
}

/** So many results may be settled late, and so many runs be out, at once. */
const MOST_KEPT = 60;
const MOST_RUNNING = 120;

export interface Operation {
  readonly name: string;
  readonly weight: number;
  readonly act: (scene: Scene) => void;
}

export const OPERATIONS: readonly Operation[] = [
  { name: 'capture', weight: 14, act: (scene) => void present(scene, newToken(scene)) },
  { name: 'capture of an earlier token', weight: 6, act: (scene) => void present(scene, earlierToken(scene)) },
  { name: 'client request', weight: 10, act: clientRequest },
  { name: 'provisional capture', weight: 4, act: provisional },
  { name: 'run', weight: 26, act: run },
  { name: 'abort', weight: 4, act: abort },
  { name: 'lease', weight: 8, act: lease },
  { name: 'late result', weight: 5, act: lateResult },
  { name: 'hold', weight: 1, act: hold },
  { name: 'pin', weight: 0.6, act: pin },
  { name: 'unpin', weight: 0.7, act: unpin },
  { name: 'forgive', weight: 1, act: forgive },
  { name: 'evict session', weight: 2, act: evictSession },
  { name: 'evict tenant', weight: 0.2, act: evictTenant },
  { name: 'whenRunnable', weight: 3, act: whenRunnable },
  { name: 'load', weight: 1, act: load },
];

function placeIn({ plan, member }: Scene, withPurpose = false): Place {
  const place = anyPlace(plan, member.watch);
  const purpose = withPurpose ? member.watch.random.of(PURPOSES) : undefined;
  return purpose === undefined ? place : { ...place, purpose };
}

function newToken(scene: Scene): { place: Place; token: Token } {
  const place = placeIn(scene);
  return { place, token: scene.member.watch.issuer.issue(place.tenant, place.provider.toLowerCase(), scene.plan.lives) };
}

/** Seldom another tenant's, or another provider's: two clients may hold the same bytes. */
function earlierToken(scene: Scene): { place: Place; token: Token } {
  const { issuer, random } = scene.member.watch;
  const place = placeIn(scene);
  const from = random.chance(0.05) ? placeIn(scene) : place;
  const token = issuer.earlier(from.tenant, from.provider.toLowerCase());
  return token === undefined ? newToken(scene) : { place, token };
}

function present({ member }: Scene, { place, token }: { place: Place; token: Token }, isProvisional = false): void {
  const { latchkey, watch, captures } = member;
  const { laws, witness, by } = watch;
  const { credential } = token;
  const about = identityAt(place, credential.fingerprint);
  const isNew = token.homes.size === 0;
  const isDead = !watch.hasStrikes && witness.isDead(about, by);
  const slots = (): Map<string, string> =>
    new Map(latchkey.snapshot().slots.map(({ slot, scope, fingerprint }) => [`${slot} ${JSON.stringify(scope)}`, fingerprint]));
  const before = isDead ? slots() : undefined;
  token.homes.add(homeOf(place));
  token.firstHand.add(by);
  const capture = latchkey.capture(place, credential, isProvisional ? { provisional: true } : {});
  watch.witness.presented(about);
  laws.note(`${by} captures ${credential.fingerprint} for ${JSON.stringify(place)}${isProvisional ? ' provisionally' : ''}`);
  captures.push(capture);
  if (captures.length > MOST_KEPT) captures.shift();
  if (before !== undefined) {
    for (const [slot, fingerprint] of slots()) {
      const displaced = before.get(slot);
      const took = fingerprint === credential.fingerprint && displaced !== undefined && displaced !== fingerprint;
      const wasAlive = took && watch.witness.isUntouched(identityAt(place, displaced)) && !watch.issuer.isEnding(displaced);
      laws.check('L5', !wasAlive, () => `${about} is dead and takes ${slot} from ${displaced}`);
    }
  }
  const { expiresAt } = credential;
  const isFresh = isNew && !isProvisional && (expiresAt === undefined || expiresAt > Date.now() + 1_000);
  const found = isFresh ? latchkey.resolve(place) : undefined;
  const isPinned = (): boolean => latchkey.explain(place).candidates.some(({ source }) => source === 'pinned');
  if (found === undefined || watch.isClosing() || isPinned()) return;
  const sent = found.ok ? found.lease.credential.fingerprint : found.reason;
  laws.check(
    'fresh',
    capture.usable && sent === credential.fingerprint,
    () => `${about} is fresh, and ${JSON.stringify(place)} would send ${sent}`,
  );
}

function clientRequest(scene: Scene): void {
  const { member } = scene;
  const { latchkey, watch } = member;
  const { place, token } = watch.random.chance(0.5) ? newToken(scene) : earlierToken(scene);
  token.homes.add(homeOf(place));
  token.firstHand.add(watch.by);
  const { credential } = token;
  const capture = latchkey.capture(place, credential);
  watch.witness.presented(identityAt(place, credential.fingerprint));
  const { issuer, witness, by, random } = watch;
  const sending = {
    identity: witness.out(identityAt(place, credential.fingerprint), by),
    scope: witness.out(scopeAt(place, credential.fingerprint), by),
    reply: issuer.answer(credential, undefined),
    token,
  };
  watch.laws.note(`${by} hears a client with ${credential.fingerprint} for ${JSON.stringify(place)}: ${sending.reply.status}`);
  later(random.between(0, 60), () => {
    // A client's own 403 changes nothing.
    if (sending.reply.status !== 403) heard(watch, sending, !watch.isClosing());
    capture.settle(sending.reply.status === 402 ? sending.reply : sending.reply.status);
  });
}

function provisional(scene: Scene): void {
  const { member } = scene;
  present(scene, newToken(scene), true);
  const capture = member.captures.at(-1);
  const { random } = member.watch;
  const ends = random.below(3);
  later(random.between(0, 100), () => {
    if (ends === 0) capture?.discard();
    else capture?.commit();
  });
}

function run(scene: Scene): void {
  const { member, running } = scene;
  const { random } = member.watch;
  if (running.size >= MOST_RUNNING) return;
  const options: RunOptions = {
    whenBlocked: random.of(['throw', 'skip', 'park', 'park'] as const),
    parkMs: random.between(20, 2_500),
    timeoutMs: random.chance(0.2) ? random.between(1, 1_500) : undefined,
    urgent: random.chance(0.1),
    minTtlMs: random.chance(0.1) ? 300 : undefined,
    fallback: scene.plan.hasOwnOnly && random.chance(0.3) ? 'none' : undefined,
    rejected: random.chance(0.1) ? 'return' : undefined,
    once: random.chance(0.05),
    transient: random.chance(0.4) ? { retries: 2, minMs: 2, maxMs: 40 } : undefined,
  };
  const one = launch(member.watch, member.latchkey, placeIn(scene, true), options);
  running.add(one);
}

function abort({ member, running }: Scene): void {
  const one = member.watch.random.of([...running]);
  if (one !== undefined) callOff(one);
}

function lease(scene: Scene): void {
  const { latchkey, watch, leases } = scene.member;
  const place = placeIn(scene, true);
  const found = latchkey.resolve(place);
  // The probe is one call, which is for `run` to make.
  if (!found.ok || found.lease.probe) return;
  const sending = send(watch, place, found.lease);
  leases.push(found.lease);
  if (leases.length > MOST_KEPT) leases.shift();
  later(watch.random.between(0, 80), () => {
    heard(watch, sending, !watch.isClosing());
    found.lease.settle(sending.reply);
  });
}

/** The same answer once more: whoever counts twice is found out. */
function lateResult({ member }: Scene): void {
  const { watch, leases } = member;
  const old = watch.random.of(leases);
  if (old !== undefined) old.settle(503);
  watch.random.of(member.captures)?.settle(503);
}

function hold(scene: Scene): void {
  const { latchkey, watch } = scene.member;
  const place = placeIn(scene);
  const found = latchkey.resolve(place);
  if (!found.ok || found.lease.probe) return;
  const out = watch.witness.out(identityAt(place, found.lease.credential.fingerprint), watch.by);
  const holdMs = Math.ceil(watch.random.between(30, 500));
  watch.laws.note(`${watch.by} holds ${found.lease.credential.fingerprint} for ${holdMs} ms`);
  watch.witness.learnt(out, 'held', holdMs);
  found.lease.settle({ holdMs, reason: 'quota' });
}

function pin(scene: Scene): void {
  const { latchkey, watch, unpins } = scene.member;
  const { session: _, ...place } = placeIn(scene, true);
  const token = watch.issuer.issue(place.tenant, place.provider.toLowerCase(), scene.plan.lives);
  token.homes.add(homeOf(place));
  token.firstHand.add(watch.by);
  watch.witness.presented(identityAt(place, token.credential.fingerprint));
  watch.witness.forgiven(identityAt(place, token.credential.fingerprint));
  unpins.push(latchkey.pin(place, token.credential));
  if (unpins.length > 4) unpins.shift()?.();
}

function unpin({ member }: Scene): void {
  member.unpins.shift()?.();
}

function forgive(scene: Scene): void {
  const { latchkey, watch } = scene.member;
  const place = placeIn(scene);
  const { candidates } = latchkey.explain(place);
  for (const { fingerprint } of candidates) {
    watch.laws.note(`${watch.by} forgives ${fingerprint}`);
    watch.witness.forgiven(identityAt(place, fingerprint));
  }
  latchkey.forgive(place);
}

function evictSession(scene: Scene): void {
  const { tenant, session } = placeIn(scene);
  if (session !== undefined) scene.member.latchkey.evict({ tenant, session });
}

function evictTenant(scene: Scene): void {
  const tenant = scene.member.watch.random.of(scene.plan.tenants);
  if (tenant !== undefined) scene.member.latchkey.evict({ tenant });
}

function whenRunnable(scene: Scene): void {
  const { latchkey, watch } = scene.member;
  const controller = new AbortController();
  const timeoutMs = watch.random.between(10, 1_500);
  const one: Running = {
    what: `whenRunnable of ${watch.by} (${timeoutMs} ms)`,
    until: performance.now() + timeoutMs + 8_000,
    controller,
    abortedAt: undefined,
    isOver: false,
  };
  scene.running.add(one);
  latchkey.whenRunnable(placeIn(scene, true), { signal: controller.signal, timeoutMs }).then(
    () => {
      one.isOver = true;
    },
    (error: unknown) => {
      one.isOver = true;
      if (isLatchkeyError(error)) watch.secrets.look('an error', error);
    },
  );
}

function load(scene: Scene): void {
  void scene.member.latchkey.load([placeIn(scene), placeIn(scene)]);
}

function later(ms: number, act: () => void): void {
  void pause(ms).then(act);
}
