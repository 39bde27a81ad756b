import { createHmac } from 'node:crypto';
import type { Credential } from '../credential/credential.js';
import { isSame } from './verify-bearer.js';

/** What a login form needs of a guard's token, so that nobody else has to see it. */
export interface SignIn {
  /** Whether a text is the token, compared in constant time. Throws nothing whatever the text. */
  verify(value: string): boolean;
  /** A signature (HMAC-SHA-256, base64url) with a key derived from the token: every process with this token makes the same, and no other token does. */
  sign(text: string): string;
}

export function signInWith(token: Credential): SignIn {
  return {
    verify: (value) => typeof value === 'string' && isSame(value, token),
    sign(text) {
      const key = createHmac('sha256', token.reveal()).update('latchkey sign-in').digest();
      return createHmac('sha256', key).update(text).digest('base64url');
    },
  };
}
