import { readFile, rename, writeFile } from 'node:fs/promises';
import type { LatchkeyOptions } from '../../../src/index.js';
import type { Package } from './package.js';

/** How a gateway's processes refresh: the refresh token lies in a file that they share. */
export interface RefreshOrder {
  readonly url: string;
  readonly file: string;
  /** Refreshes of what is in the file are made one after another. Default: each credential's is on its own. */
  readonly isKeyed?: boolean;
}

interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
}

/** As a gateway would write it; whoever calls it twice at once, in whichever process, spends one refresh token twice. */
export function refreshFromFile({ url, file }: RefreshOrder, { latchkey }: Package): NonNullable<LatchkeyOptions['refresh']> {
  return async (_lease, { signal }) => {
    const refreshToken = await readFile(file, 'utf8');
    const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken });
    const response = await fetch(url, { method: 'POST', body, signal });
    if (!response.ok) throw Object.assign(new Error('refresh failed'), { status: response.status, body: await response.text() });
    const tokens = (await response.json()) as Tokens;
    // The next one is safe before the last is given up.
    await writeFile(`${file}.new`, tokens.refresh_token);
    await rename(`${file}.new`, file);
    return latchkey.bearer(tokens.access_token);
  };
}
