import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type OrdinaryUser, ordinaryUser } from './ordinary-user.js';

let user: OrdinaryUser;
beforeEach(() => {
  user = ordinaryUser();
});
afterEach(() => user.remove());

const modes = (...paths: string[]): string[] => paths.map((path) => (statSync(join(user.folder, path)).mode & 0o7777).toString(8));

describe.each(['0177', '0777'])('under a umask of %s, which takes permissions from the owner too,', (umask) => {
  it('a token is saved, and kept', async () => {
    const printed = await user.run(`
      import { resolveServerToken } from './server-token.ts';
      process.umask(0o${umask});
      const sources = ['tokens', 'deep/er/latchkey'].flatMap((configDir) =>
        [{}, {}, { regenerate: true }, { token: 'given' }].map((options) => resolveServerToken({ port: 8512, configDir, ...options }).source));
      console.log(sources.join());`);
    expect(printed).toBe(`${Array(2).fill('generated,persisted,regenerated,explicit').join()}\n`);
    expect(modes('tokens', 'tokens/8512.token')).toEqual(['700', '600']);
    expect(modes('deep', 'deep/er', 'deep/er/latchkey', 'deep/er/latchkey/8512.token')).toEqual(['700', '700', '700', '600']);
  });

  it('an audit log is written', async () => {
    const printed = await user.run(`
      import { openAuditLog } from './audit-log.ts';
      process.umask(0o${umask});
      const path = 'logs/deep/audit.jsonl';
      for (const event of ['first', 'second']) {
        const log = openAuditLog({ path, onWarning: (warning) => console.log(warning.message) });
        console.log(log.record(event));
        log.close();
      }`);
    expect(printed).toBe('true\ntrue\n');
    expect(modes('logs', 'logs/deep', 'logs/deep/audit.jsonl')).toEqual(['700', '700', '600']);
    expect(readFileSync(join(user.folder, 'logs/deep/audit.jsonl'), 'utf8').split('\n')).toHaveLength(3);
  });
});

it.runIf(process.geteuid?.() === 0)('a server that is not root keeps a saved token that root has put there', async () => {
  mkdirSync(join(user.folder, 'shared'));
  const path = join(user.folder, 'shared/8512.token');
  writeFileSync(path, 'from-root-1');
  chmodSync(path, 0o644);
  chmodSync(join(user.folder, 'shared'), 0o777);
  const printed = await user.run(`
    import { resolveServerToken } from './server-token.ts';
    const { source, credential } = resolveServerToken({ port: 8512, configDir: 'shared' });
    console.log(source, credential.reveal());`);
  expect(printed).toBe('persisted from-root-1\n');
});
