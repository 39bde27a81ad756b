import type { CanaryClaim, Coordinator } from '../ledger/store.js';
import type { Identity } from '../ledger/verdicts.js';
import type { Lead } from './canary.js';
import type { Flight } from './flight.js';

/**
 * Asks for the right to go first in the whole fleet, on behalf of the run that has this process's lead. Where another process goes first, the
 * lead is that one's: its report is handed on as if the call had been made here.
 * @throws {Interrupted} if the run is broken off; the lead goes on to the next one.
 */
export async function claimForFleet(
  flight: Flight,
  lead: Lead,
  identity: Identity,
  coordinator: Coordinator,
  canaryMs: number,
  isProbe: boolean,
): Promise<CanaryClaim> {
  let claim: CanaryClaim;
  try {
    claim = await flight.wait<CanaryClaim>((resolve) => {
      let wanted = true;
      const answered = (answer: CanaryClaim): void => {
        if (wanted) resolve(answer);
        // Nobody is there any more to go.
        else if (answer.state === 'acquired') answer.done('next');
      };
      coordinator.claimCanary(identity, canaryMs).then(answered, () => answered({ state: 'down' }));
      return () => {
        wanted = false;
      };
    });
  } catch (error) {
    lead.done('next');
    throw error;
  }
  if (claim.state === 'acquired')
    lead.alsoTell((after) => {
      // A probe that came to nothing is not made again at once by the next process.
      if (isProbe && after === 'next') claim.leave();
      else claim.done(after);
    });
  return claim;
}
