import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { secretsIn } from '../support/secret-forms.js';

const MAIN = fileURLToPath(new URL('../../examples/oauth-refresh/main.ts', import.meta.url));

let folder: string;
let child: ChildProcess | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'latchkey-example-'));
});
afterEach(() => {
  child?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

function start() {
  const started = spawn(process.execPath, ['--import', 'tsx', MAIN], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child = started;
  const exited = once(started, 'exit');
  const printed = { text: '', errors: '' };
  started.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed.text += text;
  });
  started.stderr.setEncoding('utf8').on('data', (text: string) => {
    printed.errors += text;
  });
  return { started, exited, printed };
}

/** The token store's folder; the loader of the sources leaves one of its own. */
const left = () => readdirSync(folder).filter((name) => name.startsWith('latchkey'));

describe('npm run example:refresh', () => {
  it('plays its story to the end, and prints no token', async () => {
    const { exited, printed } = start();
    expect(await exited).toEqual([0, null]);
    expect(printed.errors).toBe('');
    const [intro, revoked, outage, back, ended, again, sum] = printed.text
      .trim()
      .split('\n\n')
      .map((part) => part.replaceAll(/^\d\d:\d\d:\d\d\.\d /gm, '').replaceAll(/\b[0-9a-f]{16}\b/g, 'FP'));
    expect(intro).toMatch(/^Ada logs in\..+\ncaptured +FP\nrefreshed +FP -> FP$/);
    expect(revoked?.split('\n').slice(1).sort()).toEqual([
      expect.stringMatching(/^refreshed +FP -> FP$/),
      expect.stringMatching(/^rejected +FP with 401$/),
      expect.stringMatching(/^retried +with FP$/),
      expect.stringMatching(/^status +ready -> refreshing \(rejected\)$/),
      expect.stringMatching(/^status +refreshing -> ready$/),
    ]);
    expect(outage).toMatch(
      /\nrefreshFailed transient, 503, next try in 10 s\nstatus +ready -> refreshing \(expired\), next try in \d+ s\n/,
    );
    expect(outage).toMatch(/\na caller gets AUTH_RETRYING, next try in \d+ s$/);
    expect(back).toMatch(/\nrefreshed +FP -> FP\ncalls to the upstream in between: 0$/);
    expect(ended).toMatch(/\nrefreshFailed permanent, 400, invalid_grant, not tried again\n/);
    expect(ended?.match(/^incident /gm)).toHaveLength(1);
    expect(again).toMatch(/\ncaptured +FP\nrecovered +FP, by fresh\nstatus +blocked -> ready$/);
    expect(sum).toMatch(/^\d+ calls, 2 of them turned away; 5 tries to refresh\.$/);
    // What the make-believe provider's tokens begin with.
    expect(secretsIn(printed.text, ['example-at-', 'example-rt-'])).toEqual([]);
    expect(left()).toEqual([]);
  });

  it('ends cleanly with Ctrl-C, and leaves no token behind', async () => {
    const { started, exited, printed } = start();
    await vi.waitFor(() => expect(printed.text).toContain('captured'), { timeout: 20_000, interval: 50 });
    expect(left()).toHaveLength(1);
    started.kill('SIGINT');
    expect(await exited).toEqual([0, null]);
    expect(printed.errors).toBe('');
    expect(left()).toEqual([]);
  });
});
