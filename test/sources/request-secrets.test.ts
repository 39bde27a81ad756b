import { describe, expect, it } from 'vitest';
import { redactAll } from '../../src/credential/redact.js';
import { firstOf } from '../../src/sources/chain.js';
import { requestSecrets } from '../../src/sources/request-secrets.js';
import { SourceError } from '../../src/sources/source-error.js';
import { secretsIn } from '../support/secret-forms.js';

const SECRET = 'SECRETVALUE1';
const revealed = (query: unknown): string[] => requestSecrets(query).map((credential) => credential.reveal());
const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;

/** What a chain makes of a source that quotes so much. */
async function failure(query: object, message: string, code?: string): Promise<SourceError> {
  const source = (): never => {
    throw Object.assign(new Error(message), { code });
  };
  const error: unknown = await firstOf([source])
    .resolve(query)
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(SourceError);
  return error as SourceError;
}

describe('what a request presents is no part of an error', () => {
  it.each<[string, object]>([
    ['a bearer token', { headers: { authorization: `Bearer ${SECRET}` } }],
    ['a key', { headers: { 'X-Api-Key': SECRET } }],
    ['a credential', { headers: { 'x-credential': SECRET } }],
    ['a password', { headers: { 'x-password': SECRET } }],
    ['a personal access token', { headers: { 'x-pat': SECRET } }],
    ['a JWT', { headers: { 'x-jwt-assertion': SECRET } }],
    ['a Digest response', { headers: { authorization: `Digest username="u", response="${SECRET}"` } }],
    ['a quoted parameter', { headers: { authorization: `Token token="${SECRET}"` } }],
    ['a parameter without quotes', { headers: { authorization: `AWS4-HMAC-SHA256 Credential=a/b,Signature=${SECRET}` } }],
    ['a parameter among others', { headers: { authorization: `SharedAccessSignature sr=a&sig=${SECRET}&se=1` } }],
    ['the password of a Basic credential', { headers: { authorization: basic(`u:${SECRET}`) } }],
    ['the user of a Basic credential', { headers: { authorization: basic(`${SECRET}:`) } }],
    ['a cookie', { headers: { cookie: `a=b; c=${SECRET}; d=e` } }],
    ['a cookie in quotes', { headers: { cookie: `c="${SECRET}"` } }],
    ['a cookie without a name', { headers: { cookie: SECRET } }],
    ['what a cookie has after a second =', { headers: { cookie: `a=b=${SECRET}` } }],
    ['what a cookie has in pairs', { headers: { cookie: `a=id=1&token=${SECRET}&x=2` } }],
    ['the password of a URL', { url: `https://u:${SECRET}@h/` }],
    ['the user of a URL', { url: new URL(`https://${SECRET}@h/`) }],
    ['a value in the query of a URL', { url: `https://h/?a=1&api_key=${SECRET}` }],
    ['a value in the query of a path', { url: `/v1?api_key=${SECRET}` }],
    ['a header of a `Headers`', { headers: new Headers({ authorization: `Bearer ${SECRET}` }) }],
    ['a header of a `Map`', { headers: new Map([['authorization', `Bearer ${SECRET}`]]) }],
    ['a header of a list', { headers: { 'x-api-key': ['other-value', SECRET] } }],
  ])('%s', async (_, query) => {
    const quoted = `bad ${SECRET}, ${Buffer.from(SECRET).toString('base64')}`;
    const { cause, message } = await failure(query, quoted, SECRET);
    expect(secretsIn(`${message} ${(cause as Error).message} ${(cause as Error).stack}`, [SECRET])).toEqual([]);
    expect((await failure(query, 'nothing of it')).cause).toMatchObject({ message: 'nothing of it' });
  });

  it.each([
    ['of a query', { url: 'https://h/?k=p%40ss%20word+1' }, ['p@ss word 1', 'p@ss word+1', 'p%40ss%20word+1']],
    ['of user info', { url: 'https://u:p%40ss+word@h/' }, ['p@ss+word', 'p%40ss+word']],
    ['of a cookie', { headers: { cookie: 'c=s%3Avalue-12' } }, ['s:value-12', 's%3Avalue-12']],
    ['of a Basic credential', { headers: { authorization: basic('u:pass: wörd') } }, ['pass: wörd']],
    ['of a quoted parameter', { headers: { authorization: 'Token token="value of 12"' } }, ['value of 12']],
    ['of a quoted parameter with a backslash', { headers: { authorization: 'Token t="val\\ue of 12"' } }, ['value of 12', 'val\\ue of 12']],
    ['of a quoted parameter with quotes', { headers: { authorization: 'Token t="pass\\"word"' } }, ['pass"word', 'pass\\"word']],
  ])('encoded and decoded: %s', (_, query, values) => {
    for (const value of values) expect(redactAll(`<${value}>`, requestSecrets(query))).toMatch(/^<bearer:[0-9a-f]{16}>$/);
  });

  it.each([
    ['a key with an =', { headers: { 'x-api-key': 'ab=cdefghij' } }, 'ab=cdefghij'],
    ['base64 with its padding', { headers: { authorization: 'Bearer abcdefgh==' } }, 'abcdefgh=='],
    ['a cookie with one =', { headers: { cookie: 'c=ab=cdefghij' } }, 'ab=cdefghij'],
    ['what a cookie has after a second = with another =', { headers: { cookie: 'a=b=ab=cdefghij' } }, 'ab=cdefghij'],
    ['a number', { headers: { 'x-api-key': 1234567890 } }, '1234567890'],
  ])('as a whole: %s', (_, query, value) => {
    expect(redactAll(`<${value}>`, requestSecrets(query))).toMatch(/^<bearer:[0-9a-f]{16}>$/);
  });

  it('in a header of a megabyte, too', () => {
    const headers = { cookie: 'a=b;'.repeat(250_000), authorization: `${'a '.repeat(500_000)}${SECRET}` };
    expect(revealed({ headers })).toEqual([SECRET]);
  });

  it('a code that is a key', async () => {
    const key = 'AKIAIOSFODNN7EXAMPLE';
    const query = { headers: { 'x-api-key': key } };
    const error = await failure(query, 'x', key);
    const [shown] = requestSecrets(query).map(String);
    expect(error).toMatchObject({ reason: shown, cause: { code: shown }, code: 'SOURCE_UNAVAILABLE' });
    expect(error.message).toBe(`the credential source source is unavailable: ${shown}`);
    const throwing = (): never => {
      throw Object.assign(new Error('x'), { code: key });
    };
    expect(`${await firstOf([throwing]).explain(query)}`).toContain(`throwing: unavailable (${shown})`);
  });
});

