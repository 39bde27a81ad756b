import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import Anthropic from '@anthropic-ai/sdk';
import axios from 'axios';
import OpenAI from 'openai';
import { request as requestWithUndici } from 'undici';

interface Answered {
  readonly status: number;
  /** As it came over the wire. */
  readonly body: string;
  readonly wwwAuthenticate: string | undefined;
  /** What the client made of a 2xx: the reply's words. */
  readonly words: string | undefined;
}

export interface RealClient {
  readonly name: string;
  readonly provider: 'anthropic' | 'openai';
  /** Asks the model something, as session `s`. */
  talk(gatewayUrl: string, token: string): Promise<Answered>;
  readonly missing?: string | undefined;
}

export const SESSION = 's';
export const WORDS = 'Quiet, honest, recoverable.';
const ANTHROPIC_BODY = { model: 'm', max_tokens: 10, messages: [{ role: 'user' as const, content: 'hello' }] };
const OPENAI_BODY = { model: 'm', messages: [{ role: 'user' as const, content: 'hello' }] };

const headersFor = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}`, 'x-session-id': SESSION });

/** A `fetch` that keeps what came over the wire beside what the SDK makes of it. */
function listening(): { fetch: typeof fetch; heard: () => Promise<Omit<Answered, 'words'>> } {
  let last: Response | undefined;
  return {
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      last = response.clone();
      return response;
    },
    async heard() {
      if (last === undefined) throw new Error('nothing was sent');
      return { status: last.status, body: await last.text(), wwwAuthenticate: last.headers.get('www-authenticate') ?? undefined };
    },
  };
}

/** The words, or undefined for an authentication error of the SDK's own class. */
async function unless<T>(AuthenticationError: abstract new (...args: never[]) => Error, words: () => Promise<T>): Promise<T | undefined> {
  try {
    return await words();
  } catch (error) {
    if (error instanceof AuthenticationError) return undefined;
    throw error;
  }
}

function anthropic(
  name: string,
  credential: (token: string) => { apiKey: string | null; authToken: string | null },
  stream: boolean,
): RealClient {
  return {
    name,
    provider: 'anthropic',
    async talk(gatewayUrl, token) {
      const { fetch, heard } = listening();
      const defaultHeaders = { 'x-session-id': SESSION };
      const client = new Anthropic({ ...credential(token), baseURL: `${gatewayUrl}/anthropic`, maxRetries: 0, fetch, defaultHeaders });
      const words = await unless(Anthropic.AuthenticationError, async () => {
        const message = stream ? await client.messages.stream(ANTHROPIC_BODY).finalMessage() : await client.messages.create(ANTHROPIC_BODY);
        return message.content.map((block) => (block.type === 'text' ? block.text : '')).join('');
      });
      return { ...(await heard()), words };
    },
  };
}

function openai(name: string, stream: boolean): RealClient {
  return {
    name,
    provider: 'openai',
    async talk(gatewayUrl, token) {
      const { fetch, heard } = listening();
      const defaultHeaders = { 'x-session-id': SESSION };
      const client = new OpenAI({ apiKey: token, baseURL: `${gatewayUrl}/openai/v1`, maxRetries: 0, fetch, defaultHeaders });
      const words = await unless(OpenAI.AuthenticationError, async () => {
        if (!stream) return (await client.chat.completions.create(OPENAI_BODY)).choices[0]?.message.content ?? '';
        let text = '';
        for await (const chunk of await client.chat.completions.create({ ...OPENAI_BODY, stream: true }))
          text += chunk.choices[0]?.delta.content ?? '';
        return text;
      });
      return { ...(await heard()), words };
    },
  };
}

const wordsOf = (status: number, body: string): string | undefined =>
  status === 200 ? ((JSON.parse(body) as OpenAI.ChatCompletion).choices[0]?.message.content ?? undefined) : undefined;

const withAxios: RealClient = {
  name: 'axios',
  provider: 'openai',
  async talk(gatewayUrl, token) {
    const { status, data, headers } = await axios.post<string>(`${gatewayUrl}/openai/v1/chat/completions`, OPENAI_BODY, {
      headers: headersFor(token),
      responseType: 'text',
      transformResponse: (text: string) => text,
      validateStatus: () => true,
    });
    return { status, body: data, wwwAuthenticate: headers['www-authenticate'] as string | undefined, words: wordsOf(status, data) };
  },
};

const withUndici: RealClient = {
  name: 'undici',
  provider: 'openai',
  async talk(gatewayUrl, token) {
    const { statusCode, headers, body } = await requestWithUndici(`${gatewayUrl}/openai/v1/chat/completions`, {
      method: 'POST',
      headers: { ...headersFor(token), 'content-type': 'application/json' },
      body: JSON.stringify(OPENAI_BODY),
    });
    const text = await body.text();
    return {
      status: statusCode,
      body: text,
      wwwAuthenticate: headers['www-authenticate'] as string | undefined,
      words: wordsOf(statusCode, text),
    };
  },
};

const withCurl: RealClient = {
  name: 'curl',
  provider: 'openai',
  missing: missingCurl(),
  async talk(gatewayUrl, token) {
    const headers = Object.entries({ ...headersFor(token), 'content-type': 'application/json' }).flatMap(([name, value]) => [
      '-H',
      `${name}: ${value}`,
    ]);
    const url = `${gatewayUrl}/openai/v1/chat/completions`;
    const { stdout } = await promisify(execFile)('curl', ['-sS', '-i', ...headers, '-d', JSON.stringify(OPENAI_BODY), url]);
    const end = stdout.indexOf('\r\n\r\n');
    const [head, body] = [stdout.slice(0, end), stdout.slice(end + 4)];
    const status = Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]);
    return { status, body, wwwAuthenticate: /^www-authenticate: (.*)\r$/im.exec(`${head}\r`)?.[1], words: wordsOf(status, body) };
  },
};

/** Why there is no curl to test with. @throws if there has to be one. */
function missingCurl(): string | undefined {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    try {
      accessSync(join(folder, 'curl'), constants.X_OK);
      return undefined;
    } catch {}
  }
  if (process.env['LATCHKEY_REQUIRE_SERVICES'] === '1') throw new Error('curl is not installed, and LATCHKEY_REQUIRE_SERVICES is set');
  console.warn('SKIPPED: curl is not installed');
  return 'curl is not installed';
}

export const REAL_CLIENTS: readonly RealClient[] = [
  anthropic('the Anthropic SDK', (token) => ({ apiKey: null, authToken: token }), false),
  anthropic('the Anthropic SDK, streaming', (token) => ({ apiKey: null, authToken: token }), true),
  anthropic('the Anthropic SDK with an API key', (token) => ({ apiKey: token, authToken: null }), false),
  openai('the OpenAI SDK', false),
  openai('the OpenAI SDK, streaming', true),
  withAxios,
  withUndici,
  withCurl,
];
