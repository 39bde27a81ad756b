/** An address as it may be printed: without query, fragment and user info, on one line. Undefined for one that cannot be told apart from them. */
export function printableTarget(target: string | URL): string | undefined {
  const text = String(target);
  if (URL.canParse(text)) {
    const { protocol, host, pathname } = new URL(text);
    // Without a host it may all be user info, as in `user:password@host`.
    return host === '' ? undefined : `${protocol}//${host}${pathname}`;
  }
  const path = (text.split(/[?#]/, 1)[0] ?? '').replaceAll(/\p{Cc}/gu, '');
  return /^\/(?![/\\])/.test(path) ? path : undefined;
}
