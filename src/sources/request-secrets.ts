import { Credential } from '../credential/credential.js';

/** Headers that hold secrets, by what their names say. `pat` counts as a word of its own (it is in `path`, too), `:authority` is a host. */
const SECRET_HEADER = /^(?!:).*(?:auth|key|token|secret|session|cookie|passw|credential|jwt|(?<![a-z0-9])pat(?![a-z0-9]))/i;
/** A shorter value may be any word of an error, which would be lost with it. */
const SHORTEST = 8;
/** Bounds what an error costs, whoever sends a hundred cookies. */
const MOST = 32;

/**
 * What a query's request presents, as far as it can be told, so that it can be kept out of errors: of headers that are named like a secret the words,
 * parameters and cookies, both halves of a Basic credential, and of the URL the user info and the values of its query. Of these 8 characters or
 * more, and 32 at most: those of cookies after all others, the longest first. Never throws.
 */
export function requestSecrets(query: unknown): Credential[] {
  const found: string[] = [];
  const ofCookies: string[] = [];
  contain(() => {
    for (const [name, value] of headersIn(query)) {
      const isCookie = /cookie/i.test(name);
      const into = isCookie ? ofCookies : found;
      for (const one of textsIn(value).flatMap(isCookie ? cookieValues : headerValues)) into.push(one);
    }
  });
  contain(() => {
    for (const one of urlValues((query as { url?: unknown }).url)) found.push(one);
  });

  const kept = new Set<string>();
  for (const value of [...longestFirst(found), ...longestFirst(ofCookies)]) {
    if (kept.size === MOST) break;
    kept.add(value);
  }
  // Not by `bearer`, which refuses the blanks and letters that a password may have.
  return [...kept].map((value) => new Credential('bearer', 'authorization', value, undefined));
}

/** What cannot be read costs nothing that was found elsewhere. */
function contain(collect: () => void): void {
  try {
    collect();
  } catch {}
}

function longestFirst(values: readonly string[]): string[] {
  // Half a surrogate pair has no encoded form.
  return values.filter((value) => value.length >= SHORTEST && !/\p{Cs}/u.test(value)).sort((a, b) => b.length - a.length);
}

function headersIn(query: unknown): [name: string, value: unknown][] {
  const headers = (query as { headers?: unknown } | null | undefined)?.headers;
  if (typeof headers !== 'object' || headers === null) return [];
  const entries = typeof (headers as Partial<Headers>).entries === 'function' ? (headers as Headers).entries() : Object.entries(headers);
  return [...entries].filter(([name]) => SECRET_HEADER.test(name));
}

function textsIn(value: unknown): string[] {
  return [value].flat().flatMap((one) => (typeof one === 'string' || typeof one === 'number' ? [String(one)] : []));
}

function headerValues(text: string): string[] {
  const values: string[] = [];
  // The closing quote may be missing, so that a header of quotes takes no more time than it is long.
  for (const [, quoted = ''] of text.matchAll(/"((?:[^"\\]|\\.)*)"?/g)) values.push(quoted, quoted.replaceAll(/\\(.)/g, '$1'));
  const words = text.split(/[\s,]+/);
  for (const [index, word] of words.entries()) {
    values.push(word, ...[word, ...word.split(/[;&]/)].map((one) => unquoted(afterEquals(one))));
    if (/^basic$/i.test(words[index - 1] ?? '')) values.push(...basicHalves(word));
  }
  return values;
}

function basicHalves(word: string): string[] {
  const pair = Buffer.from(word, 'base64').toString();
  const colon = pair.indexOf(':');
  return colon === -1 ? [pair] : [pair.slice(0, colon), pair.slice(colon + 1)];
}

function cookieValues(text: string): string[] {
  return text.split(/[;,]/).flatMap((pair) => {
    const value = unquoted((pair.includes('=') ? afterEquals(pair) : pair).trim());
    // Some hold pairs of their own, such as `session=id=1&token=X`.
    return [value, afterEquals(value), ...value.split(/[=&]/)].flatMap(bothWays);
  });
}

function urlValues(url: unknown): string[] {
  if (typeof url !== 'string' && !(url instanceof URL)) return [];
  // A path, or an address without a scheme, is read as far as it goes.
  const { username, password, search } = new URL(String(url), 'http://localhost');
  return [username, password, ...search.slice(1).split('&').map(afterEquals)].flatMap(bothWays);
}

/** As it is written, and decoded: in a form `+` is a blank, elsewhere itself. */
function bothWays(text: string): string[] {
  if (!/[%+]/.test(text)) return [text];
  return [text, formDecoded(text), formDecoded(text.replaceAll('+', '%2B'))];
}

/** Unlike `decodeURIComponent` it takes what is not UTF-8, as servers do. */
function formDecoded(text: string): string {
  return new URLSearchParams(`v=${text.replaceAll('&', '%26')}`).get('v') ?? '';
}

function afterEquals(text: string): string {
  return text.slice(text.indexOf('=') + 1);
}

function unquoted(text: string): string {
  return text.replace(/^"(.*)"$/, '$1');
}
