import type { Gateway, Parts, Place, Policy, Session } from './policy.js';

/** What a peer is given: the upstream, and a way to a new token. */
export type PeerParts = Pick<Parts, 'send' | 'refresh'>;

/** One session's calls through a peer. */
export interface PeerClient {
  /** If the peer refreshes: a token that is another one than before. */
  present(token: string): void;
  /** Rejects if the call has failed: with the peer's own error, or because of the answer's status. */
  work(): Promise<void>;
  /** The peer refused to send anything. */
  isRefusal?(error: unknown): boolean;
}

/** Another package, or what is written by hand, set up as its own documentation says. */
export interface Peer {
  /** It gets its own new tokens. */
  readonly refreshes: boolean;
  /** Whose calls one instance serves, when a gateway has many sessions. */
  readonly serves: 'session' | 'provider' | 'gateway';
  /** One instance, and a client for each of those it serves. */
  open(served: readonly PeerParts[]): PeerClient[] | Promise<PeerClient[]>;
}

/** A peer in the loop that its user has around it: every failure is reported, other than a refusal to send. */
export function policyOf(peer: Peer): Policy {
  return {
    refreshes: peer.refreshes,
    async open(parts) {
      const [client] = await peer.open([parts]);
      return sessionOf(client!, parts, peer.refreshes);
    },
    async openAll(places): Promise<Gateway> {
      const groups = new Map<string, number[]>();
      for (const [index, place] of places.entries()) {
        const instance = instanceOf(peer, place, index);
        groups.set(instance, [...(groups.get(instance) ?? []), index]);
      }
      const sessions: Session[] = [];
      for (const group of groups.values()) {
        const clients = await peer.open(group.map((index) => places[index]!));
        for (const [at, index] of group.entries()) sessions[index] = sessionOf(clients[at]!, places[index]!, peer.refreshes);
      }
      return { sessions, instances: groups.size };
    },
  };
}

function instanceOf(peer: Peer, { provider }: Place, index: number): string {
  if (peer.serves === 'session') return `session ${index}`;
  return peer.serves === 'provider' ? provider : 'gateway';
}

function sessionOf(client: PeerClient, { report }: Parts, refreshes: boolean): Session {
  let presented: string | undefined;
  return {
    present(token) {
      // A token that a client merely repeats is no reason to take back the one that a refresh has brought, and none of them would know by itself.
      if (refreshes && token === presented) return;
      presented = token;
      client.present(token);
    },
    work: () => client.work(),
    async tick() {
      try {
        await client.work();
        return true;
      } catch (error) {
        if (client.isRefusal?.(error) !== true) report();
        return false;
      }
    },
    async close() {},
  };
}
