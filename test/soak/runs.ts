import { isLatchkeyError, type Latchkey, type Lease, type RunContext, type RunOptions } from '../../src/index.js';
import type { Issuer, Place, Reply, Token } from './issuer.js';
import type { Laws } from './laws.js';
import type { Random } from './random.js';
import type { Secrets } from './secrets.js';
import type { Learnt, Out, Witness } from './witness.js';

/** What watches the calls of one process. */
export interface Watch {
  readonly by: number;
  readonly laws: Laws;
  readonly issuer: Issuer;
  readonly witness: Witness;
  readonly secrets: Secrets;
  readonly random: Random;
  /** Rejections of one credential may be no verdict yet. */
  readonly hasStrikes: boolean;
  /** Processes tell each other what is proven. */
  readonly isFleet: boolean;
  readonly limits: { readonly parked: number };
  /** When its waiting room was last seen at least half full, in milliseconds of `performance.now()`: it may be empty by the time a run that did not fit in ends. */
  readonly room: { halfFullAt: number };
  isClosing(): boolean;
}

export function identityAt(place: Place, fingerprint: string): string {
  return `${place.provider.toLowerCase()} ${fingerprint}`;
}

export function scopeAt(place: Place, fingerprint: string): string {
  return `${identityAt(place, fingerprint)} for ${place.tenant} ${place.session} ${place.purpose}`;
}

/** Where a token may be used: with whoever presented it, and at that provider. */
export function homeOf(place: Place): string {
  return `${place.tenant} ${place.provider.toLowerCase()}`;
}

/** What is known of one call when it leaves. */
export interface Sending {
  readonly identity: Out;
  readonly scope: Out;
  readonly reply: Reply;
  readonly token: Token | undefined;
}

/** A call leaves with a lease: checks that it may, and asks the upstream. */
export function send({ by, laws, issuer, witness, hasStrikes, isFleet }: Watch, place: Place, lease: Lease): Sending {
  const { credential, probe } = lease;
  const token = issuer.find(credential);
  const [identity, scope] = [identityAt(place, credential.fingerprint), scopeAt(place, credential.fingerprint)];
  // One that has been forgotten was certainly somebody's.
  if (token !== undefined)
    laws.check('L8', token.homes.has(homeOf(place)), () => `${homeOf(place)} sends what is at home with ${[...token.homes].join(', ')}`);
  // The millisecond in which it ends may pass between the choice and this question.
  laws.check('L1', lease.usable() || issuer.isEnding(credential.fingerprint), () => `${credential} is sent at ${by} and not usable`);
  const { expiresAt } = credential;
  const mayNotKnow = isFleet && token?.firstHand.has(by) === false;
  const mayBeWrong = token === undefined || mayNotKnow || (token.isRefreshed && token.saysMs < 1_000);
  // An answer that was heard right before the end may be counted right after it, and then it lasts for longer than it says.
  const wasAcceptedSince = (token?.acceptedAt ?? 0) > (expiresAt ?? 0) - 500;
  const isOver = expiresAt !== undefined && laws.turnedAt > expiresAt + 30 && !wasAcceptedSince;
  laws.check(
    'L1',
    probe || mayBeWrong || !isOver,
    () =>
      `${credential} is sent at ${by}, ${Date.now() - (expiresAt ?? 0)} ms after its end (it says that it is ${lease.usable() ? '' : 'not '}usable, lent by ${lease.source})`,
  );
  if (!probe && !hasStrikes) {
    for (const about of [identity, scope]) {
      const objection = witness.objection(about, by);
      laws.check('L4', objection === undefined, () => `sent by ${lease.source} slot: ${objection}`);
    }
  }
  const reply = issuer.answer(credential, place.purpose);
  laws.note(`${by} sends ${credential.fingerprint} for ${JSON.stringify(place)}: ${reply.status}${probe ? ' (probe)' : ''}`);
  return { identity: witness.out(identity, by), scope: witness.out(scope, by), reply, token };
}

/** What a call was answered is on its way into the ledger. `counts`: it will certainly be looked at. */
export function heard({ witness }: Watch, { identity, scope, reply, token }: Sending, counts: boolean): void {
  const { status, headers } = reply;
  const learn = (out: Out, learnt: Learnt, holdMs?: number): void => {
    if (counts || learnt === 'accepted') witness.learnt(out, learnt, holdMs);
  };
  if (status === 200) {
    if (token !== undefined) token.acceptedAt = Date.now();
    learn(identity, 'accepted');
    learn(scope, 'accepted');
  } else if (status === 401) learn(identity, 'rejected');
  else if (status === 402) learn(identity, 'held', Number(headers['retry-after-ms']));
  else if (status === 403 && headers['www-authenticate'] === undefined) learn(scope, 'rejected');
}

