import { Gaxios } from 'gaxios';
import { bearer } from '../../src/index.js';
import { PLAIN_ANSWERS } from './plain.js';
import { describeClient, json } from './suite.js';

describeClient({
  ...PLAIN_ANSWERS,
  name: 'gaxios',
  credential: bearer('token-of-gaxios'),
  connect: (url) => {
    const client = new Gaxios({ baseURL: url, retry: false });
    return async ({ headers, signal, timeoutMs }) => {
      const { data } = await client.request({ url: '/', headers, ...(signal && { signal }), ...(timeoutMs && { timeout: timeoutMs }) });
      return data;
    };
  },
  denied: [...PLAIN_ANSWERS.denied, json(403, { error: { code: 403, details: [{ reason: 'SERVICE_DISABLED' }] } })],
  keepsHeaders: true,
  tellsAborts: false,
  tellsBrokenBodies: true,
});
