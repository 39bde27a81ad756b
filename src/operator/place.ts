import { readPrefix } from '../signals/prefix.js';
import type { Incoming } from './incoming.js';

/** Where a request wants to go: an exact path below the base path, or back to the base path with its slash. */
export type Place = { readonly path: string; readonly query: string } | { readonly redirect: string };

/**
 * The raw path below the base path: a request that spells a path in another way asks for another path. Undefined for one that is not below it.
 */
export function placeOf(
  { target, mount, wholeTarget }: Pick<Incoming, 'target' | 'mount' | 'wholeTarget'>,
  basePath: string,
): Place | undefined {
  const [path, query] = split(target);
  const [wholePath] = split(wholeTarget);
  // Express gives `/` for the path that it is mounted at, with its slash and without.
  if (mount !== '' && path === '/' && wholePath === mount && (basePath === '' || basePath === mount)) return slashed(mount);
  if (basePath === '' || basePath === mount) return { path, query };
  if (path === basePath) return slashed(basePath);
  return path.startsWith(`${basePath}/`) ? { path: path.slice(basePath.length), query } : undefined;
}

/** Relative, so that it also holds below a prefix that only a proxy knows. */
function slashed(place: string): Place | undefined {
  const checked = readPrefix(place);
  return checked ? { redirect: `./${checked.slice(checked.lastIndexOf('/') + 1)}/` } : undefined;
}

function split(target: string): readonly [path: string, query: string] {
  const mark = target.indexOf('?');
  return mark === -1 ? [target, ''] : [target.slice(0, mark), target.slice(mark + 1)];
}
