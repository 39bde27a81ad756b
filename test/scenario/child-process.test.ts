import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/** Runs a fixture in a process of its own, which is killed if it has not ended by itself in time. */
async function runFixture(name: string, deadlineMs: number) {
  const script = fileURLToPath(new URL(`fixtures/${name}.ts`, import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', '--unhandled-rejections=strict', '--trace-warnings', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const deadline = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => child.on('close', (...end) => resolve(end)));
  clearTimeout(deadline);
  return { code, signal, stdout, stderr };
}

describe('a process of its own', () => {
  it('case 64: ends by itself with everything open, and without an unhandled rejection', async () => {
    const { code, signal, stdout, stderr } = await runFixture('everything-open', 20_000);
    expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({ running: 7, waiting: 4, openIncidents: 1, promptIncidents: 1 });
  });
});
