/** The names under which a machine talks to itself. Anything else, `0.0.0.0` and `::` too, may be reached from outside or lead there. */
const LOOPBACK = new Set(['localhost', '127.0.0.1', '::1', '[::1]']);

/** Whether a host, without its port, is this machine and nothing else. */
function isLoopbackHost(host: string): boolean {
  return LOOPBACK.has(host.toLowerCase());
}

/** Whether what is sent there can be read on the way: neither encrypted nor kept within this machine. */
export function isCleartext(url: URL): boolean {
  return url.protocol !== 'https:' && !isLoopbackHost(url.hostname);
}
