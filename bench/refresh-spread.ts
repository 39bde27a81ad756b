import { randomUUID } from 'node:crypto';
import { startRedis } from '../test/support/redis-server.js';
import type { SpreadPart, SpreadProcess } from './children/refresh-spread.js';
import { measure } from './support/child.js';
import type { Bench } from './support/report.js';

const PROCESSES = 4;
const SESSIONS = 1_000;
/** The jitter is two and a half minutes by default, and passes ten times as fast here; what is due at its end has some seconds left. */
const ADVISORY_MS = 20_000;
const JITTER_MS = 15_000;
const TENTHS = 10;
/** The advisory window takes no more than half of what a token has left when it comes, which it does once its process has started. */
const LASTS_MS = 2 * ADVISORY_MS + 8_000;
/** Four standard deviations about a tenth of them. */
const [LEAST, MOST] = [60, 140];

export const refreshSpread: Bench = {
  name: 'refresh-spread',

  async measure() {
    const server = await startRedis();
    try {
      const order: SpreadProcess = {
        redisUrl: server.url,
        namespace: randomUUID(),
        sessions: SESSIONS,
        expiresAt: Date.now() + LASTS_MS,
        advisoryMs: ADVISORY_MS,
        jitterMs: JITTER_MS,
      };
      const parts = await Promise.all(Array.from({ length: PROCESSES }, () => measure<SpreadPart>('refresh-spread', order)));
      const dueFrom = order.expiresAt - ADVISORY_MS;
      const moments = parts.flatMap(({ refreshedAt }) => refreshedAt.map((at) => at - dueFrom));
      const histogram = Array.from({ length: TENTHS }, (_, tenth) => moments.filter((ms) => tenthOf(ms) === tenth).length);
      return [
        ...histogram.map((refreshes, tenth) => ({ name: `tenth ${tenth + 1}`, refreshes, histogram: '#'.repeat(refreshes / 4) })),
        {
          name: 'in all',
          refreshes: moments.length,
          sessions: SESSIONS,
          processes: PROCESSES,
          mostInATenth: Math.max(...histogram),
          leastOfAProcess: Math.min(...parts.map(({ refreshedAt }) => refreshedAt.length)),
          calls: parts.reduce((sum, { calls }) => sum + calls, 0),
          failed: parts.reduce((sum, { failed }) => sum + failed, 0),
          renewed: Math.min(...parts.map(({ renewed }) => renewed)),
        },
      ];
    } finally {
      await server.stop();
    }
  },

  target({ name, refreshes, failed, renewed }) {
    if (name !== 'in all') return { wanted: `${LEAST} to ${MOST}`, met: Number(refreshes) >= LEAST && Number(refreshes) <= MOST };
    return { wanted: `${SESSIONS} refreshes, 0 failed`, met: refreshes === SESSIONS && failed === 0 && renewed === SESSIONS };
  },

  notes: [
    `${SESSIONS} sessions with one token each, all of one expiry, each known to ${PROCESSES} processes of their own on a redis-server of their own, which work with every one`,
    `once a second. The default jitter, ten times as fast: ${JITTER_MS / 1_000} s, a row for each tenth of that. mostInATenth: ${SESSIONS} if it were all at once. renewed: sessions`,
    'that work with the new token in the end, in the process that has the fewest.',
  ],
};

/** What is due at the end of one is done in the next; what comes after the last is late, and counts there. */
function tenthOf(ms: number): number {
  return Math.min(TENTHS - 1, Math.max(0, Math.floor((ms * TENTHS) / JITTER_MS)));
}
