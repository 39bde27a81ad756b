import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';

const MAIN = fileURLToPath(new URL('../../examples/gateway/main.ts', import.meta.url));

let child: ChildProcess | undefined;
afterEach(() => void child?.kill('SIGKILL'));

describe('npm run example', () => {
  it('says in a line that its port is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      child = spawn(process.execPath, ['--import', 'tsx', MAIN], {
        env: { ...process.env, PORT: String(port) },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const exited = once(child, 'exit');
      const [told, error] = await Promise.all([child.stdout, child.stderr].map((stream) => text(stream as Readable)));
      expect(await exited).toEqual([1, null]);
      expect([told, error]).toEqual(['', `The gateway cannot listen on port ${port} (EADDRINUSE). PORT sets another.\n`]);
    } finally {
      server.close();
    }
  });

  it('starts, prints where it listens and what happens, and ends cleanly with Ctrl-C', async () => {
    child = spawn(process.execPath, ['--import', 'tsx', MAIN], { env: { ...process.env, PORT: '0' }, stdio: ['ignore', 'pipe', 'pipe'] });
    const exited = once(child, 'exit');
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        printed += text;
      });
    }
    await vi.waitFor(() => expect(printed).toMatch(/^\d\d:\d\d:\d\d captured {2}openai [0-9a-f]{16}$/m), { timeout: 20_000, interval: 50 });
    const [, url] = /listens on (http:\S+?)\. Log in there as demo/.exec(printed) ?? [];
    expect((await fetch(url as string)).url).toContain('/login');

    child.kill('SIGINT');
    expect(await exited).toEqual([0, null]);
    expect(printed).toMatch(/\nEnding\.\n$/);
    // What the make-believe upstream's tokens begin with.
    expect(printed).not.toContain('example-');
  });
});
