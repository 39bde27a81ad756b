/** An address as it may be printed: without query, fragment and user info, on one line. */
export function printableTarget(target: string | URL): string {
  const text = String(target);
  if (URL.canParse(text)) {
    const { origin, pathname } = new URL(text);
    if (origin !== 'null') return origin + pathname;
  }
  const bare = (text.split(/[?#]/, 1)[0] ?? '').replaceAll(/\p{Cc}/gu, '');
  // In a path an @ is a letter like any other; before one it ends a password, which may hold anything.
  return /^\/(?!\/)/.test(bare) ? bare : bare.replace(/^((?:[a-z][a-z0-9+.-]*:)?\/\/)?.*@/i, '$1');
}
