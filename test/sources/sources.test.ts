import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { apiKey, bearer } from '../../src/credential/credential.js';
import { GuardError } from '../../src/guard/guard-error.js';
import { createLatchkey } from '../../src/latchkey.js';
import { firstOf } from '../../src/sources/chain.js';
import type { JobRecord } from '../../src/sources/job-record.js';
import { type CredentialSource, NO_CREDENTIAL, type UpstreamQuery } from '../../src/sources/source.js';
import { SourceError } from '../../src/sources/source-error.js';
import { fromEnv, fromOverrideHeader, fromRecords, fromRegistry, fromServers, fromTokenFile } from '../../src/sources/sources.js';

const A = bearer('value-a');
const B = apiKey('value-b');

/** What one source says: a credential as it is sent, `none`, `nothing`, or why it is unavailable. */
async function said(source: CredentialSource, query: UpstreamQuery): Promise<unknown> {
  const explanation = await firstOf([source]).explain(query);
  if (explanation.outcome !== 'found') return explanation.steps[0]?.reason ?? explanation.outcome;
  return (await firstOf([source]).resolve(query)).credential?.headers();
}

describe('fromOverrideHeader', () => {
  const malformed = 'x-upstream-authorization is neither `Bearer` and a token nor a bare key';
  const of = (value: string | string[] | undefined) => said(fromOverrideHeader(), { headers: { 'x-upstream-authorization': value } });

  it.each<[string | string[], Record<string, string>]>([
    ['Bearer value-a', { authorization: 'Bearer value-a' }],
    ['bEARER \t value-a ', { authorization: 'Bearer value-a' }],
    ['value-a', { 'x-api-key': 'value-a' }],
    [['value-a'], { 'x-api-key': 'value-a' }],
  ])('takes %j', async (value, headers) => {
    expect(await of(value)).toEqual(headers);
  });

  it.each([
    [''],
    [' '],
    ['Bearer'],
    ['Bearer '],
    ['Bearer a b'],
    ['Basic dXNlcjpwYXNz'],
    ['ключ'],
    [['value-a', 'value-b']],
    [['Bearer value-a', 'Bearer value-b']],
    ['Bearer value-a, Bearer value-b'],
    // What Node and `Headers` make of a repetition of which one is empty.
    ['value-a, '],
    ['value-a,'],
    [', value-a'],
    [',value-a'],
    ['Bearer value-a, '],
    [', Bearer value-a'],
    [', '],
    [['value-a', '']],
    [['', 'value-a']],
    [[]],
  ])('is unavailable for %j', async (value) => {
    expect(await of(value)).toBe(malformed);
  });

  it.each<[string, Record<string, string | undefined>, unknown]>([
    ['is', { 'X-Upstream-Authorization': 'value-a', 'x-upstream-authorization': 'value-b' }, malformed],
    ['empty or not, is', { 'x-upstream-authorization': 'value-a', 'X-UPSTREAM-AUTHORIZATION': '' }, malformed],
    [
      'and one undefined, is not',
      { 'X-Upstream-Authorization': undefined, 'x-upstream-authorization': 'value-a' },
      { 'x-api-key': 'value-a' },
    ],
  ])('two spellings, %s two of them', async (_, headers, expected) => {
    expect(await said(fromOverrideHeader(), { headers })).toEqual(expected);
  });

  it('is unavailable for what is no text', async () => {
    expect(await said(fromOverrideHeader(), { headers: { 'x-upstream-authorization': 5 as never } })).toBe(malformed);
  });

  it.each([
    ['key-1', ''],
    ['Bearer key-1', ''],
    ['', 'Bearer key-1'],
    ['', ''],
    ['key-1', 'key-2'],
  ])('is unavailable for %j and %j of one request', async (...lines) => {
    const answers: unknown[] = [];
    const server = createServer(async ({ headers }, response) => {
      answers.push(await said(fromOverrideHeader(), { headers }));
      response.end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1').resume();
    const repeated = lines.map((line) => `X-Upstream-Authorization: ${line}\r\n`).join('');
    client.write(`GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${repeated}\r\n`);
    await once(client, 'close');
    server.close();
    expect(answers).toEqual([malformed]);
  });

  it('has nothing without the header, or without headers', async () => {
    expect(await of(undefined)).toBe('nothing');
    expect(await said(fromOverrideHeader(), {})).toBe('nothing');
    expect(await said(fromOverrideHeader(), { headers: { authorization: 'Bearer own' } })).toBe('nothing');
  });

  it('reads the headers of a `Request`, and a header of another name', async () => {
    const headers = new Headers({ 'X-Upstream-Key': 'value-a' });
    expect(await said(fromOverrideHeader({ header: 'X-Upstream-Key', keyHeader: 'X-Goog-Api-Key' }), { headers })).toEqual({
      'x-goog-api-key': 'value-a',
    });
    headers.append('x-upstream-key', 'value-b');
    expect(await said(fromOverrideHeader({ header: 'X-Upstream-Key' }), { headers })).toMatch('x-upstream-key is neither');
  });
});

describe('fromServers', () => {
  const lookup = (id: string) => (id === 'one' ? A : undefined);

  it('has the last word if a server is named, and nothing to say otherwise', async () => {
    expect(await said(fromServers(lookup), { server: 'one' })).toEqual(A.headers());
    expect(await said(fromServers(lookup), { server: 'two' })).toBe('none');
    expect(
      await said(
        fromServers(async (id) => lookup(id)),
        { server: '' },
      ),
    ).toBe('none');
    expect(
      await said(
        fromServers(() => NO_CREDENTIAL),
        { server: 'one' },
      ),
    ).toBe('none');
    expect(
      await said(
        fromServers(() => A),
        {},
      ),
    ).toBe('nothing');
  });
});

describe('fromRecords', () => {
  const job: JobRecord = { state: 'running', scheme: 'http', port: 8080, bindHost: '0.0.0.0', credential: A };
  const { credential: _, ...bare } = job;
  const url = 'http://localhost:8080/v1';

  it('has what the first matching record with a credential has', async () => {
    const records = [
      { ...job, port: 8081, credential: B },
      { ...job, state: 'stopped', credential: B },
      bare,
      job,
      { ...job, credential: B },
    ];
    expect(
      await said(
        fromRecords(() => records),
        { url },
      ),
    ).toEqual(A.headers());
    expect(
      await said(
        fromRecords(async () => new Set(records)),
        { url: new URL(url) },
      ),
    ).toEqual(A.headers());
  });

  it('has nothing for a match without a credential, for no match, and without a URL', async () => {
    expect(
      await said(
        fromRecords(() => [bare]),
        { url },
      ),
    ).toBe('nothing');
    expect(
      await said(
        fromRecords(() => [job]),
        { url: 'http://10.0.0.5:8080' },
      ),
    ).toBe('nothing');
    const records = vi.fn(() => [job]);
    expect(await said(fromRecords(records), {})).toBe('nothing');
    expect(records).not.toHaveBeenCalled();
  });

  it.each<[string, UpstreamQuery, () => Iterable<JobRecord>, string]>([
    ['a URL that is none', { url: '//x' }, () => [job], '`url` of the query is not a URL'],
    ['a record that is none', { url }, () => [null as never], 'it failed'],
    ['no records', { url }, () => undefined as never, 'it failed'],
    [
      'a credential that is none',
      { url },
      () => [{ ...job, credential: 'value-a' as never }],
      'it answered neither a credential, nor NO_CREDENTIAL, nor undefined',
    ],
  ])('is unavailable with %s', async (_, query, records, reason) => {
    expect(await said(fromRecords(records), query)).toBe(reason);
  });
});

describe('fromRegistry', () => {
  it('is asked with the URL', async () => {
    const lookup = vi.fn(async (url: URL) => (url.host === 'api.example' ? B : undefined));
    expect(await said(fromRegistry(lookup), { url: 'https://api.example/v1' })).toEqual(B.headers());
    expect(await said(fromRegistry(lookup), { url: new URL('https://other.example') })).toBe('nothing');
    lookup.mockClear();
    expect(await said(fromRegistry(lookup), {})).toBe('nothing');
    expect(lookup).not.toHaveBeenCalled();
    expect(await said(fromRegistry(lookup), { url: 'api' })).toBe('`url` of the query is not a URL');
  });
});

describe('fromEnv', () => {
  afterEach(() => void vi.unstubAllEnvs());

  it('reads the variable when it is asked', async () => {
    const source = fromEnv('UPSTREAM_TOKEN');
    vi.stubEnv('UPSTREAM_TOKEN', undefined);
    expect(await said(source, {})).toBe('nothing');
    vi.stubEnv('UPSTREAM_TOKEN', '');
    expect(await said(source, {})).toBe('nothing');
    vi.stubEnv('UPSTREAM_TOKEN', 'value-a');
    expect(await said(source, {})).toEqual({ authorization: 'Bearer value-a' });
  });

  it('may hold an API key', async () => {
    const env = { KEY: 'value-a' };
    expect(await said(fromEnv('KEY', { env, scheme: 'api-key' }), {})).toEqual({ 'x-api-key': 'value-a' });
    expect(await said(fromEnv('KEY', { env, scheme: 'api-key', header: 'Api-Key' }), {})).toEqual({ 'api-key': 'value-a' });
  });

  it.each(['value a', 'value-a\n', ' ', 'ключ'])('is unavailable if it holds %j', async (value) => {
    const source = fromEnv('KEY', { env: { KEY: value } });
    expect(await said(source, {})).toBe('it holds blanks or characters that no header can carry');
    await expect(firstOf([source]).resolve({})).rejects.toThrow('the credential source environment (KEY) is unavailable: it holds');
  });
});

describe('fromTokenFile', () => {
  let configDir = '';
  beforeEach(() => {
    configDir = mkdtempSync(join(tmpdir(), 'latchkey-sources-'));
    writeFileSync(join(configDir, '8512.token'), 'value-a\n', { mode: 0o600 });
    writeFileSync(join(configDir, '80.token'), 'value-b', { mode: 0o600 });
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(configDir, { recursive: true, force: true });
  });

  it.each<[string | URL, unknown]>([
    ['http://localhost:8512/v1', { authorization: 'Bearer value-a' }],
    [new URL('https://[::1]:8512'), { authorization: 'Bearer value-a' }],
    ['http://127.0.0.1:80/', { authorization: 'Bearer value-b' }],
    ['http://127.0.0.1/', 'nothing'],
    ['http://localhost:8513', 'nothing'],
    ['http://10.0.0.5:8512', 'nothing'],
  ])('%s', async (url, expected) => {
    expect(await said(fromTokenFile({ configDir }), { url })).toEqual(expected);
  });

  it('reads files only, where XDG_CONFIG_HOME says', async () => {
    vi.stubEnv('LATCHKEY_TOKEN', 'value-of-the-environment');
    vi.stubEnv('XDG_CONFIG_HOME', configDir);
    expect(await said(fromTokenFile(), { url: 'http://localhost:8512' })).toBe('nothing');
    expect(await said(fromTokenFile({ configDir }), { url: 'http://localhost:8512' })).toEqual({ authorization: 'Bearer value-a' });
    expect(await said(fromTokenFile({ configDir }), {})).toBe('nothing');
  });

  it('is unavailable if the file holds no token', async () => {
    writeFileSync(join(configDir, '8512.token'), 'two words', { mode: 0o600 });
    const failed = (await firstOf([fromTokenFile({ configDir })])
      .resolve({ url: 'http://localhost:8512' })
      .catch((error: unknown) => error)) as SourceError;
    expect(failed).toBeInstanceOf(SourceError);
    expect(failed.message).toBe('the credential source token file is unavailable: TOKEN_FILE');
    expect(failed.cause).toMatchObject({ name: new GuardError('TOKEN_FILE', '').name, code: 'TOKEN_FILE' });
  });
});

it('what a source gives is what the core works with', async () => {
  const latchkey = createLatchkey();
  const { credential } = await firstOf([fromEnv('KEY', { env: { KEY: 'value-a' } })]).resolve({});
  latchkey.pin({ provider: 'upstream' }, credential as NonNullable<typeof credential>);
  expect(await latchkey.run({ provider: 'upstream' }, async ({ credential: sent }) => sent.headers())).toEqual({
    authorization: 'Bearer value-a',
  });
  await latchkey.close();
});

describe('bad input', () => {
  it.each<[string, () => unknown, string]>([
    ['fromOverrideHeader', () => fromOverrideHeader({ name: 'x' } as never), 'unknown option `name`'],
    ['fromOverrideHeader', () => fromOverrideHeader({ header: 'a b' }), '`header` must be a header name'],
    ['fromOverrideHeader', () => fromOverrideHeader({ keyHeader: '' }), '`keyHeader` must be a header name'],
    ['fromServers', () => fromServers(new Map() as never), '`lookup` must be a function'],
    ['fromRecords', () => fromRecords([] as never), '`records` must be a function'],
    ['fromRegistry', () => fromRegistry(undefined as never), '`lookup` must be a function'],
    ['fromEnv', () => fromEnv(undefined as never), '`variable` must be the name of an environment variable'],
    ['fromEnv', () => fromEnv('A=B'), '`variable` must be the name of an environment variable'],
    ['fromEnv', () => fromEnv('A', { env: 5 as never }), '`env` must be an object of strings'],
    ['fromEnv', () => fromEnv('A', { scheme: 'basic' as never }), "`scheme` must be 'bearer' or 'api-key'"],
    ['fromEnv', () => fromEnv('A', { header: 'api-key' }), '`header` is for an API key'],
    ['fromEnv', () => fromEnv('A', { scheme: 'api-key', header: ':' }), '`header` must be a header name'],
    ['fromEnv', () => fromEnv('A', { environment: {} } as never), 'unknown option `environment`'],
    ['fromTokenFile', () => fromTokenFile({ configDir: '' }), '`configDir` must be the path of a folder'],
    ['fromTokenFile', () => fromTokenFile({ folder: '/x' } as never), 'unknown option `folder`'],
  ])('%s: %#', (where, call, message) => {
    expect(call).toThrow(new TypeError(`${where}: ${message}`));
  });
});
