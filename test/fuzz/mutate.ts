import fc from 'fast-check';

type Mutation = (text: string) => string;

/** What parsers trip over. */
const NASTY = [
  '',
  ' ',
  '\t',
  '\r\n',
  '\n',
  '\0',
  '\x7f',
  '\u00a0',
  '\u2028',
  '\ufeff',
  '\ud800',
  'İ',
  'ſ',
  '💥',
  '"',
  "'",
  '\\',
  '/',
  '//',
  '..',
  '%',
  '%2f',
  '%00',
  '%5c',
  '%zz',
  ',',
  ';',
  '=',
  ':',
  '@',
  '#',
  '?',
  '&',
  '+',
  '-',
  '.',
  '0',
  '-1',
  '9'.repeat(20),
  '1e999',
  'NaN',
  '__proto__',
  'null',
  '{',
  ']',
  '<script>',
] as const;

const anyAt = fc.double({ min: 0, max: 1, noNaN: true });
const at = (text: string, place: number): number => Math.floor(place * (text.length + 1));

const anyMutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(anyAt, fc.constantFrom(...NASTY)).map(
    ([place, nasty]) =>
      (text: string) =>
        text.slice(0, at(text, place)) + nasty + text.slice(at(text, place)),
  ),
  fc.tuple(anyAt, anyAt).map(
    ([from, to]) =>
      (text: string) =>
        text.slice(0, Math.min(at(text, from), at(text, to))) + text.slice(Math.max(at(text, from), at(text, to))),
  ),
  fc.tuple(anyAt, anyAt, fc.integer({ min: 2, max: 60 })).map(([from, to, times]) => (text: string) => {
    const [start, end] = [Math.min(at(text, from), at(text, to)), Math.max(at(text, from), at(text, to))];
    // Long enough to show what takes the square of the time, and no longer.
    return (text.slice(0, end) + text.slice(start, end).repeat(times) + text.slice(end)).slice(0, 30_000);
  }),
  fc.constantFrom<Mutation>(
    (text) => text.toUpperCase(),
    (text) => text.toLowerCase(),
    (text) => encodeURIComponent(text.replaceAll(/\p{Cs}/gu, '?')),
    (text) => [...text].reverse().join(''),
    (text) => `"${text}"`,
    (text) => `${text}, ${text}`,
    (text) => text.trim(),
    (text) => Buffer.from(text).toString('base64url'),
  ),
  fc.tuple(anyAt, fc.string({ unit: 'binary', maxLength: 6 })).map(
    ([place, more]) =>
      (text: string) =>
        text.slice(0, at(text, place)) + more + text.slice(at(text, place) + more.length),
  ),
);

/** Realistic texts, changed a little, or a lot. */
export function mutated(examples: readonly string[]): fc.Arbitrary<string> {
  const changed = fc
    .tuple(fc.constantFrom(...examples), fc.array(anyMutation, { maxLength: 5 }))
    .map(([text, mutations]) => mutations.reduce((current, mutate) => mutate(current), text));
  return fc.oneof(
    { weight: 8, arbitrary: changed },
    { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
    { weight: 1, arbitrary: fc.string() },
  );
}
