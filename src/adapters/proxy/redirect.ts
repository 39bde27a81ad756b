const DEFAULT_PORT = '';

/**
 * Where a transparent proxy may follow a redirect by itself, with the client's credential: to the same host and port over the same scheme, or
 * from http to https of the same host name, both on their default ports. Undefined for anything else: pass the 3xx on.
 * `location` is read against `from`, the address that was asked (RFC 9110, section 10.2.2). Never throws.
 */
export function redirectTarget(from: string | URL, location: string): URL | undefined {
  if (typeof location !== 'string' || location === '' || !(typeof from === 'string' || from instanceof URL)) return undefined;
  if (!URL.canParse(String(from))) return undefined;
  const asked = new URL(from);
  if (!isWeb(asked) || !URL.canParse(location, asked.href)) return undefined;
  const target = new URL(location, asked);
  // User information in an address is sent as a credential of its own.
  if (!isWeb(target) || target.username !== asked.username || target.password !== asked.password) return undefined;
  return target.origin === asked.origin || isUpgrade(asked, target) ? target : undefined;
}

function isWeb({ protocol }: URL): boolean {
  return protocol === 'http:' || protocol === 'https:';
}

function isUpgrade(asked: URL, target: URL): boolean {
  if (asked.protocol !== 'http:' || target.protocol !== 'https:') return false;
  return asked.hostname === target.hostname && asked.port === DEFAULT_PORT && target.port === DEFAULT_PORT;
}
