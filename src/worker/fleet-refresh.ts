import { startTimer } from '../clock.js';
import type { AfterRefresh, Coordinator, RefreshClaim } from '../ledger/store.js';
import type { RefreshFlight } from './refresh-flight.js';

/** One that does not give it back in time is dead, or has prolonged it; so may be the next one. */
const MOST_LOOKS = 5;
/** A right whose time is up is given to somebody else a moment later. */
const LATE_MS = 50;
/** That another's try has failed is not told, and what is told may be lost: whoever waits for it looks so often. */
const LOOK_MS = 2_000;

/**
 * Waits until it is this process's turn to refresh, or another has done so. `busy`: another goes on trying. `nothing`: it found nothing better. `done`: it is
 * not needed any more, or this process may go on.
 */
export async function awaitFleet(
  flight: RefreshFlight,
  coordinator: Coordinator,
  ms: number,
  isNeeded: () => boolean,
): Promise<'done' | 'busy' | 'nothing'> {
  if (flight.claim !== undefined) {
    if (await flight.claim.keep(ms)) return 'done';
    flight.claim = undefined;
  }
  for (let late = 0; isNeeded(); ) {
    const claim = await coordinator.claimRefresh(flight.identity, flight.scope, ms, flight.spends);
    if (claim.state === 'down') return 'done';
    if (claim.state === 'acquired') {
      // A clock of the user's may throw.
      let isTaken = false;
      try {
        isTaken = isNeeded();
        if (isTaken) flight.claim = claim;
      } finally {
        if (!isTaken) claim.done('look');
      }
      return 'done';
    }
    // Longer than a try takes: it pauses between its tries.
    if (claim.leftMs > ms) {
      claim.onDone(() => {})();
      return 'busy';
    }
    const after = await givenBack(flight, claim);
    // It may have been another credential's, which spends the same.
    if (after === 'nothing' && flight.spends === undefined) return 'nothing';
    if (after === undefined && claim.leftMs < LOOK_MS && ++late >= MOST_LOOKS) return 'busy';
  }
  return 'done';
}

/** Why another process gave the right back; undefined if it did not in time. */
function givenBack(flight: RefreshFlight, claim: Extract<RefreshClaim, { state: 'held' }>): Promise<AfterRefresh | undefined> {
  return new Promise((resolve) => {
    const end = (after: AfterRefresh | undefined): void => {
      timer.cancel();
      unhear();
      flight.unhear = undefined;
      resolve(after);
    };
    const timer = startTimer(Math.min(claim.leftMs + LATE_MS, LOOK_MS), () => end(undefined));
    const unhear = claim.onDone(end);
    flight.unhear = () => end('again');
  });
}
