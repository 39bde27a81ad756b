import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CreatingReply, CreatingRound } from './creating-child.js';
import { type TokenFolder, tokenFolder } from './token-folder.js';

const CHILD = fileURLToPath(new URL('./creating-child.ts', import.meta.url));
const CHILDREN = 4;
const ROUNDS = 50;
/** Until every child has been told. */
const LEAD_MS = 3;

let folder: TokenFolder;
let children: readonly ChildProcess[] = [];

beforeAll(async () => {
  folder = tokenFolder();
  children = Array.from({ length: CHILDREN }, () =>
    fork(CHILD, [], { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
  );
  await Promise.all(children.map((child) => once(child, 'message')));
});

afterAll(async () => {
  await Promise.all(
    children.map(async (child) => {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    }),
  );
  folder.remove();
});

async function startTogether(port: number): Promise<CreatingReply[]> {
  const round: CreatingRound = { configDir: folder.config, port, at: Date.now() + LEAD_MS };
  return Promise.all(
    children.map(async (child) => {
      const replied = once(child, 'message');
      child.send(round);
      return ((await replied) as [CreatingReply])[0];
    }),
  );
}

describe('processes that create the file of a port at the same time', () => {
  it.each([
    ['is not there', undefined, 10_000],
    ['is blank', '\n', 20_000],
  ] as const)('end with the same token where it %s', async (_, content, firstPort) => {
    for (let port = firstPort; port < firstPort + ROUNDS; port++) {
      if (content !== undefined) folder.put(`latchkey/${port}.token`, content);
      const replies = await startTogether(port);
      const [first] = replies;
      expect(first?.token).toMatch(/^[0-9a-f]{64}$/);
      expect(replies.map(({ token }) => token)).toEqual(replies.map(() => folder.saved(port)));
      expect(replies.filter(({ source }) => source === 'persisted')).toHaveLength(CHILDREN - 1);
      expect(replies.filter(({ source }) => source === 'generated')).toHaveLength(1);
    }
    expect(readdirSync(folder.config).filter((name) => !/^\d+\.token$/.test(name))).toEqual([]);
  });
});
