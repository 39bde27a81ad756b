import { checkOptions, windowOf } from './options.js';
import { scopeOf, type WatchOptions, watched } from './watch-fetch.js';
import type { AuthWatchWindow, Fetch } from './window.js';

/** Options of `installAuthWatch`. */
export interface AuthWatchOptions extends WatchOptions {
  /** Whose `fetch` is wrapped, and where the event is dispatched. Default the global one. */
  readonly window?: AuthWatchWindow | undefined;
}

interface Installed {
  /** How many installations have not been taken back. */
  users: number;
}

/** On the wrapper, so that another copy of this module finds it. */
const INSTALLED = Symbol.for('latchkey.auth-watch');

/**
 * Puts a watch around the window's `fetch` (see `watchFetch`). Installing again while it is outermost changes nothing, options included.
 * Returns what takes this installation back: with the last one `fetch` is what it was, or, if something else has wrapped it meanwhile, the
 * watch passes everything through.
 * @throws {TypeError} for an option that is unknown or malformed, or where there is no window.
 */
export function installAuthWatch(options: AuthWatchOptions = {}): () => void {
  checkOptions('installAuthWatch', options, ['window', 'exempt', 'origins']);
  const window = windowOf('installAuthWatch', options.window, ['location', 'fetch', 'dispatchEvent']);
  const scope = scopeOf('installAuthWatch', options);

  const outermost = window.fetch as Fetch & { [INSTALLED]?: Installed & { remove(): void } };
  const present = outermost[INSTALLED];
  if (present !== undefined) return user(present);

  const installed = {
    users: 0,
    remove() {
      if (window.fetch === wrapper) window.fetch = outermost;
    },
  };
  const wrapper = Object.defineProperty(
    watched(outermost, window, scope, () => installed.users > 0),
    INSTALLED,
    { value: installed },
  );
  window.fetch = wrapper;
  return user(installed);
}

function user(installed: Installed & { remove(): void }): () => void {
  installed.users += 1;
  let taken = false;
  return () => {
    if (taken) return;
    taken = true;
    installed.users -= 1;
    if (installed.users === 0) installed.remove();
  };
}
