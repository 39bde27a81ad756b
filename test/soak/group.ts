import type { Latchkey } from '../../src/index.js';
import { canonicalLedger } from '../property/fleet-model.js';
import type { Shared } from './carriers.js';
import { Issuer, type Place } from './issuer.js';
import type { Law, Laws } from './laws.js';
import { anyPlace, join, type Member } from './member.js';
import { OPERATIONS, type Operation } from './operations.js';
import { type Plan, PROVIDERS, PURPOSES } from './plan.js';
import type { Random } from './random.js';
import { pause, type Running } from './runs.js';
import { Secrets } from './secrets.js';
import { Reports } from './telling.js';
import { Witness } from './witness.js';

export interface GroupOptions {
  readonly plan: Plan;
  readonly random: Random;
  readonly laws: Laws;
  readonly secret: string;
  readonly operations: Map<string, number>;
  readonly shared: Shared | undefined;
  /** A number for one more process, which nobody else has. */
  readonly number: () => number;
}

const TOTAL_WEIGHT = OPERATIONS.reduce((sum, { weight }) => sum + weight, 0);
const CONVERGE_MS = 30_000;

/** Processes that work on the same tokens, on one store if there are several. */
export class Group {
  readonly #options: GroupOptions;
  readonly #issuer: Issuer;
  readonly #witness: Witness;
  readonly #secrets: Secrets;
  readonly #reports: Reports;
  readonly #running = new Set<Running>();
  readonly #members: Member[] = [];
  #isEnding = false;

  private constructor(options: GroupOptions) {
    const { plan, random, laws, secret } = options;
    this.#options = options;
    this.#issuer = new Issuer(random.fork(), secret);
    this.#witness = new Witness({ isFleet: options.shared !== undefined, certainForMs: plan.certainForMs });
    this.#secrets = new Secrets(laws, secret);
    this.#reports = new Reports(laws, this.#secrets);
  }

  static async start(options: GroupOptions): Promise<Group> {
    const group = new Group(options);
    for (let process = 0; process < options.plan.processes; process++) await group.#join();
    return group;
  }

  /** Works until that moment of `performance.now()`. */
  async work(until: number): Promise<void> {
    const { random } = this.#options;
    for (let turn = 0; performance.now() < until; turn++) {
      for (let batch = random.below(6); batch >= 0; batch--) this.#act(this.#operation());
      if (turn % 8 === 0) this.#ask();
      if (turn % 20 === 0) this.#audit();
      if (random.chance(0.004)) this.#trouble();
      if (random.chance(0.0015)) await this.#restart();
      await pause(random.between(1, 15));
    }
  }

  /** Everything ends: what is out, what waits, and what was remembered. */
  async end(): Promise<void> {
    this.#isEnding = true;
    if (this.#options.shared !== undefined) await this.#converge(this.#options.shared);
    for (const member of this.#members) this.#forget(member);
    await Promise.all(this.#members.map((member) => member.close()));
    for (let waits = 0; waits < 200 && this.#left() > 0; waits++) await pause(10);
    this.#check(
      'L12',
      this.#left() === 0,
      () => `closed, and there is no end of ${[...this.#running].find(({ isOver }) => !isOver)?.what}`,
    );
    this.#members.length = 0;
    this.#running.clear();
  }

  #left(): number {
    return [...this.#running].filter(({ isOver }) => !isOver).length;
  }

  #check(law: Law, holds: boolean, what: () => string): void {
    this.#options.laws.check(law, holds, () => `${this.#options.plan.name}: ${what()}`);
  }

  #count(name: string): void {
    const { operations } = this.#options;
    operations.set(name, (operations.get(name) ?? 0) + 1);
  }

  #operation(): Operation {
    let left = this.#options.random.next() * TOTAL_WEIGHT;
    for (const operation of OPERATIONS) {
      left -= operation.weight;
      if (left <= 0) return operation;
    }
    return OPERATIONS[0] as Operation;
  }

