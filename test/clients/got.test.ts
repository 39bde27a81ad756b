import got from 'got';
import { bearer } from '../../src/index.js';
import { PLAIN_ANSWERS } from './plain.js';
import { type ClientUnderTest, describeClient } from './suite.js';

const COMMON: Omit<ClientUnderTest, 'name' | 'connect' | 'credential'> = {
  ...PLAIN_ANSWERS,
  keepsHeaders: true,
  tellsAborts: true,
  tellsBrokenBodies: true,
};

describeClient({
  ...COMMON,
  name: 'got',
  credential: bearer('token-of-got'),
  connect: (url) => {
    const client = got.extend({ prefixUrl: url, retry: { limit: 0 } });
    return ({ headers, signal, timeoutMs }) =>
      client.get('', { headers, ...(signal && { signal }), ...(timeoutMs && { timeout: { request: timeoutMs } }) }).json();
  },
});

describeClient({
  ...COMMON,
  name: 'got, with its response returned whatever the status',
  credential: bearer('token-of-returning-got'),
  connect: (url) => {
    const client = got.extend({ prefixUrl: url, retry: { limit: 0 }, throwHttpErrors: false });
    return async ({ headers, signal, timeoutMs }) => {
      const response = await client.get('', { headers, ...(signal && { signal }), ...(timeoutMs && { timeout: { request: timeoutMs } }) });
      return Object.assign(response, { toJSON: () => response.body });
    };
  },
});
