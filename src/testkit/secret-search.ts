/** In which form a secret stands in a text: that which was decoded last. */
type SecretForm = 'plain' | 'URL-encoded' | 'base64' | 'hexadecimal' | 'a list of bytes';

/** A secret, and how it is called in messages. */
export interface Wanted {
  readonly name: string;
  readonly value: string;
}

type Reading = readonly [SecretForm, string];
type Search = (text: string) => { readonly name: string; readonly form: SecretForm } | undefined;

/** What is encoded more often is not found. */
const ROUNDS = 3;
/** Between what was decoded from different places; a part of no encoding. */
const APART = '\u0001';
const ESCAPED: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f' };

/**
 * Looks for the first secret that a text holds, and in which form: found by decoding whatever can be decoded, at every alignment and up to three
 * times, not by knowing how it was encoded.
 */
export function searchFor(wanted: readonly Wanted[]): Search {
  const forms = wanted.map(({ name, value }) => ({ name, forms: formsOf(value) }));
  // No encoding makes it shorter.
  const shortest = Math.min(...wanted.map(({ value }) => value.length));
  const decode = decoderOf(shortest);
  const look = (text: string): string | undefined => forms.find((one) => one.forms.some((form) => text.includes(form)))?.name;
  return (text) => {
    const seen = new Set<string>();
    let readings: Reading[] = [['plain', text]];
    for (let round = 0; readings.length > 0; round++) {
      const next: Reading[] = [];
      for (const [form, reading] of readings) {
        if (reading.length < shortest || seen.has(reading)) continue;
        seen.add(reading);
        for (const [last, leaf] of [[form, reading] as const, ...endsOf(form, reading)]) {
          const name = look(leaf);
          if (name !== undefined) return { name, form: last };
        }
        if (round < ROUNDS) next.push(...decode(form, reading));
      }
      readings = next;
    }
    return undefined;
  };
}

/** As text, and as decoded bytes look, a character for each: in UTF-8 and, either way round, in UTF-16. */
function formsOf(value: string): readonly string[] {
  const codes = Array.from({ length: value.length }, (_, at) => value.charCodeAt(at));
  const bytes = [
    [...new TextEncoder().encode(value)],
    codes.flatMap((code) => [code & 0xff, code >> 8]),
    codes.flatMap((code) => [code >> 8, code & 0xff]),
  ];
  return [...new Set([value, ...bytes.map((list) => String.fromCharCode(...list))])];
}

/** What is looked at, and decoded no further. */
function endsOf(form: SecretForm, text: string): readonly Reading[] {
  const ends: Reading[] = [];
  // However often it was escaped.
  if (text.includes('\\')) ends.push([form, text.replaceAll('\\', '')]);
  if (text.includes('+')) ends.push(['URL-encoded', decodedOctets(text.replaceAll('+', ' '))]);
  return ends;
}

/** Decodes all that may be something else, in runs that are long enough to hold a text of this length. */
function decoderOf(length: number): (form: SecretForm, text: string) => Iterable<Reading> {
  return function* (form, text) {
    if (text.includes('\\')) yield [form, unescaped(text)];
    if (text.includes('%')) yield ['URL-encoded', decodedOctets(text)];
    // UTF-16, of which the half is nothing.
    if (text.includes('\0')) yield [form, text.replaceAll('\0', '')];
    const runs = new Set(runsIn(text, /[A-Za-z0-9+/_-]+/g, Math.ceil((length * 4) / 3)));
    // In mails and certificates it is broken into lines.
    if (/[\r\n]/.test(text)) {
      const joined = text.replaceAll(/[\r\n]+[ \t]*/g, '');
      for (const run of runsIn(joined, /[A-Za-z0-9+/_-]+/g, Math.ceil((length * 4) / 3))) runs.add(run);
    }
    yield ['base64', [...runs].flatMap(inBase64).join(APART)];
    // A run may have begun with the second digit of a byte.
    const digits = [...new Set(runsIn(text, /[0-9a-fA-F]+/g, length * 2))].flatMap((run) => [fromHex(run), fromHex(run.slice(1))]);
    yield ['hexadecimal', digits.join(APART)];
    yield [
      'hexadecimal',
      runsIn(text, /(?:0x)?[0-9a-fA-F]{2}(?:[\s,:]+(?:0x)?[0-9a-fA-F]{2})+/g, length * 3 - 1)
        .map((run) => fromHex(run.replaceAll(/0x|[\s,:]/g, '')))
        .join(APART),
    ];
    yield [
      'a list of bytes',
      runsIn(text, /\d{1,3}(?:\s*,\s*\d{1,3})+/g, length * 2 - 1)
        .map(fromNumbers)
        .join(APART),
    ];
  };
}

/** Filtered afterwards: a least length within the pattern would be tried anew at every place of a run that is too short. */
function runsIn(text: string, pattern: RegExp, least: number): readonly string[] {
  return (text.match(pattern) ?? []).filter((run) => run.length >= least);
}

/** A value may begin anywhere in what was encoded as a whole, and a run anywhere in a word. */
function inBase64(run: string): string[] {
  const standard = run.replaceAll('-', '+').replaceAll('_', '/');
  return [0, 1, 2, 3].map((start) => {
    const aligned = standard.slice(start);
    // Four characters are three bytes; one left over is none.
    return atob(aligned.length % 4 === 1 ? aligned.slice(0, -1) : aligned);
  });
}

/** As JSON and JavaScript escape. */
function unescaped(text: string): string {
  return text.replaceAll(/\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([\s\S]))/g, (_, unit?: string, byte?: string, other = '') => {
    const code = unit ?? byte;
    return code === undefined ? (ESCAPED[other] ?? other) : String.fromCharCode(Number.parseInt(code, 16));
  });
}

function decodedOctets(text: string): string {
  return text.replaceAll(/%[0-9a-fA-F]{2}/g, (octet) => String.fromCharCode(Number.parseInt(octet.slice(1), 16)));
}

function fromHex(run: string): string {
  return (run.match(/../g) ?? []).map((octet) => String.fromCharCode(Number.parseInt(octet, 16))).join('');
}

function fromNumbers(run: string): string {
  return run
    .split(',')
    .map((number) => (Number(number) < 256 ? String.fromCharCode(Number(number)) : APART))
    .join('');
}
