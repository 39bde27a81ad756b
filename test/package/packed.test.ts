import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { installedProject, ROOT, TSC } from '../support/built-package.js';

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  exports: Record<string, unknown>;
  dependencies: Record<string, string>;
};
const entries = Object.keys(manifest.exports).filter((entry) => !entry.endsWith('.json'));

describe('the packed package, in an empty project', () => {
  let project: string;
  const node = (script: string): string =>
    execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: project, encoding: 'utf8' });

  beforeAll(() => {
    project = installedProject();
  }, 120_000);

  it('brings its two dependencies and no optional peer', () => {
    expect(Object.keys(manifest.dependencies).sort()).toEqual(['lru-cache', 'p-retry']);
    expect(existsSync(join(project, 'node_modules/@sentry'))).toBe(false);
    // p-retry has one dependency of its own.
    expect(
      readdirSync(join(project, 'node_modules'))
        .filter((name) => !name.startsWith('.'))
        .sort(),
    ).toEqual(['is-network-error', 'latchkey', 'lru-cache', 'p-retry']);
  });

  it.each(entries)('imports %s', (entry) => {
    const specifier = entry.replace(/^\./, 'latchkey');
    const exported = node(`import * as entry from '${specifier}'; console.log(Object.keys(entry).length)`);
    expect(Number(exported)).toBeGreaterThan(0);
  });

  it('exports what it says and no more', () => {
    expect(node(`import * as entry from 'latchkey'; console.log(Object.keys(entry).sort().join(' '))`).trim()).toBe(
      'LatchkeyError ResponseError apiKey bearer createIdleLoop createLatchkey credentialFromHeaders credentialProblem isLatchkeyError',
    );
  });

  it('works: captures, runs, is rejected, resumes', () => {
    const story = `
      import { bearer, createLatchkey } from 'latchkey';
      const latchkey = createLatchkey();
      const work = () => latchkey.run('s', async (lease) => new Response(null, { status: lease.credential.reveal() === 'good' ? 204 : 401 }), { whenBlocked: 'skip' });
      latchkey.capture('s', bearer('bad'));
      const first = await work();
      latchkey.capture('s', bearer('good'));
      console.log(first, (await work()).status);`;
    expect(node(story).trim()).toBe('undefined 204');
  });

  it('brings the operators’ page', () => {
    const story = `
      import { bearer, createLatchkey } from 'latchkey';
      import { createGuard } from 'latchkey/guard';
      import { createOperator } from 'latchkey/operator';
      const token = bearer('some-token-of-a-gateway');
      const operator = createOperator(createLatchkey(), { guard: createGuard({ token }), audit: { record: () => true } });
      const page = await operator.fetch(new Request('http://gateway.example/', { headers: token.headers() }));
      console.log(page.status, (await page.text()).includes('new EventSource('));
      operator.close();`;
    expect(node(story).trim()).toBe('200 true');
  });

  it('has types that compile alone, without the types of Node or of any peer', () => {
    const uses = entries.map(
      (entry, index) => `import * as entry${index} from '${entry.replace(/^\./, 'latchkey')}'; export { entry${index} };`,
    );
    // A listener on a window knows what it hears.
    uses.push("window.addEventListener('latchkey:authentication-required', ({ detail }) => detail.stepUp satisfies boolean);");
    writeFileSync(join(project, 'uses.ts'), uses.join('\n'));
    const options = {
      module: 'nodenext',
      target: 'es2023',
      lib: ['es2023', 'dom'],
      types: [],
      strict: true,
      skipLibCheck: false,
      noEmit: true,
    };
    writeFileSync(
      join(project, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: { ...options, exactOptionalPropertyTypes: true }, files: ['uses.ts'] }),
    );
    writeFileSync(
      join(project, 'package.json'),
      JSON.stringify({ ...JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')), type: 'module' }),
    );
    expect(execFileSync(process.execPath, [TSC, '-p', project], { encoding: 'utf8' })).toBe('');
  });
});
