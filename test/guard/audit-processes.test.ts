import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAuditLog } from '../../src/guard/audit-log.js';
import { ROOT } from '../support/built-package.js';
import { auditFolder, linesOf } from './audit-folder.js';

const folder = auditFolder();
let built = '';

beforeAll(async () => {
  built = mkdtempSync(join(tmpdir(), 'latchkey-audit-built-'));
  const outfile = join(built, 'audit-log.mjs');
  await build({ entryPoints: [join(ROOT, 'src/guard/audit-log.ts')], outfile, bundle: true, platform: 'node', format: 'esm' });
});
afterAll(() => rmSync(built, { recursive: true, force: true }));

/** A process of its own with a log at `path`; `ready` and `go` keep several in step. Gives what it printed. */
function inProcess(path: string, script: string, shell = ''): { ready: Promise<void>; go(): void; output: Promise<string> } {
  const program = `
    import { openAuditLog } from ${JSON.stringify(join(built, 'audit-log.mjs'))};
    const warnings = [];
    const log = openAuditLog({ path: ${JSON.stringify(path)}, onWarning: (warning) => warnings.push(warning.message) });
    console.log('ready');
    await new Promise((resolve) => process.stdin.once('data', resolve));
    process.stdin.destroy();
    ${script}`;
  const child = spawn('sh', ['-c', `${shell} exec "$@"`, 'sh', process.execPath, '--input-type=module', '-e', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let text = '';
  const ready = new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.startsWith('ready\n')) resolve();
    });
  });
  const output = new Promise<string>((resolve, reject) => {
    child.on('close', (code) => (code === 0 ? resolve(text.slice('ready\n'.length)) : reject(new Error(`ended with ${code}: ${text}`))));
  });
  return { ready, go: () => void child.stdin.write('go\n'), output };
}

describe('processes with one audit log', () => {
  it('500 records of five at once are 500 lines', async () => {
    const path = folder.at('new', 'audit.jsonl');
    const writers = Array.from({ length: 5 }, (_, writer) =>
      inProcess(
        path,
        `for (let n = 0; n < 100; n++) {
           if (!log.record('wrote', { writer: ${writer}, n, text: 'x'.repeat(n * 10), list: Array.from({ length: n * 9 }, () => 'long') }))
             console.log('lost');
           if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
         }
         console.log(warnings.join());`,
      ),
    );
    await Promise.all(writers.map(({ ready }) => ready));
    for (const { go } of writers) go();
    expect(await Promise.all(writers.map(({ output }) => output))).toEqual(writers.map(() => '\n'));
    const seen = linesOf(path).map(({ writer, n }) => `${writer}/${n}`);
    expect(seen).toHaveLength(500);
    expect(new Set(seen).size).toBe(500);
  });

  it('no line is empty where one opens the log for each line while another writes long ones', async () => {
    const path = folder.at('audit.jsonl');
    const long = inProcess(path, `const v = Array(14).fill('x'.repeat(1000)); for (let n = 0; n < 1500; n++) log.record('long', { v });`);
    const short = inProcess(
      path,
      `for (let n = 0; n < 1500; n++) { const own = openAuditLog({ path: ${JSON.stringify(path)} }); own.record('short'); own.close(); }`,
    );
    await Promise.all([long.ready, short.ready]);
    for (const { go } of [long, short]) go();
    await Promise.all([long.output, short.output]);
    expect(linesOf(path)).toHaveLength(3_000);
  });

  it('500 records of one at once are 500 lines, in their order', async () => {
    const path = folder.at('audit.jsonl');
    const log = openAuditLog({ path });
    await Promise.all(Array.from({ length: 500 }, async (_, n) => log.record('wrote', { n })));
    expect(linesOf(path).map(({ n }) => n)).toEqual(Array.from({ length: 500 }, (_, n) => n));
  });

  it('is for its owner alone under a umask that forbids nothing', async () => {
    const path = folder.at('new', 'audit.jsonl');
    const { ready, go, output } = inProcess(
      path,
      `const { statSync } = await import('node:fs');
       log.record('started');
       for (const at of ${JSON.stringify([folder.at('new'), path])}) console.log((statSync(at).mode & 0o7777).toString(8));`,
      'umask 000;',
    );
    await ready;
    go();
    expect(await output).toBe('700\n600\n');
  });

  it('a line that was written in part is a loss, and the next one begins anew', async () => {
    const path = folder.at('audit.jsonl');
    // Files of this process end after so many blocks: the kernel then takes a part of a line, and after that nothing.
    const { ready, go, output } = inProcess(
      path,
      `const { truncateSync } = await import('node:fs');
       const said = [];
       for (let n = 0; n < 4; n++) said.push(log.record('wrote', { n, text: 'x'.repeat(300) }));
       truncateSync(${JSON.stringify(path)}, 400);
       said.push(log.record('room again'));
       console.log(JSON.stringify({ said, warnings }));`,
      'ulimit -f 1;',
    );
    await ready;
    go();
    const { said, warnings } = JSON.parse(await output) as { said: boolean[]; warnings: string[] };
    expect(said).toEqual([true, false, false, false, true]);
    expect(warnings).toEqual([`the audit log ${path} cannot be written: a line was written in part`]);
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    expect(JSON.parse(lines[0] as string)).toMatchObject({ n: 0 });
    expect(() => JSON.parse(lines[1] as string)).toThrow();
    expect(JSON.parse(lines[2] as string)).toMatchObject({ event: 'room again' });
  });
});
