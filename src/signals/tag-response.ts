import zlib from 'node:zlib';
import { isFieldText } from './field-text.js';
import { checkTagOptions, type TagOptions, tagHeaders } from './upstream-tag.js';

/** What was about the upstream's own connection (RFC 9110, section 7.6.1). */
const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'];
/** The content codings that Node's `fetch` undoes: zstd since undici 7.11, where zlib can (https://github.com/nodejs/undici/pull/4238). */
const [MAJOR = 0, MINOR = 0] = (process.versions['undici'] ?? '').split('.').map(Number);
const UNDOES_ZSTD = 'createZstdDecompress' in zlib && (MAJOR > 7 || (MAJOR === 7 && MINOR >= 11));
const UNDONE = ['gzip', 'x-gzip', 'deflate', 'br', ...(UNDOES_ZSTD ? ['zstd'] : [])];

/**
 * `tagHeaders` for an answer that `fetch` gave: status and body are passed on, the body unread. The headers of its connection, and of an encoding
 * that Node's `fetch` has undone (gzip, deflate, br, zstd where it can), are left out; any other one is left alone with its body. A reason phrase that a `Response` cannot hold
 * becomes an empty one, and a status that it cannot hold (outside of 200 to 599) a 502 without the upstream's headers and body.
 * @throws {TypeError} only for an unknown option, or for `setCookies` that are no list of header values; they are not quoted.
 */
export function tagResponse(response: Response, options: TagOptions = {}): Response {
  checkTagOptions('tagResponse', options);
  const { status, statusText, body } = response;
  // A network error's response has no status that could be passed on.
  if (status === 0) return response;
  if (status < 200 || status > 599) {
    body?.cancel().catch(() => {});
    return new Response(null, { status: 502, headers: written(tagHeaders(502, [], options)) });
  }
  const headers = written(tagHeaders(status, response.headers, options));
  for (const name of HOP_BY_HOP) headers.delete(name);
  // Only what came over the network has a URL.
  if (response.url !== '' && isUndone(headers.get('content-encoding'))) {
    headers.delete('content-encoding');
    headers.delete('content-length');
  }
  return new Response(body, { status, statusText: isFieldText(statusText) ? statusText : '', headers });
}

/** `fetch` undoes all of them, or none. */
function isUndone(codings: string | null): boolean {
  return codings?.split(',').every((coding) => UNDONE.includes(coding.trim().toLowerCase())) === true;
}

function written(record: Record<string, string | string[]>): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(record)) for (const one of [value].flat()) headers.append(name, one);
  return headers;
}
