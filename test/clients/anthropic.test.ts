import Anthropic from '@anthropic-ai/sdk';
import { afterEach, describe, expect, it } from 'vitest';
import { apiKey, bearer, type Credential, createLatchkey, type Latchkey } from '../../src/index.js';
import { type Answer, scriptedUpstream, type Upstream } from '../support/upstream.js';
import { type ClientUnderTest, describeClient, INSUFFICIENT_SCOPE, json } from './suite.js';

const TOKEN = bearer('token-of-anthropic');
const KEY = apiKey('key-of-anthropic');
const failing = (status: number, type: string, message = 'no') =>
  json(status, { type: 'error', error: { type, message }, request_id: 'r' });
const clientOf = (url: string): Anthropic => new Anthropic({ apiKey: null, authToken: null, baseURL: url, maxRetries: 0 });
const message = { model: 'm', max_tokens: 1, messages: [] };

const COMMON: Omit<ClientUnderTest, 'name' | 'credential' | 'denied'> = {
  provider: 'anthropic',
  connect: (url) => {
    const client = clientOf(url);
    return async ({ headers, signal, timeoutMs }) =>
      client.messages.create(message, { headers, ...(signal && { signal }), ...(timeoutMs && { timeout: timeoutMs }) });
  },
  good: json(200, { id: 'm', type: 'message', role: 'assistant', content: [{ type: 'text', text: 'pong' }] }),
  rejected: (secret) => failing(401, 'authentication_error', `invalid credential ${secret}`),
  keepsHeaders: true,
  tellsAborts: true,
  tellsBrokenBodies: true,
};

describeClient({ ...COMMON, name: 'Anthropic with a bearer token', credential: TOKEN, denied: [INSUFFICIENT_SCOPE] });
describeClient({
  ...COMMON,
  name: 'Anthropic with an API key',
  credential: KEY,
  denied: [INSUFFICIENT_SCOPE, failing(403, 'permission_error')],
});

describe('Anthropic: what its types say', () => {
  let upstream: Upstream;
  let latchkey: Latchkey;
  afterEach(() => upstream.close());

  async function begin(credential: Credential, answer: Answer): Promise<Anthropic> {
    upstream = await scriptedUpstream(({ count }) => (count === 1 ? answer : undefined));
    latchkey = createLatchkey();
    latchkey.capture('s', credential);
    return clientOf(upstream.url);
  }

  it('case 50: a permission_error on a bearer rejects it for the scope only', async () => {
    const client = await begin(TOKEN, failing(403, 'permission_error'));
    const run = latchkey.run('s', async (lease) => client.messages.create(message, { headers: lease.headers() }));
    await expect(run).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED', status: 403 });
    expect(latchkey.canRun('s')).toBe(false);
    expect(latchkey.canRun('another')).toBe(true);
  });

  const streaming = (type: string): Answer => ({
    status: 200,
    headers: { 'content-type': 'text/event-stream' },
    body: `event: error\ndata: {"type":"error","error":{"type":"${type}","message":"no"}}\n\n`,
  });
  const runStream = (client: Anthropic) =>
    latchkey.run('s', async (lease) => {
      const stream = await client.messages.create({ ...message, stream: true }, { headers: lease.headers() });
      for await (const event of stream) expect(event).toBeUndefined();
    });

  it('case 50: an authentication error inside of a stream, which has no status, rejects', async () => {
    const client = await begin(TOKEN, streaming('authentication_error'));
    await expect(runStream(client)).rejects.toMatchObject({ code: 'CREDENTIAL_REJECTED', status: undefined });
    expect(latchkey.canRun('another')).toBe(false);
  });

  it('case 50: an overload inside of a stream says nothing about the credential', async () => {
    const client = await begin(TOKEN, streaming('overloaded_error'));
    await expect(runStream(client)).rejects.toBeInstanceOf(Anthropic.APIError);
    expect(latchkey.canRun('s')).toBe(true);
    expect(latchkey.stats()).toMatchObject({ accepted: 0, rejected: 0 });
  });
});
