import fc from 'fast-check';
import { expect, it } from 'vitest';
import { bearer, createLatchkey } from '../../src/index.js';
import { manualClock, START, settled } from '../support/clock.js';
import { CHECKED, LONG_MS } from './runs.js';

// L5: A credential that is dead when presented never displaces one that is not; presenting it again is not fresh.

const LIVE = bearer('token-live');
const DEAD = [bearer('token-dead'), bearer('token-gone'), bearer('token-past', { expiresAt: START - 1 })] as const;
const OTHER = bearer('token-other');

const anyPresentation = fc.record({
  session: fc.constantFrom('s', 't', undefined),
  dead: fc.nat({ max: DEAD.length - 1 }),
  how: fc.constantFrom('at once', 'committed later', 'committed at the end'),
});

it('L5: whoever presents a dead credential, however often, changes nothing for anybody', { timeout: LONG_MS }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyPresentation, { minLength: 1, maxLength: 20 }), fc.boolean(), async (presentations, waitToo) => {
      const latchkey = createLatchkey({ clock: manualClock(), canary: 'off', limits: { sessions: 10, identities: 10 } });
      // Two of them die in a session of another tenant, whose slots are nobody else's.
      for (const credential of DEAD.slice(0, 2))
        latchkey.capture({ tenant: 'elsewhere', session: 'd', provider: 'p' }, credential).settle(401);
      latchkey.capture({ session: 's', provider: 'p' }, LIVE);
      latchkey.capture({ session: 't', provider: 'p' }, LIVE);
      // This one is blocked: what it holds is refused to it, and what it might borrow too.
      latchkey.capture({ tenant: 'u', session: 'v', provider: 'p' }, OTHER).settle(401);

      const events: unknown[] = [];
      latchkey.on('captured', (event) => events.push(event));
      latchkey.on('resumed', (event) => events.push(event));
      let ran = 0;
      const parked = latchkey.run({ tenant: 'u', session: 'v', provider: 'p' }, () => ++ran, { whenBlocked: 'park' });
      parked.catch(() => {});

      const later: (() => void)[] = [];
      for (const { session, dead, how } of presentations) {
        const scope = { ...(session === undefined ? {} : { session }), provider: 'p' };
        const credential = DEAD[dead] as (typeof DEAD)[number];
        const capture = latchkey.capture(scope, credential, { provisional: how !== 'at once' });
        if (how === 'committed later') capture.commit();
        if (how === 'committed at the end') later.push(() => capture.commit());
        if (waitToo) latchkey.capture({ tenant: 'u', session: 'v', provider: 'p' }, OTHER);
        // A session-less presentation has the global slot only, and that is LIVE's.
        expect(capture.changed).toBe(false);
        expect(capture.usable).toBe(false);
        expectLive(latchkey);
      }
      for (const commit of later) commit();
      expectLive(latchkey);
      await settled(3);
      expect(events).toEqual([]);
      expect(ran).toBe(0);
      expect(latchkey.stats().waiting).toBe(1);
      await latchkey.close({ timeoutMs: 0 });
    }),
    CHECKED,
  );
});

function expectLive(latchkey: ReturnType<typeof createLatchkey>): void {
  for (const scope of [
    { session: 's', provider: 'p' },
    { session: 't', provider: 'p' },
    { session: 'cold', provider: 'p' },
    { provider: 'p' },
  ]) {
    const resolution = latchkey.resolve(scope);
    expect(resolution.ok && resolution.lease.credential.fingerprint).toBe(LIVE.fingerprint);
  }
}

const anyArrival = fc.record({ live: fc.boolean(), commitAt: fc.nat({ max: 12 }) });

it('L5: whatever order presentations are committed in, a live one that came is in the place, the newest of them', {
  timeout: LONG_MS,
}, () => {
  fc.assert(
    fc.property(fc.array(anyArrival, { minLength: 1, maxLength: 8 }), (arrivals) => {
      const latchkey = createLatchkey({ clock: manualClock(), canary: 'off', limits: { sessions: 10, identities: 20 } });
      const made = arrivals.map(({ live, commitAt }, index) => {
        const credential = bearer(`token-${index}`);
        if (!live) latchkey.capture({ tenant: 'elsewhere', session: 'd', provider: 'p' }, credential).settle(401);
        return {
          live,
          commitAt,
          credential,
          capture: latchkey.capture({ session: 's', provider: 'p' }, credential, { provisional: true }),
        };
      });
      for (const { capture } of [...made].sort((a, b) => a.commitAt - b.commitAt)) capture.commit();
      const newest = made.findLast(({ live }) => live);
      for (const scope of [{ session: 's', provider: 'p' }, { provider: 'p' }]) {
        const resolution = latchkey.resolve(scope);
        expect(resolution.ok ? resolution.lease.credential.fingerprint : undefined).toBe(newest?.credential.fingerprint);
      }
      void latchkey.close();
    }),
    CHECKED,
  );
});
