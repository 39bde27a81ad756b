/** Fields that are about one connection, not about the message (RFC 9110, section 7.6.1). */
const HOP_BY_HOP = ['connection', 'proxy-connection', 'keep-alive', 'te', 'transfer-encoding', 'upgrade'];
/** Between the client and this proxy (RFC 9110, sections 11.7.1 and 11.7.2). */
const OF_PROXIES = ['proxy-authenticate', 'proxy-authorization'];

/** Raw headers (name, value, name, value) without those of this connection, those that `Connection` names, and `alsoDrop`. */
export function endToEnd(rawHeaders: readonly string[], alsoDrop: readonly string[] = []): string[] {
  const dropped = new Set([...HOP_BY_HOP, ...OF_PROXIES, ...alsoDrop]);
  const pairs = pairsOf(rawHeaders);
  for (const [name, value] of pairs) {
    if (name.toLowerCase() !== 'connection') continue;
    for (const named of value.split(',')) dropped.add(named.trim().toLowerCase());
  }
  return pairs.filter(([name]) => !dropped.has(name.toLowerCase())).flat();
}

export function pairsOf(raw: readonly string[]): [name: string, value: string][] {
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) pairs.push([raw[index] as string, raw[index + 1] as string]);
  return pairs;
}
