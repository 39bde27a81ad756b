import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { bearer } from '../../src/credential/credential.js';
import { firstOf } from '../../src/sources/chain.js';
import type { CredentialSource, UpstreamQuery } from '../../src/sources/source.js';
import { fromEnv, fromOverrideHeader, fromRegistry, fromServers } from '../../src/sources/sources.js';
import { secretsIn } from '../support/secret-forms.js';

const SECRET = 's3cret+value/of=the~request';
const MALFORMED = `${SECRET} and-more`;

/** All that could be printed of a value. */
const printed = (value: unknown): string =>
  [
    inspect(value, { depth: 9, showHidden: true }),
    JSON.stringify(value),
    String(value),
    value instanceof Error ? `${value.stack}${inspect(value.cause, { showHidden: true })}` : '',
  ].join('\n');

async function waysOut(source: CredentialSource, query: UpstreamQuery): Promise<string> {
  const chain = firstOf([source]);
  const ask = [chain.resolve(query), chain.explain(query), Promise.resolve(chain)];
  return (await Promise.all(ask.map((one) => one.catch((error: unknown) => error)))).map(printed).join('\n');
}

describe('no value gets out', () => {
  const base64 = Buffer.from(`user:${SECRET}`).toString('base64');
  const quoting = (): never => {
    const texts = [SECRET, encodeURIComponent(SECRET), Buffer.from(SECRET).toString('base64'), base64, `Bearer ${SECRET}`];
    throw Object.assign(new Error(`refused: ${texts.join(' | ')}`), {
      code: `E_${SECRET}`,
      config: { headers: { authorization: SECRET } },
    });
  };

  it.each<[string, CredentialSource, UpstreamQuery]>([
    ['of a credential that was found', () => bearer(SECRET), {}],
    ['of an override', fromOverrideHeader(), { headers: { 'x-upstream-authorization': `Bearer ${SECRET}` } }],
    ['of a malformed override', fromOverrideHeader(), { headers: { 'x-upstream-authorization': MALFORMED } }],
    ['of a variable', fromEnv('KEY', { env: { KEY: SECRET } }), {}],
    ['of a malformed variable', fromEnv('KEY', { env: { KEY: MALFORMED } }), {}],
    ['of an answer that is none', fromServers(() => SECRET as never), { server: 'box' }],
    ['of an answer that is an object', fromServers(() => ({ token: SECRET }) as never), { server: 'box' }],
    ['of a URL that is none', fromRegistry(() => undefined), { url: `//user:${SECRET}@box` }],
    ['that the request presents, in an error', quoting, { headers: { authorization: `Bearer ${SECRET}` } }],
    ['that the request presents twice, in an error', quoting, { headers: { 'X-Api-Key': ['other', SECRET] } }],
    ['that the request presents as `Headers`, in an error', quoting, { headers: new Headers({ 'x-auth-token': SECRET }) }],
    ['that the request presents in a cookie, in an error', quoting, { headers: { cookie: `a=b; session=${SECRET}` } }],
  ])('%s', async (_, source, query) => {
    expect(secretsIn(await waysOut(source, query), [SECRET])).toEqual([]);
  });
});
