import { saveReturnTo } from './return-to.js';
import type { FetchJsonWindow } from './window.js';

/** On the window, so that all instances, of two copies of this module too, leave the page once. */
const LEAVING = Symbol.for('latchkey.leaving');
const FIRST_WAIT_MS = 5_000;
const LONGEST_WAIT_MS = 60_000;

interface Leaving {
  isUnderWay: boolean;
  /** How long the next navigation has before another may be tried. */
  waitMs: number;
}

/** Whether the page is on its way to the path, by this call or an earlier one. */
export function leaveFor(target: string, window: FetchJsonWindow): boolean {
  const host = window as FetchJsonWindow & { [LEAVING]?: Leaving };
  host[LEAVING] ??= { isUnderWay: false, waitMs: FIRST_WAIT_MS };
  const leaving = host[LEAVING];
  if (leaving.isUnderWay) return true;
  saveReturnTo(window);
  try {
    // With its origin: a bare path would go to the host of a <base href>.
    window.location.assign(window.location.origin + target);
  } catch {
    return false;
  }
  leaving.isUnderWay = true;

  const over = (): void => {
    leaving.isUnderWay = false;
    clearTimeout(timer);
    window.removeEventListener('pageshow', shown);
  };
  // The back button may bring the page back as it was left, from memory.
  const shown = ({ persisted }: { readonly persisted: boolean }): void => {
    if (!persisted) return;
    leaving.waitMs = FIRST_WAIT_MS;
    over();
  };
  window.addEventListener('pageshow', shown);
  // Nothing tells that a navigation came to nothing: the user chose to stay, or the answer was a download. Longer each time: another
  // one ends the first, and a slow login page would never be reached.
  const timer = setTimeout(over, leaving.waitMs);
  // In a browser it is a number.
  (timer as { unref?(): void }).unref?.();
  leaving.waitMs = Math.min(2 * leaving.waitMs, LONGEST_WAIT_MS);
  return true;
}
