import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { bearer } from '../../src/credential/credential.js';
import { inferUpstream } from '../../src/sources/infer-upstream.js';

describe('inferUpstream', () => {
  it.each<[string, boolean, string]>([
    ['localhost:8080', false, 'http://localhost:8080/'],
    ['localhost:8080', true, 'http://localhost:8080/'],
    ['LOCALHOST:443', true, 'http://localhost:443/'],
    ['127.0.0.1:8080', true, 'http://127.0.0.1:8080/'],
    ['[::1]:8080', true, 'http://[::1]:8080/'],
    ['[0:0::1]:8080', true, 'http://[::1]:8080/'],
    ['box:8080', false, 'http://box:8080/'],
    ['box:8080', true, 'https://box:8080/'],
    ['box:80', true, 'https://box:80/'],
    ['box:443', true, 'https://box/'],
    ['box:443', false, 'http://box:443/'],
    ['box', true, 'https://box/'],
    ['10.0.0.5:8080/v1?x=1', true, 'https://10.0.0.5:8080/v1?x=1'],
    ['localhost.example:1', true, 'https://localhost.example:1/'],
  ])('%s, with TLS provisioned: %s, is %s', (address, tls, url) => {
    const upstream = inferUpstream(address, { tls });
    expect([upstream.url.href, upstream.guessed]).toEqual([url, true]);
  });

  it.each(['http://box:8080/', 'https://localhost:8080/v1?x=1', 'http://[::1]/'])('%s is taken as it is', (address) => {
    for (const tls of [false, true]) {
      const upstream = inferUpstream(address, { tls });
      expect([upstream.url.href, upstream.guessed]).toEqual([address, false]);
    }
  });

  it('has no TLS unless told otherwise', () => {
    expect(inferUpstream('box:8080').url.protocol).toBe('http:');
  });

  it('is nobody to change', () => {
    const upstream = inferUpstream('box:8080');
    upstream.url.host = 'elsewhere:1';
    expect(upstream.url.host).toBe('box:8080');
  });

  it.each([
    ['', 'must be host:port, or an http or https URL'],
    [undefined, 'must be host:port, or an http or https URL'],
    [new URL('http://box:1'), 'must be host:port, or an http or https URL'],
    ['::1', 'must be host:port, or an http or https URL'],
    ['box:port', 'must be host:port, or an http or https URL'],
    ['box:80800', 'must be host:port, or an http or https URL'],
    ['box 1:80', 'must be host:port, or an http or https URL'],
    ['box:80\n', 'must be host:port, or an http or https URL'],
    ['box\\x:80', 'must be host:port, or an http or https URL'],
    ['//box:80', 'must be host:port, or an http or https URL'],
    ['http:box:80', 'must be host:port, or an http or https URL'],
    ['https:/box', 'must be host:port, or an http or https URL'],
    ['ftp://box:21', 'must be host:port, or an http or https URL'],
    ['ws://box:80', 'must be host:port, or an http or https URL'],
    ['http://', 'must be host:port, or an http or https URL'],
    ['user:s3cret@box:80', 'must not hold user info'],
    ['s3cret@box:80', 'must not hold user info'],
    ['@box:80', 'must not hold user info'],
    ['https://user:s3cret@box', 'must not hold user info'],
    ['https://@box', 'must not hold user info'],
  ])('refuses %j, without quoting it', (address, message) => {
    expect(() => inferUpstream(address as never)).toThrow(new TypeError(`inferUpstream: \`address\` ${message}`));
  });

  it('names the option that is wrong', () => {
    expect(() => inferUpstream('box:80', { tls: 'yes' as never })).toThrow(new TypeError('inferUpstream: `tls` must be true or false'));
    expect(() => inferUpstream('box:80', { TLS: true } as never)).toThrow(new TypeError('inferUpstream: unknown option `TLS`'));
  });
});

describe('explainFailure', () => {
  /** What `fetch` makes of a server, and how that reads. */
  async function explained(address: string, options?: { tls?: boolean }) {
    const upstream = inferUpstream(address, options);
    const error: unknown = await fetch(upstream.url).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Error);
    return upstream.explainFailure(error);
  }

  it('names the address, and the scheme that was guessed for a server that speaks no TLS', async () => {
    const server = createServer().listen(0, '127.0.0.2');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const error = await explained(`127.0.0.2:${port}`, { tls: true });
    expect(error.message).toBe(
      `cannot connect to https://127.0.0.2:${port}/ (${error.code}); the scheme https was guessed: write http:// or https:// before the address to choose`,
    );
    expect(error.code).toMatch(/SSL|EPROTO/);
    expect(error.cause).toMatchObject({ name: 'TypeError', message: 'fetch failed' });
    await new Promise((resolve) => server.close(resolve));
  });

  it('says nothing of a guess where there was none', async () => {
    const server = createTcpServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const error = await explained(`http://127.0.0.1:${port}/v1?token=s3cret`);
    expect(error.message).toBe(`cannot connect to http://127.0.0.1:${port}/v1 (ECONNREFUSED)`);
    expect(error.code).toBe('ECONNREFUSED');
  });

  it.each([
    ['no error', undefined],
    ['a text', 's3cret'],
    ['a code that is none', Object.assign(new Error(''), { code: 'no s3cret' })],
    [
      'what cannot be read',
      new Proxy(
        {},
        {
          get: () => {
            throw new Error('s3cret');
          },
        },
      ),
    ],
  ])('takes %s', (_, thrown) => {
    const error = inferUpstream('http://box:1').explainFailure(thrown);
    expect(error.message).toBe('cannot connect to http://box:1/');
    expect(error).not.toHaveProperty('code');
  });

  it('keeps a copy of the failure, without the credentials it is given', () => {
    const sent = bearer('s3cret-value');
    const thrown = Object.assign(new Error(`refused s3cret-value`), { config: { headers: sent.headers() } });
    const { cause } = inferUpstream('box:1').explainFailure(thrown, [sent]);
    expect(cause).toMatchObject({ message: `refused ${sent}` });
    expect(cause).not.toHaveProperty('config');
  });

  it('quotes no credential that stands in a code', () => {
    const sent = bearer('AKIAIOSFODNN7EXAMPLE');
    const thrown = new Error('', { cause: Object.assign(new Error(''), { code: 'AKIAIOSFODNN7EXAMPLE' }) });
    const error = inferUpstream('http://box:1').explainFailure(thrown, [bearer('AKIA'), sent]);
    expect(error.message).toBe(`cannot connect to http://box:1/ (${sent})`);
    expect(error.code).toBe(`${sent}`);
  });
});
