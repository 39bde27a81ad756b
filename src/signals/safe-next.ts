/** Options of `safeNext`. */
export interface SafeNextOptions {
  /** Where a reverse proxy mounts the gateway, such as `/gw`: a path below it is judged with it taken off, too. Default: none. */
  readonly prefix?: string | undefined;
  /** A login page of another name, refused beside `/login`. Default: none. */
  readonly loginPath?: string | undefined;
}

/** Stands for the gateway's own origin; what leaves it is refused. */
const ORIGIN = 'http://gateway.invalid';
const LONGEST = 2_048;
/** A login that comes back to these goes round in circles, or shows JSON to a person. `/api/auth` is below `/api`. */
const REFUSED = ['/login', '/auth', '/api'];
/** Browsers read a backslash as a slash and drop tabs and line ends; in a header a line end is an error of its own. */
const MISLEADING = /[\\\p{Cc}]/u;

interface Places {
  readonly prefix: string;
  readonly refused: readonly string[];
}

/**
 * The path and query on this origin to go to after a login, as a browser would normalise it (ASCII only, without a fragment, fit for a
 * header), or `''` for whatever leads elsewhere, back to the login, or into the API. Never throws. Pure: it runs in browsers too.
 */
export function safeNext(target: unknown, options?: SafeNextOptions): string {
  if (typeof target !== 'string') return '';
  const places = {
    prefix: placeOf(options?.prefix),
    refused: [...REFUSED, placeOf(options?.loginPath)].filter((place) => place !== ''),
  };
  if (!passes(target, places)) return '';
  const { pathname, search } = new URL(target, ORIGIN);
  const next = pathname + search;
  // What is handed out passes wherever it is checked again.
  return passes(next, places) ? next : '';
}

function passes(target: string, places: Places): boolean {
  if (target.length > LONGEST || MISLEADING.test(target)) return false;
  const decoded = decodedOnce(target);
  if (decoded === undefined || MISLEADING.test(decoded)) return false;
  const path = target.split(/[?#]/, 1)[0] ?? '';
  // By itself, so that an encoded question mark does not hide what follows it.
  return [path, decodedOnce(path) ?? ''].every((form) => isAllowed(form, places) && isAllowed(normalised(form), places));
}

function isAllowed(path: string, { prefix, refused }: Places): boolean {
  if (!path.startsWith('/') || path.startsWith('//')) return false;
  const lower = path.toLowerCase();
  if (prefix !== '' && isAtOrBelow(lower, prefix) && !isAllowed(path.slice(prefix.length) || '/', { prefix: '', refused })) return false;
  // Routers compare without regard to case.
  return !refused.some((place) => isAtOrBelow(lower, place));
}

function isAtOrBelow(path: string, place: string): boolean {
  return path.startsWith(place) && (path.length === place.length || '/?#;'.includes(path.charAt(place.length)));
}

/** Dot segments resolved, plain or encoded. What is given starts with one slash and holds no backslash, so this stays on the origin. */
function normalised(path: string): string {
  return new URL(path.replaceAll(/[?#]/g, ';'), ORIGIN).pathname;
}

function decodedOnce(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function placeOf(path: unknown): string {
  return typeof path === 'string' && path.startsWith('/') ? path.toLowerCase().replace(/\/+$/, '') : '';
}
