/** `Headers`, or Node's `IncomingHttpHeaders`. */
export type RequestHeaders = { get(name: string): string | null } | { readonly [name: string]: string | readonly string[] | undefined };

/** What is read of a request: Node's `IncomingMessage`, that of Express or Fastify, or a `Request`. */
export interface GatewayRequest {
  readonly headers: RequestHeaders;
  readonly url?: string | undefined;
  /** Express and Fastify keep here what `url` was before a router was mounted. */
  readonly originalUrl?: string | undefined;
  readonly method?: string | undefined;
  readonly socket?: { readonly remoteAddress?: string | undefined; readonly encrypted?: boolean | undefined } | null | undefined;
}

/** The value of a header, its repetitions joined; undefined without one. */
export function headerOf(headers: RequestHeaders | null | undefined, name: string, separator = ', '): string | undefined {
  if (typeof headers !== 'object' || headers === null) return undefined;
  if (typeof headers['get'] === 'function') return headers['get'](name) ?? undefined;
  for (const [key, value] of Object.entries(headers)) {
    if (key.toLowerCase() !== name) continue;
    if (typeof value === 'string') return value;
    if (Array.isArray(value)) return value.join(separator);
  }
  return undefined;
}

/** The parsed path and query of a request; a path of two slashes is a path all the same, and no host. */
export function targetOf({ originalUrl, url }: GatewayRequest): { readonly pathname: string; readonly search: string } | undefined {
  const target = typeof originalUrl === 'string' ? originalUrl : url;
  if (typeof target !== 'string') return undefined;
  const absolute = target.startsWith('/') ? `http://gateway.invalid${target}` : target;
  return URL.canParse(absolute) ? new URL(absolute) : undefined;
}
