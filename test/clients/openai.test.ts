import OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import { bearer, createLatchkey } from '../../src/index.js';
import { scriptedUpstream, type Upstream } from '../support/upstream.js';
import { describeClient, INSUFFICIENT_SCOPE, json } from './suite.js';

const credential = bearer('token-of-openai');
const scope = { session: 's', provider: 'openai' };
const failing = (status: number, code: string, type: string) => json(status, { error: { message: 'no', type, param: null, code } });
const clientOf = (url: string): OpenAI => new OpenAI({ apiKey: 'placeholder', baseURL: url, maxRetries: 0 });

describeClient({
  name: 'OpenAI',
  provider: 'openai',
  credential,
  connect: (url) => {
    const client = clientOf(url);
    return async ({ headers, signal, timeoutMs }) =>
      client.models.list({ headers, ...(signal && { signal }), ...(timeoutMs && { timeout: timeoutMs }) });
  },
  good: json(200, { object: 'list', data: [{ id: 'pong', object: 'model' }] }),
  rejected: (secret) =>
    json(401, {
      error: { message: `Incorrect API key provided: ${secret}`, type: 'invalid_request_error', param: null, code: 'invalid_api_key' },
    }),
  denied: [
    INSUFFICIENT_SCOPE,
    failing(403, 'unsupported_country_region_territory', 'request_forbidden'),
    failing(403, 'model_not_found', 'invalid_request_error'),
    failing(401, 'missing_scope', 'invalid_request_error'),
  ],
  keepsHeaders: true,
  tellsAborts: true,
  tellsBrokenBodies: true,
});

describe('OpenAI: what its codes say', () => {
  let upstream: Upstream;
  afterEach(() => upstream.close());

  it('case 21: a 429 for a quota that is used up holds the credential, and is not repeated', async () => {
    upstream = await scriptedUpstream(({ count }) => (count === 1 ? failing(429, 'insufficient_quota', 'insufficient_quota') : undefined));
    const client = clientOf(upstream.url);
    const latchkey = createLatchkey();
    latchkey.capture(scope, credential);
    const run = () =>
      latchkey.run(scope, async (lease) => client.models.list({ headers: lease.headers() }), { transient: { retries: 1, minMs: 1 } });
    await expect(run()).rejects.toBeInstanceOf(OpenAI.RateLimitError);
    expect(latchkey.resolve(scope)).toMatchObject({ ok: false, reason: 'held' });
    await expect(run()).rejects.toMatchObject({ code: 'CREDENTIAL_HELD' });
    expect(upstream.requests).toHaveLength(1);
  });

  it('case 50: a quota error inside of a stream has no status, and holds all the same', async () => {
    upstream = await scriptedUpstream(() => ({
      status: 200,
      headers: { 'content-type': 'text/event-stream' },
      body: 'data: {"error":{"message":"no","type":"insufficient_quota","code":"insufficient_quota"}}\n\n',
    }));
    const client = clientOf(upstream.url);
    const latchkey = createLatchkey();
    latchkey.capture(scope, credential);
    const attempt = latchkey.run(scope, async (lease) => {
      const stream = await client.chat.completions.create({ model: 'm', messages: [], stream: true }, { headers: lease.headers() });
      for await (const chunk of stream) expect(chunk).toBeUndefined();
    });
    await expect(attempt).rejects.toMatchObject({ code: 'insufficient_quota' });
    expect(latchkey.resolve(scope)).toMatchObject({ ok: false, reason: 'held' });
  });
});
