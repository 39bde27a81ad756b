import { GuardError } from '../../src/guard/guard-error.js';
import { resolveServerToken } from '../../src/guard/server-token.js';

export interface CreatingRound {
  readonly configDir: string;
  readonly port: number;
  /** When to begin, in milliseconds since the epoch: all at the same time. */
  readonly at: number;
}

export interface CreatingReply {
  readonly source: string;
  readonly token: string | undefined;
}

process.on('message', ({ configDir, port, at }: CreatingRound) => {
  while (Date.now() < at);
  process.send?.(create(configDir, port));
});
process.on('disconnect', () => process.exit());
process.send?.('ready');

function create(configDir: string, port: number): CreatingReply {
  try {
    const { source, credential } = resolveServerToken({ port, configDir });
    return { source, token: credential?.reveal() };
  } catch (error) {
    return { source: error instanceof GuardError ? `${error.code}: ${error.message}` : String(error), token: undefined };
  }
}
