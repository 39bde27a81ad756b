import { inspect } from 'node:util';
import type { Laws } from './laws.js';

/** Looks for a run's secrets in whatever Latchkey gives away: all of them begin with one text, so that looking costs next to nothing. */
export class Secrets {
  readonly #laws: Laws;
  readonly #forms: readonly string[];

  constructor(laws: Laws, secret: string) {
    this.#laws = laws;
    this.#forms = formsOf(secret);
  }

  /** `what`: where the value comes from. */
  look(what: string, value: unknown): void {
    const text = textOf(value);
    const form = this.#forms.find((one) => text.includes(one));
    this.#laws.check('L7', form === undefined, () => `${what} holds a secret as ${form}: ${text.slice(0, 2_000)}`);
  }
}

/** In the clear, URL-encoded, in hexadecimal digits, and in base64 wherever it begins. */
function formsOf(secret: string): string[] {
  const base64 = [0, 1, 2].map((offset) => {
    const bytes = Buffer.from('\0'.repeat(offset) + secret);
    return bytes.toString('base64').slice(Math.ceil((offset * 8) / 6), Math.floor((bytes.length * 8) / 6));
  });
  const url = base64.map((form) => form.replaceAll('+', '-').replaceAll('/', '_'));
  return [...new Set([secret, encodeURIComponent(secret), Buffer.from(secret).toString('hex'), ...base64, ...url])];
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  const printed = inspect(value, { depth: 6, breakLength: Number.POSITIVE_INFINITY });
  return `${printed} ${JSON.stringify(value)}`;
}
