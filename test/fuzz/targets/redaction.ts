import fc from 'fast-check';
import { redactText } from '../../../src/adapters/sentry/redact.js';
import { bearer } from '../../../src/credential/credential.js';
import { redactAll, redactedCopy } from '../../../src/credential/redact.js';
import { redactArgv } from '../../../src/guard/redact-argv.js';
import { PLAIN_SECRET, require, requireNoSecret, SECRET, within } from '../ground.js';
import { mutated } from '../mutate.js';
import { target } from '../target.js';
import { anyHostile, NAMES } from '../values.js';

const CREDENTIALS = [bearer(SECRET), bearer(PLAIN_SECRET), bearer('s3cr'), bearer('aaaa')];
const encodings: readonly ((text: string) => string)[] = [
  (text) => text,
  (text) => encodeURIComponent(text),
  (text) => JSON.stringify(text),
  (text) => Buffer.from(text).toString('base64'),
  (text) => Buffer.from(`user:${text}`).toString('base64url'),
  (text) => new URLSearchParams({ token: text }).toString(),
];
const anySecret = fc.tuple(fc.constantFrom(SECRET, PLAIN_SECRET), fc.constantFrom(...encodings)).map(([secret, encode]) => encode(secret));
const anyAround = mutated(['failed with ', 'aaa', 's3cr3t', '"', '\\', '%', 'Bearer ', '', SECRET.slice(0, -1), SECRET.slice(1)]);
const anyText = fc.array(fc.oneof(anyAround, anySecret), { minLength: 1, maxLength: 5 }).map((parts) => parts.join(''));

export const redactionTarget = target({
  name: 'redaction: texts, errors, command lines',
  share: 4,
  input: fc.record({ text: anyText, thrown: anyHostile(), name: fc.constantFrom(...NAMES) }),
  check({ text, thrown, name }) {
    requireNoSecret('a redacted text', within(() => redactAll(text, CREDENTIALS)) ?? '');
    require(redactAll('harmless', CREDENTIALS) === 'harmless', 'what is harmless has changed');
    const argv = within(() =>
      redactArgv(['--token', text, `--token=${text}`, '--token', '--token', text, text], { credentials: CREDENTIALS }),
    );
    requireNoSecret('a command line', argv);
    const error = Object.assign(new Error(text), { code: text, config: { headers: { authorization: text } } });
    requireNoSecret(
      'a copy',
      within(() => redactedCopy(error, CREDENTIALS)),
    );
    const resisting = thrown();
    within(() => redactedCopy(resisting, CREDENTIALS));
    try {
      Object.defineProperty(resisting, name, { value: text, configurable: true });
    } catch {}
    requireNoSecret(
      'a copy',
      within(() => redactedCopy(resisting, CREDENTIALS)),
    );
    const header = `GET / HTTP/1.1\r\nauthorization: Bearer ${PLAIN_SECRET}\r\nx-api-key: ${PLAIN_SECRET}\r\n`;
    requireNoSecret('a text for Sentry', redactText(`${header}\r\n`));
    require(typeof redactText(text) === 'string', 'no text');
  },
});
