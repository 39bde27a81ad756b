import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import * as latchkeyModule from '../src/index.js';
import { apiKey, bearer, createLatchkey, type LatchkeyOptions, type RunContext } from '../src/index.js';
import { manualClock, settled } from './support/clock.js';
import { hearAll } from './support/heard.js';
import { recordingReporter } from './support/reporter.js';

const SRC = fileURLToPath(new URL('../src', import.meta.url));
const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));

/** A declaration of the module’s own: the formatter indents everything else. */
const DECLARED = /^(export )?(const|let|var) (?:(\w+)|[{[][^=]*)[^=]*= ([^\n]*)/gm;
const COLLECTION = /^new (?:Map|Set|WeakMap|WeakSet|LRUCache|Array)\b|^\[|^\{/;
const INSTANCE = /^new (\w+)/;
/** Classes of the project whose instances never change: every field readonly, and none a collection. */
const CONSTANT = new Set(
  files
    .flatMap((file) => [...readFileSync(join(SRC, file), 'utf8').matchAll(/^(?:export )?class (\w+) [^\n]*\{\n(.*?)^\}/gms)])
    .filter(([, , body = '']) => !/^ {2}#?\w+[?!]?(?::|;| =)/m.test(body) && !/new (?:Map|Set|Weak\w+|LRUCache)\b/.test(body))
    .map(([, name]) => name),
);

/** Ways in which a file changes what it declares at its top. */
function mutations(text: string): string[] {
  const found: string[] = [];
  for (const [line, exported, keyword, name, value = ''] of text.matchAll(DECLARED)) {
    if (keyword !== 'const') found.push(line);
    if (name === undefined) continue;
    if (exported !== undefined && /^new (?:Map|Set|WeakMap|WeakSet)\b/.test(value)) found.push(line);
    const made = INSTANCE.exec(value)?.[1];
    if (made !== undefined && !COLLECTION.test(value) && !CONSTANT.has(made)) found.push(line);
    const changed = new RegExp(
      String.raw`\b${name}(?:\.(?:set|add|delete|clear|push|pop|shift|unshift|splice|sort|reverse|fill|copyWithin)\(|(?:\.\w+|\[[^\]]*\])\s*(?:[-+*/|&?]{0,2}=(?!=)|\+\+|--))`,
    );
    if (changed.test(text)) found.push(line);
  }
  for (const [line] of text.matchAll(/^ +(?:private |protected )?static (?!readonly )#?\w+[^\n(]*=/gm)) found.push(line);
  return found;
}

describe('case 64: no module-level mutable state', () => {
  it.each(files)('%s declares none', (file) => {
    expect(mutations(readFileSync(join(SRC, file), 'utf8'))).toEqual([]);
  });

  it.each([
    'let count = 0;',
    'export let last: string | undefined = undefined;',
    'const seen = new Set<string>();\nfunction note(one: string) {\n  seen.add(one);\n}',
    'const cache = new WeakMap<object, string>();\nfunction note(one: object) {\n  cache.set(one, "");\n}',
    'export const known = new Map();',
    'const emitter = new Emitter();',
    'const totals = { runs: 0 };\nfunction run() {\n  totals.runs++;\n}',
    'const list: string[] = [];\nfunction note() {\n  list[0] = "";\n}',
    'class A {\n  static #count = 0;\n}',
  ])('the check itself finds %j', (text) => {
    expect(mutations(text)).toHaveLength(1);
  });

  it('the check itself knows what is constant', () => {
    expect(CONSTANT).toContain('WorkScope');
    for (const mutable of ['Emitter', 'Identity', 'Slots', 'Flight', 'IncidentLog']) expect(CONSTANT).not.toContain(mutable);
    expect(mutations("const NAMES = new Set(['a']);\nconst NOBODY = new WorkScope();\nconst at = NAMES.has('b');")).toEqual([]);
  });

  it('two instances share nothing', async () => {
    const [one, two] = [createLatchkey(), createLatchkey()];
    const credential = bearer('shared-value');
    const heardByTwo = hearAll(two);
    one.pin({ provider: 'P' }, credential);
    one.capture('S', credential);
    await one.run('S', () => new Response(null, { status: 401 })).catch(() => {});
    expect(one.canRun('S')).toBe(false);
    expect(two.resolve('S')).toEqual({ ok: false, reason: 'missing' });
    expect(two.canRun({ provider: 'P' })).toBe(false);
    expect(heardByTwo).toEqual([]);
    expect(two.stats()).toEqual(createLatchkey().stats());
    expect(two.capture('S', credential).usable).toBe(true);
    await one.close();
    expect(two.canRun('S')).toBe(true);
  });
});

const VALUE = 'sk-live-0123456789abcdef';
const FORMS = [VALUE, Buffer.from(VALUE).toString('base64').slice(0, -2), Buffer.from(`Bearer ${VALUE}`).toString('base64').slice(-20)];

/** Every way in which something public may end up in a log. */
function printings(thing: unknown): string {
  const printed = [
    inspect(thing),
    inspect(thing, { showHidden: true, depth: Number.POSITIVE_INFINITY, getters: true }),
    inspect(thing, { showHidden: true, depth: Number.POSITIVE_INFINITY, customInspect: false }),
    JSON.stringify(thing) ?? '',
  ];
  // A module has no text.
  if (typeof (thing as { toString?: unknown }).toString === 'function') printed.push(String(thing));
  if (thing instanceof Error) printed.push(thing.stack ?? '', inspect(thing.cause, { showHidden: true, depth: Number.POSITIVE_INFINITY }));
  return printed.join('\n');
}

function expectNoSecret(things: Readonly<Record<string, unknown>>): void {
  for (const [name, thing] of Object.entries(things)) {
    const text = printings(thing);
    for (const form of FORMS) expect(text.includes(form), `${name} gives the value away`).toBe(false);
  }
}

describe('case 64: no secret in what is printed', () => {
  it.each([
    ['bearer', bearer(VALUE)],
    ['api key', apiKey(VALUE)],
  ])('nothing public shows the value of a %s', async (_, credential) => {
    const reporter = recordingReporter();
    const options: LatchkeyOptions = { clock: manualClock(), reporter };
    const latchkey = createLatchkey(options);
    const heard = hearAll(latchkey);
    const capture = latchkey.capture({ tenant: 't', session: 'S', provider: 'P' }, credential);
    const provisional = latchkey.capture({ tenant: 't', session: 'T', provider: 'P' }, credential, { provisional: true });
    latchkey.pin({ provider: 'Q' }, credential);
    const scope = { tenant: 't', session: 'S', provider: 'P' };
    const resolution = latchkey.resolve(scope);
    let context: RunContext | undefined;
    let lease: unknown;
    const error: unknown = await latchkey
      .run(scope, (given, itsContext) => {
        [lease, context] = [given, itsContext];
        throw Object.assign(new Error(`401 for ${VALUE}`), {
          status: 401,
          code: `E-${VALUE}`,
          config: { headers: given.headers() },
          request: { auth: Buffer.from(`user:${VALUE}`).toString('base64') },
        });
      })
      .catch((thrown: unknown) => thrown);
    const again: unknown = await latchkey.run(scope, () => 1).catch((thrown: unknown) => thrown);
    latchkey.capture(scope, bearer('fresh-value'));
    await settled();
    expect(error).toMatchObject({ code: 'CREDENTIAL_REJECTED', cause: { message: `401 for ${credential}` } });
    expect(heard.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['captured', 'rejected', 'blocked', 'incident', 'recovered', 'resumed']),
    );
    expect(reporter.openings).toHaveLength(1);
    expectNoSecret({
      credential,
      latchkey,
      capture,
      provisional,
      resolution,
      lease,
      context,
      error,
      again,
      events: heard,
      incidents: [...reporter.openings, ...reporter.endings],
      explanation: latchkey.explain(scope),
      snapshot: latchkey.snapshot(),
      stats: latchkey.stats(),
      module: latchkeyModule,
    });
    // The value is there for who asks for it.
    expect(resolution.ok && resolution.lease.credential.reveal()).toBe(VALUE);
    expect(printings((error as latchkeyModule.LatchkeyError).original())).toContain(VALUE);
  });
});
