import { saveReturnTo } from './return-to.js';
import type { FetchJsonWindow } from './window.js';

/** On the window, so that all instances, of two copies of this module too, leave the page once. */
const LEAVING = Symbol.for('latchkey.leaving');

/** Whether the page is on its way to the target, by this call or an earlier one. */
export function leaveFor(target: string, window: FetchJsonWindow): boolean {
  const host = window as FetchJsonWindow & { [LEAVING]?: boolean };
  if (host[LEAVING] === true) return true;
  host[LEAVING] = true;
  saveReturnTo(window);
  try {
    window.location.assign(target);
  } catch {
    host[LEAVING] = false;
    return false;
  }
  // The back button may bring the page back as it was left, from memory.
  const shown = ({ persisted }: { readonly persisted: boolean }): void => {
    if (!persisted) return;
    host[LEAVING] = false;
    window.removeEventListener('pageshow', shown);
  };
  window.addEventListener('pageshow', shown);
  return true;
}
