import type { Answer } from '../support/upstream.js';
import { type ClientUnderTest, INSUFFICIENT_SCOPE, json } from './suite.js';

/** What an API of no particular provider answers, to clients of no particular provider. */
export const PLAIN_ANSWERS: Pick<ClientUnderTest, 'good' | 'rejected' | 'denied'> = {
  good: json(200, { ping: 'pong' }),
  rejected: (secret): Answer => json(401, { error: 'unauthorized', message: `${secret} is no good` }),
  denied: [INSUFFICIENT_SCOPE],
};
