import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ROOT, TSC } from '../support/built-package.js';
import { freePort } from '../support/free-port.js';
import { type Asked, BLOCKS, PAGE_BLOCKS, README, readmeProject, runBlock } from '../support/readme-project.js';
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis-server.js';

/** What a block says that it prints: the comment behind a `console.log`, up to a colon. */
const promised = (code: string): string[] => [...code.matchAll(/console\.log\(.*\); \/\/ ([^:\n]+)/g)].map(([, value]) => value ?? '');

const indexOf = (...entries: string[]): number => BLOCKS.findIndex((code) => entries.every((entry) => code.includes(`from '${entry}'`)));

interface Answered {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
}

describe('README', () => {
  let folder: string;

  beforeAll(async () => {
    folder = readmeProject();
    vi.stubEnv('ADMIN_PORT', String(await freePort()));
  });

  /** Answers of the server that a block exports, and whatever else was printed. */
  function driven(index: number, requests: readonly Asked[]): { answers: Answered[]; printed: string[] } {
    const lines = runBlock(folder, `block-${index}`, requests);
    const mark = 'answer ';
    return {
      answers: lines.filter((line) => line.startsWith(mark)).map((line) => JSON.parse(line.slice(mark.length)) as Answered),
      printed: lines.filter((line) => !line.startsWith(mark)),
    };
  }

  it('has examples that compile', () => {
    expect(BLOCKS.length).toBeGreaterThan(5);
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
    const [first = ''] = BLOCKS;
    expect(first.trim().split('\n').length).toBeLessThanOrEqual(20);
    expect(promised(first)).toEqual(['undefined', 'undefined', 'false', '204']);
    expect(runBlock(folder, 'block-0')).toEqual(promised(first));
  });

  // One is for a test runner, and one for a browser, where another suite runs it.
  const runnable = [...BLOCKS.keys()].filter((index) => !/from '(vitest|latchkey\/browser)'/.test(BLOCKS[index] ?? ''));
  const isOnRedis = ({ code }: { readonly code: string }): boolean => /from '(redis|bullmq)'/.test(code);
  const onRedis = runnable.filter((index) => isOnRedis({ code: BLOCKS[index] ?? '' }));
  // One that has a server is asked, below.
  const pages = PAGE_BLOCKS.filter(({ code }) => !/from 'vitest'|^export const server/m.test(code));
  const redisOf = ({ url }: RedisServer) => ({ REDIS_URL: url, LATCHKEY_SEAL_KEY: 'a sealing secret of 32 characters or more' });

  describeWithRedis('on Redis', () => {
    let server: RedisServer | undefined;
    afterAll(() => server?.stop());

    it('there are examples of a store and of a queue', () => {
      expect(onRedis.length).toBe(2);
    });

    it.each(onRedis)('has examples that run: %i', async (index) => {
      server ??= await startRedis();
      expect(runBlock(folder, `block-${index}`, [], redisOf(server))).toEqual(promised(BLOCKS[index] ?? ''));
    });

    it.each(pages.filter(isOnRedis))('pages have examples that run: $name', async ({ name, code }) => {
      server ??= await startRedis();
      expect(runBlock(folder, name, [], redisOf(server))).toEqual(promised(code));
    });
  });

  it.each(runnable.filter((index) => !onRedis.includes(index)))('has examples that run and do what their comments say: %i', (index) => {
    expect(runBlock(folder, `block-${index}`)).toEqual(promised(BLOCKS[index] ?? ''));
  });

  it.each(pages.filter((block) => !isOnRedis(block)))('pages of docs have examples that run: $name', ({ name, code }) => {
    expect(runBlock(folder, name)).toEqual(promised(code));
  });

  it('a gateway in one file: answers its clients, and goes on when one is turned away', () => {
    const gateway = PAGE_BLOCKS.filter(({ code }) => /^export const server/m.test(code));
    expect(gateway.map(({ name }) => name)).toEqual(['docs-gateway-0']);
    const requests = ['Bearer stale-token', 'Bearer fresh-token', 'Basic YTpi'].map((authorization) => ({
      path: '/',
      headers: { authorization },
    }));
    const answers = runBlock(folder, 'docs-gateway-0', [...requests, { path: '/' }]).map((line) => JSON.parse(line.replace('answer ', '')));
    expect(answers.map(({ status }) => status)).toEqual([401, 200, 400, 401]);
  });

  it('request path: 2xx, 401 and 400 as the client presents something good, nothing, or what cannot be read', () => {
    const index = BLOCKS.findIndex((code) => code.includes('credentialProblem(request.headers)'));
    const requests = [{ authorization: 'Bearer fresh-token' }, {}, { authorization: 'Basic YTpi' }].map((headers) => ({
      path: '/',
      headers,
    }));
    expect(driven(index, requests).answers.map(({ status }) => status)).toEqual([200, 401, 400]);
  });

  it('proxy: 401s pass unchanged and are heard; a made-up token marks nothing, the first 2xx does', () => {
    const bearer = (token: string): Asked => ({ path: '/v1/models?a=b', headers: { authorization: `Bearer ${token}` } });
    const { answers, printed } = driven(indexOf('latchkey/proxy'), ['made-up', 'fresh-token', 'made-up'].map(bearer));
    expect(answers.map(({ status, body }) => [status, body])).toEqual([
      [401, '{"error":"expired"}'],
      [200, '{"text":"done"}'],
      [401, '{"error":"expired"}'],
    ]);
    expect(answers[0]?.headers['www-authenticate']).toBe('Bearer realm="upstream"');
    expect(printed).toEqual(['status running']);
  });

  it('signals: who has no session is sent to the login; an upstream’s 401 is marked, a blocked scope is a 503 without the mark', () => {
    const cookie = '__Secure-session=some-session-id';
    const asked = { path: '/api/models', headers: { cookie } };
    const { answers } = driven(indexOf('latchkey/fetch', 'latchkey/signals'), [
      { path: '/api/models' },
      { path: '/models?page=2' },
      asked,
      asked,
    ]);
    expect(JSON.parse(answers[0]?.body ?? '')).toMatchObject({ error: 'unauthenticated', login_url: '/gw/login' });
    expect([answers[1]?.status, answers[1]?.headers['location']]).toEqual([302, '/gw/login?next=%2Fgw%2Fmodels%3Fpage%3D2']);
    const seen = answers.slice(2).map(({ status, headers }) => [status, headers['x-upstream-auth-failed'], headers['www-authenticate']]);
    expect(seen).toEqual([
      [401, '1', undefined],
      [503, undefined, undefined],
    ]);
    expect(answers[3]?.body).toBe('{"error":"CREDENTIAL_REJECTED"}');
  });

  it('login: where to go on travels in a cookie of the server’s, and nowhere else', () => {
    const index = BLOCKS.findIndex((code) => code.includes('loginState({'));
    const [there, evil] = driven(index, [{ path: '/login?next=%2Fgw%2Fmodels' }, { path: '/login?next=%2F%2Fevil.example' }]).answers;
    const issued = there?.headers['set-cookie']?.split(';')[0] ?? '';
    expect(issued).toMatch(/^__Secure-/);
    expect(evil?.headers['set-cookie']).toContain('Max-Age=0');
    const back = { path: '/callback?next=%2Fgw%2Felsewhere', headers: { cookie: issued } };
    const { answers } = driven(index, [back, { ...back, headers: { cookie: `${issued}x` } }]);
    expect(answers.map(({ headers }) => headers['location'])).toEqual(['/gw/models', '/gw/']);
  });

  it('names every event, error code and option that there is', () => {
    const read = (file: string): string => readFileSync(join(ROOT, 'src', file), 'utf8');
    const optionsOf = (file: string): (string | undefined)[] =>
      [...read(file).matchAll(/^ {2}readonly (\w+)\?:/gm)].map(([, name]) => name);
    const events = [...read('events.ts').matchAll(/^ {2}(\w+): (?:About|\{)/gm)].map(([, name]) => name);
    const codes = [...read('errors.ts').matchAll(/^ {2}\| '([A-Z_]+)'/gm)].map(([, code]) => code);
    const core = [events, codes, optionsOf('options.ts'), optionsOf('worker/run-options.ts')];
    for (const names of core) expect(names.length).toBeGreaterThan(6);
    const edges = ['outgoing.ts', 'fetch.ts', 'redis.ts', 'bullmq.ts', 'bullmq/options.ts']
      .map((file) => optionsOf(`adapters/${file}`))
      .filter((names) => names.length > 0);
    expect(edges.length).toBeGreaterThan(3);
    for (const names of edges) expect(names.length).toBeGreaterThan(1);
    const missing = [...core, ...edges].flat().filter((name) => name !== 'body' && !README.includes(`\`${name}\``));
    expect(missing).toEqual([]);
  });
});