function isRejection({ status, headers }: Reply): boolean {
  return status === 401 || (status === 403 && !String(headers['www-authenticate']).includes('insufficient_scope'));
}

/** A run that is out, and until when it has to be over, in milliseconds of `performance.now()`. */
export interface Running {
  readonly what: string;
  readonly until: number;
  readonly controller: AbortController;
  abortedAt: number | undefined;
  isOver: boolean;
}

/** How late an end may be: the machine has other things to do, too. */
const LATE_MS = 8_000;
/** Parked for 3 s at the most, behind canaries, refreshes and repeats for less. */
const LONGEST_RUN_MS = 45_000;

class CalledOff extends Error {}

export function launch(watch: Watch, latchkey: Latchkey, place: Place, options: RunOptions): Running {
  const { laws, by, random, secrets } = watch;
  const controller = new AbortController();
  const running: Running = {
    what: `run of ${by} for ${JSON.stringify(place)} ${JSON.stringify(options)}`,
    until: performance.now() + (options.timeoutMs ?? LONGEST_RUN_MS) + LATE_MS,
    controller,
    abortedAt: undefined,
    isOver: false,
  };
  const rejected: { readonly about: string; readonly at: number }[] = [];
  let attempts = 0;
  const lookRound = (): void => {
    if (latchkey.stats().waiting >= watch.limits.parked * 0.5) watch.room.halfFullAt = performance.now();
  };
  const attempt = async (lease: Lease, context: RunContext): Promise<unknown> => {
    attempts++;
    const { fingerprint } = lease.credential;
    const about = identityAt(place, fingerprint);
    laws.check('L3', rejected.length < 2, () => `attempt ${attempts} after ${rejected.length} rejections`);
    const before = rejected.find((one) => one.about === about);
    const isProven = (watch.issuer.find(lease.credential)?.acceptedAt ?? 0) >= (before?.at ?? 0);
    // What another process proves, or an operator forgives, may be used again.
    const mayRepeat = watch.hasStrikes || lease.probe || isProven || watch.isFleet || watch.witness.wasForgiven(about, before?.at ?? 0);
    laws.check('L3', before === undefined || mayRepeat, () => `${about} is sent again in one run`);
    if (random.chance(0.02)) {
      context.unused();
      throw new Error('nothing was sent');
    }
    const sending = send(watch, place, lease);
    await pause(random.chance(0.1) ? random.between(50, 400) : random.between(0, 20));
    const counts = running.abortedAt === undefined && !running.isOver && !watch.isClosing();
    heard(watch, sending, counts);
    if (isRejection(sending.reply)) rejected.push({ about, at: Date.now() });
    lookRound();
    return answered(watch, sending.reply, lease, context);
  };
  const ended = (error?: unknown): void => {
    running.isOver = true;
    const { abortedAt } = running;
    if (abortedAt !== undefined && error !== undefined && performance.now() - abortedAt > 5)
      laws.check('L12', error instanceof CalledOff, () => `called off, and ends with ${String(error)}: ${running.what}`);
    if (!isLatchkeyError(error)) return;
    secrets.look('an error', error);
    secrets.look('an error', [error.message, error.stack, error.cause?.message, error.cause?.stack]);
    lookRound();
    const because: Partial<Record<typeof error.code, boolean>> = {
      TIMEOUT: options.timeoutMs !== undefined,
      PARK_TIMEOUT: options.whenBlocked === 'park',
      PARK_OVERFLOW: performance.now() - watch.room.halfFullAt < 1_000,
      CLOSED: watch.isClosing(),
    };
    laws.check('L12', because[error.code] !== false, () => `ends with ${error.code}: ${running.what}`);
  };
  lookRound();
  latchkey.run(place, attempt, { ...options, signal: controller.signal }).then(() => ended(), ended);
  return running;
}

export function callOff(running: Running): void {
  if (running.isOver || running.abortedAt !== undefined) return;
  running.abortedAt = performance.now();
  running.controller.abort(new CalledOff('called off'));
}

/** In the shapes in which clients give answers, those that hold the credential first of all. */
function answered({ random }: Watch, { status, headers }: Reply, lease: Lease, { check }: RunContext): unknown {
  const request = { headers: lease.headers() };
  const message = `the request with ${lease.credential.reveal()} failed with ${status}`;
  switch (random.below(status === 200 ? 3 : 5)) {
    case 0:
      return new Response(status === 204 ? null : '{"type":"answer"}', { status, headers });
    case 1:
      return check(new Response(null, { status, headers }));
    case 2:
      if (status === 200) return { text: 'a plain value' };
      throw Object.assign(new Error(message), { status, headers, config: request });
    case 3:
      throw Object.assign(new Error(message), { response: { status, headers, data: { error: 'refused' } }, config: request });
    default:
      throw Object.assign(new Error('wrapped', { cause: new Error(message) }), { statusCode: status, headers, options: request });
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
