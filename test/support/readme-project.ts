import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, TSC } from './built-package.js';

export const README = readFileSync(join(ROOT, 'README.md'), 'utf8');

const blocksOf = (text: string): string[] => [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code ?? '');

/** The README's TypeScript, block by block. */
export const BLOCKS: readonly string[] = blocksOf(README);

const DOCS = join(ROOT, 'docs');

/** The pages of `docs`, as they are linked to from the root. */
export const PAGES: readonly string[] = readdirSync(DOCS)
  .filter((file) => file.endsWith('.md'))
  .map((file) => `docs/${file}`);

export interface PageBlock {
  /** Its file's name, without `.ts`. */
  readonly name: string;
  readonly code: string;
}

/** The TypeScript of the pages of `docs`. */
export const PAGE_BLOCKS: readonly PageBlock[] = PAGES.flatMap((page) =>
  blocksOf(readFileSync(join(ROOT, page), 'utf8')).map((code, index) => ({
    name: `${page.replace('/', '-').replace(/\.md$/, '')}-${index}`,
    code,
  })),
);

/** What the examples take from the gateway around them. */
const GATEWAY_TYPES = `
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
    const window: {
      addEventListener<K extends keyof WindowEventMap>(name: K, listener: (event: WindowEventMap[K]) => void): void;
    };
    const location: { readonly origin: string };
    function saveStatus(workload: import('latchkey/proxy').Workload, options: { signal: AbortSignal }): Promise<void>;
  }`;

/** The same to run with, in front of a real upstream to which only one token is good. */
const GATEWAY = `
  import { createServer } from 'node:http';
  const upstream = createServer((request, response) => {
    const isFresh = request.headers.authorization === 'Bearer fresh-token';
    response.writeHead(isFresh ? 200 : 401, { 'content-type': 'application/json', 'www-authenticate': 'Bearer realm="upstream"' });
    response.end(isFresh ? '{"text":"done"}' : '{"error":"expired"}');
  });
  await new Promise((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  upstream.unref();
  const upstreamUrl = 'http://127.0.0.1:' + upstream.address().port;
  Object.assign(globalThis, {
    upstreamUrl,
    tenantOf: () => 'acme',
    sessionOf: () => 'session-1',
    forward: (request, credential) => fetch(upstreamUrl, { headers: credential.headers() }),
    stream: async () => 200,
    warmer: { stop: async () => {} },
    server: { close() {} },
    idleSessions: () => [{ id: 'session-1' }],
    preparePrompt: async () => 'prompt',
    warm: (headers) => fetch(upstreamUrl, { headers }),
    saveStatus: async ({ state }) => console.log('status', state),
  });`;

/** Runs a block; if it exports a server, sends that the requests it is given and prints the answers, a line `answer JSON` each. */
const DRIVER = `
  const [block, requests] = process.argv.slice(2);
  const { server } = await import('./' + block);
  if (server !== undefined) {
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    for (const { path, headers } of JSON.parse(requests)) {
      const url = 'http://127.0.0.1:' + server.address().port + path;
      const response = await fetch(url, { headers, redirect: 'manual' });
      console.log('answer ' + JSON.stringify({ status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() }));
    }
  }
  // Sockets that are kept alive would keep the process, too.
  setTimeout(() => process.exit(), 50);`;

const BORROWED = [
  '@types',
  '@sentry',
  '@opentelemetry',
  'vitest',
  'undici',
  'undici-types',
  'redis',
  'bullmq',
  'tsx',
  'lru-cache',
  'p-retry',
  'is-network-error',
];

/** A user's project with the built package and a file for each block. Returns its folder. */
export function readmeProject(): string {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-readme-'));
  mkdirSync(join(folder, 'node_modules/latchkey'), { recursive: true });
  for (const name of BORROWED) symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
  writeFileSync(join(folder, 'node_modules/latchkey/package.json'), readFileSync(join(ROOT, 'package.json')));
  execFileSync(process.execPath, [TSC, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', join(folder, 'node_modules/latchkey/dist')]);
  // The package ships its sources, and serves the operators' page from them.
  symlinkSync(join(ROOT, 'src'), join(folder, 'node_modules/latchkey/src'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(folder, 'gateway.d.ts'), GATEWAY_TYPES);
  writeFileSync(join(folder, 'gateway.mjs'), GATEWAY);
  writeFileSync(join(folder, 'driver.mjs'), DRIVER);
  for (const [index, code] of BLOCKS.entries()) writeFileSync(join(folder, `block-${index}.ts`), code);
  for (const { name, code } of PAGE_BLOCKS) writeFileSync(join(folder, `${name}.ts`), code);
  return folder;
}

export interface Asked {
  readonly path: string;
  readonly headers?: Record<string, string>;
}

/** Runs a block, by its file's name, in a process of its own; with requests for its server, if it exports one. Returns what was printed, line by line. */
export function runBlock(folder: string, name: string, requests: readonly Asked[] = [], env: Record<string, string> = {}): string[] {
  const tsx = join(ROOT, 'node_modules/tsx/dist/cli.mjs');
  const args = [tsx, '--import', './gateway.mjs', 'driver.mjs', `${name}.ts`, JSON.stringify(requests)];
  const printed = execFileSync(process.execPath, args, {
    cwd: folder,
    env: { ...process.env, XDG_CONFIG_HOME: join(folder, 'config'), ...env },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 20_000,
  });
  return printed === '' ? [] : printed.trimEnd().split('\n');
}
