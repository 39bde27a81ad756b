import { startTimer } from '../clock.js';
import type { IncidentClaim, IncidentEnding, IncidentOf } from '../ledger/store.js';
import type { Carrier, Name } from './carrier.js';
import type { Endings } from './endings.js';
import type { Names } from './names.js';

/** A process that dies leaves its incidents after so long. */
const MEMBERSHIP_MS = 60_000;
const RENEW_EVERY_MS = 20_000;
const MOST_UNLEFT = 1_000;

export interface MembershipsOptions {
  readonly carrier: Pick<Carrier, 'enter' | 'leave'>;
  readonly names: Pick<Names, 'identity' | 'provider' | 'lock'>;
  readonly isUp: () => boolean;
  readonly endings: Endings;
  /** The name of this process. */
  readonly process: string;
}

/** An incident that is open here and known to the store. */
interface Membership {
  readonly tag: string;
  /** This process was the first to have it. */
  readonly first: boolean;
  /** How many incidents here go by the same name: an identity that was forgotten and has come back may have a second one. */
  count: number;
  renewal: Promise<void> | undefined;
}

/** Which incidents are open here, as the other processes of the fleet see it. */
export class Memberships {
  readonly #options: MembershipsOptions;
  readonly #memberships = new Map<Name, Membership>();
  /**
   * Groups that this process may still count as a member of: the store did not hear it leave, or did not say that it had entered. Then it may be
   * that others take the incident for one that is told under the tag that is kept here.
   */
  readonly #unleft = new Map<Name, string | undefined>();
  #renewing: { cancel(): void } | undefined;
  #closed = false;

  constructor(options: MembershipsOptions) {
    this.#options = options;
  }

  async enter(of: IncidentOf, id: string): Promise<IncidentClaim> {
    if (this.#isAlone()) return { state: 'down', id };
    const group = this.#group(of);
    const known = this.#memberships.get(group);
    if (known !== undefined) {
      known.count++;
      return { state: 'held', id: known.tag };
    }
    const { carrier, endings, process } = this.#options;
    try {
      // Or it would find itself there, and take that for somebody who has told.
      if (this.#unleft.delete(group)) await carrier.leave(group, process);
      const answer = await carrier.enter(group, process, id, MEMBERSHIP_MS);
      const { tag } = answer;
      if (this.#closed) {
        // Nobody is told of it here any more.
        await carrier.leave(group, process);
        return { state: 'down', id };
      }
      endings.forget(tag);
      // Asked twice by a client that repeats what was not answered, it is still the first.
      const first = answer.first || tag === id;
      this.#memberships.set(group, { tag, first, count: 1, renewal: undefined });
      this.#renewLater();
      return { state: first ? 'acquired' : 'held', id: tag };
    } catch {
      this.#noteUnleft(group, id);
      return { state: 'down', id };
    }
  }

  async leave(of: IncidentOf, tellEnd: ((id: string) => void) | undefined): Promise<IncidentEnding> {
    const group = this.#group(of);
    const membership = this.#memberships.get(group);
    // Who reported alone ends alone.
    if (membership === undefined) {
      this.#noteTold(group, this.#unleft.get(group), tellEnd);
      return { state: 'down', id: undefined };
    }
    const { tag, first, renewal } = membership;
    if (--membership.count > 0) return { state: 'others', id: tag };
    this.#memberships.delete(group);
    try {
      if (!this.#isAlone()) {
        // Overtaken by its own renewal it would be back in.
        await renewal;
        return await this.#leave(group, membership, tellEnd);
      }
    } catch {
      // As if it had not been asked.
    }
    this.#noteUnleft(group, undefined);
    if (first) this.#noteTold(group, tag, tellEnd);
    return { state: 'down', id: tag };
  }

  /**
   * Nothing is renewed any more. What is open stays so until the store forgets this process: whoever takes its place within that time is not the
   * first to have it.
   */
  close(): void {
    this.#closed = true;
    this.#renewing?.cancel();
    this.#memberships.clear();
  }

  async #leave(group: Name, { tag, first }: Membership, tellEnd: ((id: string) => void) | undefined): Promise<IncidentEnding> {
    const { carrier, endings, process } = this.#options;
    const left = await carrier.leave(group, process);
    if (left.tag === undefined) {
      // The store has lost the group, and everybody who was in it hears that nobody is left; or this process was taken for dead.
      const isTold = first && tellEnd !== undefined && !(await endings.claim(tag));
      return { state: isTold ? 'others' : 'down', id: tag };
    }
    if (!left.last) {
      if (tellEnd !== undefined) endings.watch(group, left.tag, tellEnd);
      return { state: 'others', id: left.tag };
    }
    const isOurs = tellEnd === undefined || (await endings.claim(left.tag));
    return { state: isOurs ? 'last' : 'others', id: left.tag };
  }

  /** The end is told here without asking. */
  #noteTold(group: Name, tag: string | undefined, tellEnd: ((id: string) => void) | undefined): void {
    if (tag === undefined || tellEnd === undefined) return;
    this.#options.endings.noteTold(tag);
    if (this.#unleft.has(group)) this.#unleft.set(group, undefined);
  }

  #noteUnleft(group: Name, tag: string | undefined): void {
    this.#unleft.set(group, tag);
    for (const oldest of this.#unleft.keys()) {
      if (this.#unleft.size <= MOST_UNLEFT) return;
      this.#unleft.delete(oldest);
    }
  }

  #isAlone(): boolean {
    return this.#closed || !this.#options.isUp();
  }

  #group({ provider, fingerprint }: IncidentOf): Name {
    const { names } = this.#options;
    return names.lock('incident', fingerprint === undefined ? names.provider(provider) : names.identity(provider, fingerprint));
  }

  #renewLater(): void {
    if (this.#closed) return;
    this.#renewing ??= startTimer(RENEW_EVERY_MS, () => {
      this.#renewing = undefined;
      if (this.#options.isUp()) for (const [group, membership] of this.#memberships) this.#renew(group, membership);
      if (this.#memberships.size > 0) this.#renewLater();
    });
  }

  #renew(group: Name, membership: Membership): void {
    // Under the tag that it was entered with: a store that has lost the group gets the same incident back.
    const renewed = this.#options.carrier.enter(group, this.#options.process, membership.tag, MEMBERSHIP_MS);
    membership.renewal = renewed.then(
      () => {},
      () => {},
    );
  }
}