  #act({ name, act }: Operation): void {
    const member = this.#options.random.of(this.#members);
    this.#count(name);
    act({ plan: this.#options.plan, member, running: this.#running });
    for (const one of this.#running) if (one.isOver) this.#running.delete(one);
  }

  async #join(tombstones?: ReturnType<Latchkey['snapshot']>): Promise<void> {
    const { plan, random, laws, shared } = this.#options;
    const by = this.#options.number();
    const store = await shared?.store(by);
    const watch = {
      by,
      laws,
      issuer: this.#issuer,
      witness: this.#witness,
      secrets: this.#secrets,
      random: random.fork(),
      hasStrikes: plan.options.strikes !== undefined,
      isFleet: shared !== undefined,
      limits: plan.limits,
      room: { halfFullAt: Number.NEGATIVE_INFINITY },
    };
    const member = join({ plan, watch, reports: this.#reports, store, tombstones });
    await member.latchkey.ready();
    this.#members.push(member);
  }

  /** A process ends in the middle of its work, and another takes its place: alone with what that one wrote down, in a fleet with what the store has. */
  async #restart(): Promise<void> {
    const { random, shared } = this.#options;
    const member = random.of(this.#members);
    this.#count('close and restart');
    this.#members.splice(this.#members.indexOf(member), 1);
    const known = shared === undefined ? member.latchkey.snapshot() : undefined;
    const closing = member.close();
    await this.#join(known);
    await closing;
  }

  #trouble(): void {
    const { shared, random } = this.#options;
    if (shared === undefined) return;
    const trouble = random.of(shared.troubles);
    this.#count(trouble.name);
    this.#options.laws.note(`trouble: ${trouble.name}`);
    this.#reports.troubled(trouble.make());
  }

  /** All questions about a scope have one answer, and asking them changes nothing. */
  #ask(): void {
    const member = this.#options.random.of(this.#members);
    const { latchkey, clock, watch } = member;
    this.#count('question');
    clock.frozenAt = Date.now();
    const place = anyPlace(this.#options.plan, watch);
    const before = JSON.stringify([latchkey.snapshot(), latchkey.stats()]);
    const canRun = latchkey.canRun(place);
    const found = latchkey.resolve(place);
    const explained = latchkey.explain(place);
    const status = latchkey.status(place);
    const answers = [found.ok, explained.ok, status.state === 'ready'];
    this.#check('L9', !answers.includes(!canRun), () => `canRun is ${canRun}, and others say ${answers} of ${JSON.stringify(place)}`);
    const after = JSON.stringify([latchkey.snapshot(), latchkey.stats()]);
    this.#check('L9', before === after, () => `asking has changed ${before} to ${after}`);
    clock.frozenAt = undefined;
    this.#secrets.look('an answer', [found, status, latchkey.stats(), String(explained), JSON.stringify(explained)].map(String).join('\n'));
    this.#secrets.look('a lease', found);
  }

  /** Nothing has grown past its limit, nothing waits for ever. */
  #audit(): void {
    const { plan, random } = this.#options;
    const now = performance.now();
    for (const { until, what, isOver } of this.#running)
      this.#check('L12', isOver || now < until, () => `no end after ${Math.round(now - until)} ms more than it may take: ${what}`);
    const member = random.of(this.#members);
    if (member === undefined) return;
    const { latchkey } = member;
    const { sessions, tombstones, waiting, openIncidents } = latchkey.stats();
    this.#check('L10', sessions <= plan.limits.sessions, () => `${sessions} sessions`);
    this.#check('L10', tombstones <= plan.limits.identities, () => `${tombstones} tombstones`);
    this.#check('L10', waiting <= plan.limits.parked, () => `${waiting} wait`);
    const snapshot = latchkey.snapshot();
    this.#check(
      'L10',
      openIncidents === snapshot.incidents.length,
      () => `${openIncidents} incidents are counted, ${snapshot.incidents.length} are open`,
    );
    const open = snapshot.incidents
      .filter(({ kind }) => kind === 'identity')
      .map(({ provider, fingerprint }) => `${provider} ${fingerprint}`);
    this.#check('L6', new Set(open).size === open.length, () => `two incidents of one identity: ${open.join(', ')}`);
    this.#secrets.look('a snapshot', JSON.stringify(snapshot));
  }

  /** Nothing is lost any more: all processes come to see the same. */
  async #converge(shared: Shared): Promise<void> {
    shared.heal();
    const { plan } = this.#options;
    await Promise.all(this.#members.map(({ loop }) => loop.stop({ timeoutMs: 300 })));
    for (let waits = 0; waits < 1_000 && this.#left() > 0; waits++) await pause(10);
    const scopes = placesOf(plan);
    let seen: string[] = [];
    for (const until = performance.now() + CONVERGE_MS; performance.now() < until; ) {
      await pause(100);
      if (this.#members.some(({ latchkey }) => latchkey.stats().store !== 'up')) continue;
      await Promise.all(this.#members.map(({ latchkey }) => latchkey.load(scopes)));
      seen = this.#members.map(({ latchkey }) => printedLedger(latchkey));
      if (seen.every((one) => one === seen[0])) break;
    }
    this.#check(
      'L11',
      seen.length > 0 && seen.every((one) => one === seen[0]),
      () => `they do not agree:\n${differences(seen).join('\n')}`,
    );
  }

  /** What is evicted is gone, but for what still has to be remembered of it. */
  #forget({ latchkey, unpins }: Member): void {
    for (const unpin of unpins) unpin();
    // In a fleet it goes from the others, too, one after the other.
    if (this.#options.shared !== undefined) return;
    for (const tenant of this.#options.plan.tenants) {
      if (tenant !== undefined) latchkey.evict({ tenant });
      else for (const { scope } of latchkey.snapshot().slots) if (scope.session !== undefined) latchkey.evict({ session: scope.session });
    }
    const { sessions } = latchkey.stats();
    this.#check('L10', !this.#isEnding || sessions <= 1, () => `${sessions} sessions are left of none`);
  }
}

/** A process knows the names of what it was asked about: all of them, then. */
function placesOf({ tenants, sessions }: Plan): Place[] {
  const names = [undefined, ...Array.from({ length: sessions }, (_, at) => `s${at}`)];
  const places: Place[] = [];
  for (const tenant of tenants) {
    for (const session of names) {
      for (const provider of PROVIDERS) {
        for (const purpose of new Set(PURPOSES))
          places.push({ provider, ...(tenant && { tenant }), ...(session && { session }), ...(purpose && { purpose }) });
      }
    }
  }
  return places;
}

function printedLedger(latchkey: Latchkey): string {
  const { slots, verdicts } = canonicalLedger(latchkey.snapshot()) as { readonly slots: unknown[]; readonly verdicts: unknown[] };
  return [...slots, ...verdicts].map((one) => JSON.stringify(one)).join('\n');
}

/** What not all of them know. */
function differences(seen: readonly string[]): string[] {
  const lines = seen.map((one) => new Set(one.split('\n')));
  return lines.flatMap((known, at) =>
    [...known].filter((line) => !lines.every((other) => other.has(line))).map((line) => `${at + 1} of ${lines.length}: ${line}`),
  );
}
