/** Exactly these: anything else, an empty host and names that resolve to this machine too, may be reached by others. */
const LOCAL_ONLY = new Set(['localhost', '127.0.0.1', '::1']);

/** Whether a gateway that listens there must ask who calls: false only for `localhost`, `127.0.0.1` and `::1`. */
export function requiresAuth(bindHost: string | undefined): boolean {
  return bindHost === undefined || !LOCAL_ONLY.has(bindHost);
}

/**
 * Call it before `listen`: a gateway that others can reach and that has no way to verify them must not start.
 * @throws {TypeError} if `bindHost` requires auth and `verify` is missing, or if `verify` is something else than a function.
 */
export function requireVerifier(bindHost: string | undefined, verify: unknown): void {
  if (typeof verify === 'function' || (verify === undefined && !requiresAuth(bindHost))) return;
  throw new TypeError(
    requiresAuth(bindHost)
      ? `requireVerifier: \`verify\` must be a function: a gateway on ${describe(bindHost)} can be reached by others and has no way to verify them`
      : 'requireVerifier: `verify` must be a function, or left out',
  );
}

function describe(bindHost: unknown): string {
  return typeof bindHost === 'string' && bindHost !== '' ? JSON.stringify(bindHost.slice(0, 255)) : 'every interface';
}
