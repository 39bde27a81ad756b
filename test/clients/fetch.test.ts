import { bearer } from '../../src/index.js';
import { PLAIN_ANSWERS } from './plain.js';
import { type CallOptions, type ClientUnderTest, describeClient } from './suite.js';

function signalOf({ signal, timeoutMs }: CallOptions): AbortSignal | null {
  return timeoutMs === undefined ? (signal ?? null) : AbortSignal.timeout(timeoutMs);
}

const COMMON: Omit<ClientUnderTest, 'name' | 'connect' | 'keepsHeaders' | 'tellsBrokenBodies'> = {
  ...PLAIN_ANSWERS,
  credential: bearer('token-of-fetch'),
  tellsAborts: false,
};

describeClient({
  ...COMMON,
  name: 'fetch, its Response returned',
  connect: (url) => (options) => fetch(url, { headers: options.headers, signal: signalOf(options) }),
  keepsHeaders: true,
  tellsBrokenBodies: undefined,
});

describeClient({
  ...COMMON,
  name: 'a fetch wrapper that throws a status, and the headers with it',
  connect: (url) => async (options) => {
    const response = await fetch(url, { headers: options.headers, signal: signalOf(options) });
    if (!response.ok)
      throw Object.assign(new Error(`HTTP ${response.status}: ${await response.text()}`), {
        status: response.status,
        headers: response.headers,
      });
    return response.json();
  },
  keepsHeaders: true,
  tellsBrokenBodies: true,
});

describeClient({
  ...COMMON,
  name: 'a fetch wrapper that throws a status and the body as data',
  connect: (url) => async (options) => {
    const response = await fetch(url, { headers: options.headers, signal: signalOf(options) });
    const text = await response.text();
    if (!response.ok) throw Object.assign(new Error(text), { statusCode: response.status, body: text });
    return JSON.parse(text);
  },
  denied: [{ status: 403, body: JSON.stringify({ error: { code: 'model_not_found' } }) }],
  keepsHeaders: false,
  tellsBrokenBodies: true,
});
