import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ROOT, TSC } from '../support/built-package.js';

const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
const blocks = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code ?? '');

/** What the examples take from the gateway around them. */
const GATEWAY = `
  import type { IncomingMessage } from 'node:http';
  import type { Credential } from 'latchkey';
  declare global {
    const upstreamUrl: string;
    function tenantOf(request: IncomingMessage): string;
    function sessionOf(request: IncomingMessage): string;
    function forward(request: IncomingMessage, credential: Credential): Promise<Response>;
    function stream(session: string, credential: Credential): Promise<number>;
    const warmer: import('latchkey').IdleLoop;
    const server: import('node:http').Server;
    function idleSessions(): Iterable<{ id: string }>;
    function preparePrompt(item: { id: string }, signal: AbortSignal): Promise<string>;
    function warm(headers: Record<string, string>, prompt: string): Promise<Response>;
  }`;

describe('README', () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'latchkey-readme-'));
    mkdirSync(join(folder, 'node_modules'));
    for (const name of ['@types', '@sentry', 'vitest', 'undici-types', 'tsx', 'lru-cache', 'p-retry', 'is-network-error']) {
      symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
    }
    mkdirSync(join(folder, 'node_modules/latchkey'));
    writeFileSync(join(folder, 'node_modules/latchkey/package.json'), readFileSync(join(ROOT, 'package.json')));
    execFileSync(process.execPath, [TSC, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', join(folder, 'node_modules/latchkey/dist')]);
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(folder, 'gateway.d.ts'), GATEWAY);
    for (const [index, code] of blocks.entries()) writeFileSync(join(folder, `block-${index}.ts`), code);
  });

  it('has examples that compile', () => {
    expect(blocks.length).toBeGreaterThan(5);
    const options = {
      module: 'nodenext',
      target: 'es2023',
      lib: ['es2023'],
      types: ['node'],
      strict: true,
      skipLibCheck: true,
      noEmit: true,
    };
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: { ...options, noUnusedLocals: false }, include: ['*.ts'] }),
    );
    const { stdout, status } = spawnSync(process.execPath, [TSC, '-p', folder], { encoding: 'utf8' });
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });

  it('has a first example of at most 20 lines, which does what its comments say', () => {
    const [first = ''] = blocks;
    expect(first.trim().split('\n').length).toBeLessThanOrEqual(20);
    const said = [...first.matchAll(/console\.log\(.*\); \/\/ ([^:\n]+)/g)].map(([, value]) => value);
    const printed = execFileSync(process.execPath, [join(ROOT, 'node_modules/tsx/dist/cli.mjs'), join(folder, 'block-0.ts')], {
      encoding: 'utf8',
    });
    expect(printed.trim().split('\n')).toEqual(said);
    expect(said).toEqual(['undefined', 'undefined', 'false', '204']);
  });

  it('names every event, error code and option that there is', () => {
    const read = (file: string): string => readFileSync(join(ROOT, 'src', file), 'utf8');
    const events = [...read('events.ts').matchAll(/^ {2}(\w+): (?:About|\{)/gm)].map(([, name]) => name);
    const codes = [...read('errors.ts').matchAll(/^ {2}\| '([A-Z_]+)'/gm)].map(([, code]) => code);
    const options = [...read('options.ts').matchAll(/^ {2}readonly (\w+)\?:/gm)].map(([, name]) => name);
    const runOptions = [...read('worker/run-options.ts').matchAll(/^ {2}readonly (\w+)\?:/gm)].map(([, name]) => name);
    for (const names of [events, codes, options, runOptions]) expect(names.length).toBeGreaterThan(6);
    const missing = [...events, ...codes, ...options, ...runOptions].filter((name) => !readme.includes(`\`${name}\``));
    expect(missing).toEqual([]);
  });
});
