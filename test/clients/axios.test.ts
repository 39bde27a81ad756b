import axios from 'axios';
import { bearer } from '../../src/index.js';
import { PLAIN_ANSWERS } from './plain.js';
import { describeClient } from './suite.js';

describeClient({
  ...PLAIN_ANSWERS,
  name: 'axios',
  credential: bearer('token-of-axios'),
  connect: (url) => {
    const client = axios.create({ baseURL: url });
    return async ({ headers, signal, timeoutMs }) => {
      const { data } = await client.get('/', { headers, ...(signal && { signal }), timeout: timeoutMs ?? 0 });
      return data;
    };
  },
  keepsHeaders: true,
  tellsAborts: true,
  // A broken body bears the good status and a code that axios gives to unparsable ones too.
  tellsBrokenBodies: false,
});
