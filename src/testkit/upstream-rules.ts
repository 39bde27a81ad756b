import { requireOptions } from '../arguments.js';
import type { Clock } from '../clock.js';
import type { Credential } from '../credential/credential.js';

/** How a scripted upstream answers. */
export interface ScriptedAnswer {
  /** Default 200. */
  readonly status?: number | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Sent as it is; what is no text as JSON. Default: a JSON object with the status; nothing with 204, 205 and 304, which have no body. */
  readonly body?: unknown;
  /** How long the answer takes, in milliseconds. Default 0. */
  readonly delayMs?: number | undefined;
  /** `'connection'`: instead of an answer the connection breaks. */
  readonly fails?: 'connection' | undefined;
}

/** When a request is answered so. What is not named does not matter; of several rules the first that fits counts. */
export interface UpstreamRule extends ScriptedAnswer {
  /** Requests with this credential, by its name among `credentials`; `'none'`: those without any. */
  readonly for?: string | undefined;
  readonly method?: string | undefined;
  /** The path of the URL, without its query. */
  readonly path?: string | undefined;
  /** From so many milliseconds on, since the upstream was made. */
  readonly from?: number | undefined;
  /** Before so many milliseconds, since the upstream was made. */
  readonly until?: number | undefined;
  /** For so many requests at the most. */
  readonly times?: number | undefined;
}

/** Options of `createUpstream`. */
export interface UpstreamOptions {
  /** What the credentials are called, in the rules and in the record. One that has no name goes by its fingerprint. */
  readonly credentials?: Readonly<Record<string, Credential>> | undefined;
  readonly rules?: readonly UpstreamRule[] | undefined;
  /** What is answered where no rule fits. Default 200. */
  readonly otherwise?: ScriptedAnswer | undefined;
  /** Where `from` and `until` are read: give it Latchkey's. Default `Date`. */
  readonly clock?: Clock | undefined;
}

/** What a rule looks at. */
interface ScriptedRequest {
  readonly credential: string;
  readonly method: string;
  readonly path: string;
  /** Milliseconds since the upstream was made. */
  readonly at: number;
}

/** What requests without a credential that can be read go by. */
export const NONE = 'none';

const ANSWER = ['status', 'headers', 'body', 'delayMs', 'fails'] as const;
const RULE = [...ANSWER, 'for', 'method', 'path', 'from', 'until', 'times'] as const;

/** @throws {TypeError} naming what is wrong. */
export function checkUpstreamOptions(options: UpstreamOptions): void {
  requireOptions('createUpstream', options, ['credentials', 'rules', 'otherwise', 'clock']);
  const { credentials = {}, rules = [], otherwise = {}, clock } = options;
  if (typeof credentials !== 'object' || credentials === null || Object.values(credentials).some((one) => !isCredential(one)))
    throw new TypeError('createUpstream: `credentials` must be credentials by their names');
  if (Object.hasOwn(credentials, NONE)) throw new TypeError(`createUpstream: \`credentials.${NONE}\` is what requests without one go by`);
  if (!Array.isArray(rules)) throw new TypeError('createUpstream: `rules` must be a list');
  if (clock !== undefined && typeof clock?.now !== 'function') throw new TypeError('createUpstream: `clock` must have a function `now`');
  rules.forEach((rule: UpstreamRule, index) => {
    const name = `rules[${index}]`;
    check(name, rule, RULE);
    for (const own of ['from', 'until', 'times'] as const) requireNumber(`${name}.${own}`, rule[own], 0);
    if (rule.for !== undefined && rule.for !== NONE && !(typeof rule.for === 'string' && Object.hasOwn(credentials, rule.for)))
      throw new TypeError(`createUpstream: \`${name}.for\` must be the name of a credential, or 'none'`);
  });
  check('otherwise', otherwise, ANSWER);
}

/** Answers by rules, some of which are used up. */
export class UpstreamScript {
  readonly #rules: readonly UpstreamRule[];
  readonly #otherwise: ScriptedAnswer;
  readonly #left: Map<UpstreamRule, number>;

  constructor({ rules = [], otherwise = {} }: UpstreamOptions) {
    // A list may name one rule twice: each place counts for itself.
    this.#rules = rules.map((rule) => ({ ...rule }));
    this.#otherwise = otherwise;
    this.#left = new Map(this.#rules.map((rule) => [rule, rule.times ?? Number.POSITIVE_INFINITY]));
  }

  answerTo(request: ScriptedRequest): ScriptedAnswer {
    const rule = this.#rules.find((one) => fits(one, request) && (this.#left.get(one) ?? 0) > 0);
    if (rule === undefined) return this.#otherwise;
    this.#left.set(rule, (this.#left.get(rule) ?? 0) - 1);
    return rule;
  }
}

/** The text and the headers that an answer goes out with. */
export function contentOf({ status = 200, headers = {}, body }: ScriptedAnswer): {
  readonly text: string;
  readonly headers: Record<string, string>;
} {
  if (typeof body === 'string') return { text: body, headers: { ...headers } };
  if (isWithoutContent(status)) return { text: '', headers: { ...headers } };
  return { text: JSON.stringify(body ?? { status }), headers: { 'content-type': 'application/json', ...headers } };
}

function fits(rule: UpstreamRule, { credential, method, path, at }: ScriptedRequest): boolean {
  return (
    (rule.for === undefined || rule.for === credential) &&
    (rule.method === undefined || rule.method.toUpperCase() === method) &&
    (rule.path === undefined || rule.path === path) &&
    at >= (rule.from ?? 0) &&
    at < (rule.until ?? Number.POSITIVE_INFINITY)
  );
}

function check(name: string, answer: ScriptedAnswer, known: readonly string[]): void {
  if (typeof answer !== 'object' || answer === null) throw new TypeError(`createUpstream: \`${name}\` must be an object`);
  for (const own of Object.keys(answer)) if (!known.includes(own)) throw new TypeError(`createUpstream: unknown option \`${name}.${own}\``);
  requireNumber(`${name}.delayMs`, answer.delayMs, 0);
  const { status = 200, fails, body } = answer;
  if (!Number.isInteger(status) || status < 200 || status > 599)
    throw new TypeError(`createUpstream: \`${name}.status\` must be a status from 200 to 599`);
  if (isWithoutContent(status) && body !== undefined && body !== '')
    throw new TypeError(`createUpstream: \`${name}.body\` must be left out where the status is ${status}, which has none`);
  if (fails !== undefined && fails !== 'connection') throw new TypeError(`createUpstream: \`${name}.fails\` must be 'connection'`);
}

/** RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5. */
function isWithoutContent(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}

function requireNumber(name: string, value: number | undefined, least: number): void {
  if (value !== undefined && (typeof value !== 'number' || Number.isNaN(value) || value < least))
    throw new TypeError(`createUpstream: \`${name}\` must be a number, ${least} or more`);
}

function isCredential(value: unknown): value is Credential {
  return typeof value === 'object' && value !== null && typeof (value as Partial<Credential>).fingerprint === 'string';
}
