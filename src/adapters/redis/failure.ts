import { StoreError } from '../../fleet/store-error.js';

/** Codes of Node and of Redis: ECONNREFUSED, NOSCRIPT, OOM. */
const CODE = /^[A-Z][A-Z0-9_]{1,40}$/;
const ERROR_NAME = /^[A-Za-z]{1,40}Error$/;

/** What a failed command is told as. A client's error quotes what was sent, in its message or beside it: only its code is kept, or its name. */
export function failure(error: unknown): StoreError {
  const what = replyCode(error) ?? codeOf(error) ?? nameOf(error);
  return new StoreError('STORE_DOWN', `the store cannot be reached${what === undefined ? '' : `: ${what}`}`);
}

/** The word that an error reply of Redis begins with. */
export function replyCode(error: unknown): string | undefined {
  const message = read(error, 'message');
  const [word = ''] = typeof message === 'string' ? message.split(' ', 1) : [];
  return CODE.test(word) ? word : undefined;
}

function codeOf(error: unknown): string | undefined {
  const code = read(error, 'code');
  return typeof code === 'string' && CODE.test(code) ? code : undefined;
}

function nameOf(error: unknown): string | undefined {
  // Both clients leave `name` as it is in every Error.
  const name = read(read(error, 'constructor'), 'name');
  return typeof name === 'string' && ERROR_NAME.test(name) ? name : undefined;
}

function read(value: unknown, property: string): unknown {
  return (value as Record<string, unknown> | null | undefined)?.[property];
}