describe('the values of a request', () => {
  it('are those of 8 characters or more, each once', () => {
    expect(
      revealed({ headers: { cookie: 'a=1234567; b=12345678; c=12345678', 'x-api-key': 'short', authorization: 'Bearer 12345678' } }),
    ).toEqual(['12345678']);
  });

  it('are 32 at most: those of cookies after all others, the longest first', () => {
    const cookie = Array.from({ length: 60 }, (_, index) => `c=${'v'.repeat(10 + index)}`).join('; ');
    const values = revealed({ headers: { cookie, authorization: `Bearer ${SECRET}` }, url: 'https://h/?k=of-a-query' });
    expect(values).toHaveLength(32);
    expect(values.slice(0, 3)).toEqual([SECRET, 'of-a-query', 'v'.repeat(69)]);
    expect(values.at(-1)).toBe('v'.repeat(40));
  });

  it('are none of headers that hold no secret', () => {
    const headers = {
      accept: 'application/json',
      'x-original-path': '/v1/models',
      ':authority': 'api.example.com',
      'user-agent': 'client/1.0.0',
    };
    expect(revealed({ headers, url: 'https://api.example.com/v1/models' })).toEqual([]);
  });

  it.each([
    [undefined],
    [null],
    ['text'],
    [{}],
    [{ headers: null, url: null }],
    [{ headers: { 'x-key': null, cookie: [undefined] }, url: 5 }],
  ])('are none of %j', (query) => {
    expect(requestSecrets(query)).toEqual([]);
  });

  it('are taken from the rest of what cannot all be read', () => {
    const hostile = {
      get headers(): never {
        throw new Error('no');
      },
      url: `https://h/?k=${SECRET}`,
    };
    expect(revealed(hostile)).toEqual([SECRET]);
    expect(revealed({ headers: { authorization: `Bearer ${SECRET}` }, url: 'https://[' })).toEqual([SECRET]);
    // Half of a surrogate pair has no URL-encoded form.
    expect(redactAll(SECRET, requestSecrets({ headers: { 'x-key': `\ud800-value-12 ${SECRET}` } }))).not.toContain(SECRET);
  });

  it('cost no more than they are long', async () => {
    const cookies = Array.from({ length: 1_600 }, (_, index) => `c${index}=e`).join('; ');
    for (const header of [
      cookies,
      '='.repeat(16_000),
      '"'.repeat(16_000),
      '\\"'.repeat(8_000),
      `"${'\\'.repeat(16_001)}`,
      'e; '.repeat(5_000),
    ]) {
      const { cause } = await failure({ headers: { cookie: header, authorization: header } }, 'connect ECONNREFUSED');
      expect((cause as Error).message).toBe('connect ECONNREFUSED');
      expect((cause as Error).stack?.length).toBeLessThan(20_000);
    }
  });

  it('a short one cuts no long one up', async () => {
    const token = 'tok-9f8e7d6c5b4a39281706f5e4d3c2b1a0';
    for (const headers of [
      { cookie: 'theme=9', authorization: `Bearer ${token}` },
      { cookie: 'theme=8e7d6c5b4a', authorization: `Bearer ${token}` },
      { 'x-api-key': 'tok-9f8e', authorization: `Bearer ${token}` },
      { authorization: `Bearer ${token}`, cookie: 'theme=to tok-9f' },
    ]) {
      const { cause } = await failure({ headers }, `registry said 403 to ${token}`);
      expect((cause as Error).message).toMatch(/^registry said 403 (?:to )?bearer:[0-9a-f]{16}$/);
    }
  });
});
