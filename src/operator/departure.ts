import type { GuardedSocket } from '../guard/request.js';
import type { OperatorRequest, OperatorResponse } from './options.js';

/** What Node's sockets have. */
interface Connection extends GuardedSocket {
  readonly destroyed?: boolean;
  on?(event: 'close', listener: () => void): unknown;
  off?(event: 'close', listener: () => void): unknown;
  getMaxListeners?(): number;
  setMaxListeners?(most: number): unknown;
}

/** Node's `Http2ServerResponse` tells by its stream alone that it is destroyed. */
interface Http2Response extends OperatorResponse {
  readonly stream?: { readonly destroyed?: boolean } | null;
}

/** Whether the client has gone. To be asked late: of one who left before anybody listened for it nobody would ever hear. */
export function hasLeft(request: OperatorRequest, response: Http2Response): boolean {
  const connection: Connection | null | undefined = request.socket;
  return response.destroyed === true || response.stream?.destroyed === true || connection?.destroyed === true;
}

/**
 * Tells when the client goes or the answer has been sent, perhaps twice. An answer that waits for another one's end (RFC 9112, section 9.3.2) hears
 * nothing of its connection, since Node tells only the one that is being sent. On HTTP/2 none waits.
 */
export function whenLeft(request: OperatorRequest, response: Http2Response, left: () => void): void {
  const connection: Connection | null | undefined = response.stream === undefined ? request.socket : undefined;
  const over = (): void => {
    connection?.off?.('close', over);
    widen(connection, -1);
    left();
  };
  response.on('close', over);
  connection?.on?.('close', over);
  widen(connection, 1);
}

/** As many may wait on one connection as there are seats, and Node takes more than ten listeners for a leak. */
function widen(connection: Connection | null | undefined, by: 1 | -1): void {
  const most = connection?.getMaxListeners?.() ?? 0;
  if (most > 0) connection?.setMaxListeners?.(most + by);
}
