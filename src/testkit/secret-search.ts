/** In which form a secret stands in a text. */
type SecretForm = 'plain' | 'URL-encoded' | 'base64' | 'hexadecimal';

/** A secret, and how it is called in messages. */
export interface Wanted {
  readonly name: string;
  readonly value: string;
  /** As decoded bytes look, a character for each. */
  readonly bytes: string;
}

export function wantedOf(name: string, value: string): Wanted {
  return { name, value, bytes: Array.from(new TextEncoder().encode(value), (byte) => String.fromCharCode(byte)).join('') };
}

/** Runs of characters that may be something else in base64, base64url or hexadecimal digits. */
const BASE64 = /[A-Za-z0-9+/_-]{6,}/g;
const HEX = /[0-9a-fA-F]{8,}/g;
const OCTET = /%[0-9a-fA-F]{2}/g;

/**
 * The first secret that a text holds, and in which form: found by decoding whatever can be decoded, at every alignment, not by knowing how it
 * was encoded. What is encoded twice is found if the outer form is that of a URL.
 */
export function findSecret(text: string, wanted: readonly Wanted[]): { readonly name: string; readonly form: SecretForm } | undefined {
  for (const [form, decoded] of readings(text)) {
    for (const { name, value, bytes } of wanted) {
      if (decoded.includes(value) || (bytes !== value && decoded.includes(bytes))) return { name, form };
    }
  }
  return undefined;
}

function* readings(text: string): Iterable<readonly [SecretForm, string]> {
  yield ['plain', text];
  // JSON and shells escape with it.
  if (text.includes('\\')) yield ['plain', text.replaceAll('\\', '')];
  const fromUrl = decodedOctets(text);
  if (fromUrl !== text) yield ['URL-encoded', fromUrl];
  if (text.includes('+')) yield ['URL-encoded', decodedOctets(text.replaceAll('+', ' '))];
  for (const source of new Set([text, fromUrl])) {
    for (const run of new Set(source.match(BASE64))) yield* inBase64(run);
    for (const run of new Set(source.match(HEX))) {
      yield ['hexadecimal', fromHex(run)];
      // It may have begun with the second digit.
      yield ['hexadecimal', fromHex(run.slice(1))];
    }
  }
}

/** A value may begin anywhere in what was encoded as a whole, and a run anywhere in a word. */
function* inBase64(run: string): Iterable<readonly [SecretForm, string]> {
  const standard = run.replaceAll('-', '+').replaceAll('_', '/');
  for (let start = 0; start < 4 && standard.length - start >= 4; start++) {
    const aligned = standard.slice(start);
    // Four characters are three bytes; one left over is none.
    const whole = aligned.length % 4 === 1 ? aligned.slice(0, -1) : aligned;
    yield ['base64', atob(whole)];
  }
}

function decodedOctets(text: string): string {
  return text.replaceAll(OCTET, (octet) => String.fromCharCode(Number.parseInt(octet.slice(1), 16)));
}

function fromHex(run: string): string {
  return (run.match(/../g) ?? []).map((octet) => String.fromCharCode(Number.parseInt(octet, 16))).join('');
}
