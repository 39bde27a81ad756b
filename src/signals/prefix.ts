const LONGEST = 256;
/** Printable ASCII: it becomes part of a `Location` header and of a cookie's `Path`. */
const PRINTABLE = /^[\x21-\x7e]*$/;
/** Leads to another host or another folder, ends an attribute or a cookie, or breaks out of a page that prints it. */
const HARMFUL = /\/\/|\.\.|\/\.(?:\/|$)|["'`<>\\;,?#]|[\s\p{Cc}]/u;

/** The path below which a reverse proxy mounts the gateway, without a slash at its end; `''` for the root; undefined if it cannot be one. */
export function readPrefix(prefix: unknown): string | undefined {
  if (typeof prefix !== 'string' || prefix.length > LONGEST) return undefined;
  if (prefix === '' || prefix === '/') return '';
  if (!prefix.startsWith('/') || !PRINTABLE.test(prefix) || HARMFUL.test(prefix) || HARMFUL.test(decoded(prefix))) return undefined;
  return prefix.endsWith('/') ? prefix.slice(0, -1) : prefix;
}

function decoded(prefix: string): string {
  try {
    return decodeURIComponent(prefix);
  } catch {
    return '//';
  }
}
