import { bearer } from '../../src/credential/credential.js';
import { createGuard } from '../../src/guard/guard.js';
import { type BulkListener, createPlanes, type PlaneDecision, type Planes, type PlanesOptions } from '../../src/guard/planes.js';
import type { GuardedRequest } from '../../src/guard/request.js';
import { sendAnswer } from '../../src/signals/answer.js';
import { listening, type RawReply, rawRequest } from './raw-http.js';

export const SECRET = 'tok-9f8e7d6c5b4a39281706f5e4d3c2b1a0';
export const token = bearer(SECRET);
export const guard = createGuard({ token });
export const AUTH = `Authorization: Bearer ${SECRET}`;
export const LAN: BulkListener = { tls: false, host: '192.0.2.7', port: 8512 };
export const rules = {
  control: (path: string): boolean => path === '/health' || path === '/status' || path.startsWith('/v1/'),
  bulk: (path: string): boolean => path.startsWith('/bulk/'),
};
export const planesOf = (options: Partial<PlanesOptions> = {}): Planes => createPlanes({ guard, ...rules, ...options });
export const authorized = (url: string, headers: Record<string, string> = {}): GuardedRequest => ({
  method: 'GET',
  url,
  headers: { authorization: `Bearer ${SECRET}`, ...headers },
});
/** In short: who was let in, or the status and where the answer leads. */
export const inShort = (decision: PlaneDecision): string =>
  decision.ok ? decision.by : `${decision.answer.status} ${decision.answer.headers['X-Bulk-Url'] ?? ''}`.trim();

/** One request to a real server of a plane; let in: 200 and the decision as JSON. */
export async function ask(
  plane: 'control' | 'bulk',
  target: string,
  lines: readonly string[],
  planes: Planes,
  method = 'GET',
): Promise<RawReply> {
  const server = await listening((request, response) => {
    const decision = planes[plane](request);
    if (decision.ok) response.end(JSON.stringify(decision));
    else sendAnswer(response, decision.answer);
  });
  return rawRequest(server.port, target, lines, method).finally(() => server.close());
}
