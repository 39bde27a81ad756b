import type { GuardedRequest } from './request.js';

/** What a request says under a header's name (lower case), as often as it was sent. A hostile request says nothing. */
export function presentedValues(request: GuardedRequest, name: string): string[] {
  // A frozen request, a getter that throws, headers that are null: what cannot be read was not presented.
  const sent = orNothing(() => rawValues(request, name));
  // Node's `headers` keep the first of two, and those of others join them.
  return sent.length > 1 ? sent : orNothing(() => parsedValues(request.headers, name));
}

function rawValues(request: GuardedRequest, name: string): string[] {
  // Fastify's own request holds Node's as `raw`.
  const list = request.rawHeaders ?? (request as { readonly raw?: { readonly rawHeaders?: readonly string[] } | null }).raw?.rawHeaders;
  if (!Array.isArray(list)) return [];
  const values: string[] = [];
  for (let index = 0; index + 1 < list.length; index += 2) if (isNamed(list[index], name)) values.push(String(list[index + 1]));
  return values;
}

function parsedValues(headers: unknown, name: string): string[] {
  if (typeof headers !== 'object' || headers === null) return [];
  const { get } = headers as { get?: unknown };
  if (typeof get === 'function') {
    const value: unknown = get.call(headers, name);
    return typeof value === 'string' ? [value] : [];
  }
  return Object.entries(headers).flatMap(([key, value]) => (isNamed(key, name) ? [value].flat().filter(isText) : []));
}

function isNamed(key: unknown, name: string): boolean {
  return typeof key === 'string' && key.toLowerCase() === name;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function orNothing(read: () => string[]): string[] {
  try {
    return read();
  } catch {
    return [];
  }
}
