import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';

interface Tally {
  name: string;
  upstreamCalls: number;
  upstream401s: number;
  sentryEvents: number;
  foreignCredentialCalls: number;
  ownWorkDone: number;
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const POLICIES = ['silent', 'mark-and-retry', 'mark-and-skip', 'latchkey'];

let stdout = '';
let settings: { name: string; policies: Tally[] }[] = [];

beforeAll(async () => {
  const child = spawn(process.execPath, ['--import', 'tsx', 'bench/demo/main.ts', '--json'], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  expect(code).toBe(0);
  ({ settings } = JSON.parse(stdout) as { settings: typeof settings });
}, 240_000);

function tally(setting: string, policy: string): Tally {
  const found = settings.find(({ name }) => name === setting)?.policies.find(({ name }) => name === policy);
  if (found === undefined) throw new Error(`no ${policy} in ${setting}`);
  return found;
}

describe('npm run demo', () => {
  it('plays four policies in three settings and prints one JSON document', () => {
    expect(settings.map(({ name }) => name)).toEqual(['one gateway per user', 'as clients behave', 'one shared gateway']);
    for (const { policies } of settings) {
      expect(policies.map(({ name }) => name)).toEqual(POLICIES);
      for (const { name: _, ...counts } of policies) {
        for (const count of Object.values(counts)) expect(count).toSatisfy(Number.isSafeInteger);
      }
    }
  });

  it.each(['one gateway per user', 'as clients behave', 'one shared gateway'])('latchkey meets its targets: %s', (setting) => {
    const { upstream401s, sentryEvents, foreignCredentialCalls, ownWorkDone } = tally(setting, 'latchkey');
    expect(upstream401s).toBe(19);
    expect(sentryEvents).toBeLessThanOrEqual(19);
    expect(sentryEvents).toBeGreaterThan(0);
    expect(foreignCredentialCalls).toBe(0);
    for (const policy of POLICIES) expect(ownWorkDone).toBeGreaterThanOrEqual(tally(setting, policy).ownWorkDone);
  });

  it('the other policies show the incident as it was', () => {
    expect(tally('one gateway per user', 'silent')).toMatchObject({ upstream401s: 2_349, sentryEvents: 0, ownWorkDone: 10_666 });
    expect(tally('one gateway per user', 'mark-and-retry')).toMatchObject({ upstream401s: 2_349, sentryEvents: 2_349 });
    expect(tally('as clients behave', 'mark-and-retry').sentryEvents).toBe(7_047);
    expect(tally('as clients behave', 'mark-and-skip').sentryEvents).toBe(756);
  });

  it("in a shared gateway the naive policies are quiet, since they spend other people's credentials", () => {
    for (const policy of ['mark-and-retry', 'mark-and-skip']) {
      expect(tally('one shared gateway', policy)).toMatchObject({ sentryEvents: 0, foreignCredentialCalls: 2_349 });
    }
  });

  it('prints no credential', () => {
    expect(stdout).not.toMatch(/demo-(?:old|new)\./);
  });
});
