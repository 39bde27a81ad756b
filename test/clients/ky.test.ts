import ky from 'ky';
import { bearer } from '../../src/index.js';
import { PLAIN_ANSWERS } from './plain.js';
import { describeClient } from './suite.js';

describeClient({
  ...PLAIN_ANSWERS,
  name: 'ky',
  credential: bearer('token-of-ky'),
  connect: (url) => {
    const client = ky.create({ prefixUrl: url, retry: 0 });
    return ({ headers, signal, timeoutMs }) => client.get('', { headers, signal: signal ?? null, timeout: timeoutMs ?? false }).json();
  },
  keepsHeaders: true,
  // It passes on what fetch throws at an abort; its own time limit has a name.
  tellsAborts: false,
  tellsBrokenBodies: true,
});
