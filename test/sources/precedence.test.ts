import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bearer } from '../../src/credential/credential.js';
import { firstOf, type SourceChain } from '../../src/sources/chain.js';
import type { JobRecord } from '../../src/sources/job-record.js';
import { NO_CREDENTIAL, type SourceAnswer, type UpstreamQuery } from '../../src/sources/source.js';
import { fromEnv, fromOverrideHeader, fromRecords, fromRegistry, fromServers, fromTokenFile } from '../../src/sources/sources.js';

const ORDER = ['override header', 'servers', 'job records', 'registry', 'environment (UPSTREAM_TOKEN)', 'token file'] as const;
type Position = (typeof ORDER)[number];
/** What is there to be found in each position; what is left out has nothing. */
type World = Partial<Record<Position, 'has' | 'down' | 'none'>>;

const wordOf = (position: Position): string => position.replaceAll(' ', '-');
const HAS = 8512;
const DOWN = 8513;
const EMPTY = 8514;
let configDir = '';
beforeAll(() => {
  configDir = mkdtempSync(join(tmpdir(), 'latchkey-precedence-'));
  writeFileSync(join(configDir, `${HAS}.token`), 'token-file', { mode: 0o600 });
  writeFileSync(join(configDir, `${DOWN}.token`), 'no token', { mode: 0o600 });
});
afterAll(() => rmSync(configDir, { recursive: true, force: true }));

const PORTS = { has: HAS, down: DOWN, none: EMPTY };

/** The whole way a credential for an upstream is found, in a world where so much is to be found. */
function resolution(world: World): { chain: SourceChain; query: UpstreamQuery } {
  const port = PORTS[world['token file'] ?? 'none'];
  const lookup = (position: Position) => async (): Promise<SourceAnswer> => {
    if (world[position] === 'down') throw new Error('the database is away');
    if (world[position] === 'none') return NO_CREDENTIAL;
    return world[position] === 'has' ? bearer(wordOf(position)) : undefined;
  };
  const records = async (): Promise<JobRecord[]> => {
    const credential = await lookup('job records')();
    if (credential === NO_CREDENTIAL) throw new Error('records have no such answer');
    return [{ state: 'running', scheme: 'http', port, bindHost: '0.0.0.0', credential }];
  };
  const override = { has: 'Bearer override-header', down: 'Bearer not one', none: undefined }[world['override header'] ?? 'none'];
  const env = { has: wordOf('environment (UPSTREAM_TOKEN)'), down: 'not one', none: '' }[world['environment (UPSTREAM_TOKEN)'] ?? 'none'];
  const chain = firstOf([
    fromOverrideHeader(),
    fromServers(lookup('servers')),
    fromRecords(records),
    fromRegistry(lookup('registry')),
    fromEnv('UPSTREAM_TOKEN', { env: { UPSTREAM_TOKEN: env } }),
    fromTokenFile({ configDir }),
  ]);
  const query = {
    url: `http://localhost:${port}/v1`,
    headers: { authorization: 'Bearer own', 'x-upstream-authorization': override },
    server: world.servers === undefined ? undefined : 'box',
  };
  return { chain, query };
}

const found = async (world: World): Promise<[string | undefined, string | undefined]> => {
  const { chain, query } = resolution(world);
  const { credential, source } = await chain.resolve(query);
  return [credential?.reveal(), source];
};
const from = (first: number): World => Object.fromEntries(ORDER.slice(first).map((position) => [position, 'has']));

describe('the precedence of upstream credentials', () => {
  it.each(ORDER.map((position, index) => [position, index] as const))('%s goes before all that comes after it', async (position, index) => {
    expect(await found(from(index))).toEqual([wordOf(position), position]);
    expect(await found({ [position]: 'has' })).toEqual([wordOf(position), position]);
  });

  it.each(ORDER.map((position, index) => [position, index] as const))('%s, unavailable, is not passed over', async (position, index) => {
    const { chain, query } = resolution({ ...from(index + 1), [position]: 'down' });
    await expect(chain.resolve(query)).rejects.toMatchObject({ code: 'SOURCE_UNAVAILABLE', source: position });
    const { steps } = await chain.explain(query);
    expect(steps.map(({ outcome }) => outcome)).toEqual(
      ORDER.map((_, at) => (at < index ? 'nothing' : at === index ? 'unavailable' : 'not asked')),
    );
  });

  it.each(ORDER.slice(1).map((position, index) => [position, index + 1] as const))(
    '%s, unavailable, is nothing to those before it',
    async (position, index) => {
      const before = ORDER[index - 1] as Position;
      expect(await found({ [before]: 'has', [position]: 'down' })).toEqual([wordOf(before), before]);
    },
  );

  it('a named server without a credential gets none, whoever has one', async () => {
    expect(await found({ ...from(2), servers: 'none' })).toEqual([undefined, 'servers']);
  });

  it('a registry may say none for all that comes after it', async () => {
    expect(await found({ ...from(4), registry: 'none' })).toEqual([undefined, 'registry']);
  });

  it('is no header at all where nobody has any', async () => {
    expect(await found({})).toEqual([undefined, undefined]);
    const { chain, query } = resolution({});
    expect((await chain.explain(query)).steps.map(({ outcome }) => outcome)).toEqual(ORDER.map(() => 'nothing'));
  });
});
