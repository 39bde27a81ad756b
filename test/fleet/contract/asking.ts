import { expect, it } from 'vitest';
import { bearer, type Latchkey, type Scope } from '../../../src/index.js';
import type { Start } from './contract.js';
import { type ContractFleet, leaseFor } from './fleet.js';

const A = bearer('value-a');
const B = bearer('value-b');
const SCOPES: readonly Scope[] = ['S', 'T', { session: 'S', purpose: 'warming' }, { session: 'S', provider: 'P' }, { provider: 'P' }, {}];

async function varied(start: Start): Promise<ContractFleet> {
  const fleet = await start();
  const [a, b, c, d] = fleet.hands;
  await fleet.load(...SCOPES);
  a.capture('S', A);
  b.capture('T', A);
  c.pin({ provider: 'P' }, B);
  await fleet.agree();
  leaseFor(d, { session: 'S', purpose: 'warming' }).settle(403);
  leaseFor(a, { provider: 'P' }).settle({ holdMs: 60_000, reason: 'quota' });
  await fleet.agree();
  leaseFor(b, 'T').settle(401);
  await fleet.agree();
  return fleet;
}

export function describeAsking(start: Start): void {
  it('L9: asking changes nothing, anywhere', async () => {
    const fleet = await varied(start);
    const state = (latchkey: Latchkey) => ({ ...latchkey.snapshot(), at: 0, stats: latchkey.stats() });
    const before = fleet.latchkeys.map(state);
    for (const latchkey of fleet.latchkeys) {
      for (const scope of [...SCOPES, 'unheard of', { tenant: 'unheard of', session: 'S' }]) {
        const { ok } = latchkey.resolve(scope);
        expect(latchkey.canRun(scope)).toBe(ok);
        expect(latchkey.explain(scope).ok).toBe(ok);
        latchkey.isLoaded(scope);
      }
      latchkey.stats();
      latchkey.snapshot();
    }
    expect(fleet.latchkeys.map(state)).toEqual(before);
    await fleet.agree();
    const slotsOf = ({ slots }: { slots: readonly { scope: { tenant?: string | undefined } }[] }) =>
      slots.filter(({ scope }) => scope.tenant === undefined);
    expect(fleet.latchkeys.map((latchkey) => slotsOf(latchkey.snapshot()))).toEqual(before.map(slotsOf));
  });

  it('case 31: everybody explains alike: by fingerprint, why not, since when, and what would unblock', async () => {
    const fleet = await varied(start);
    const printed = SCOPES.map((scope) => fleet.hands[0].explain(scope).toString());
    for (const latchkey of fleet.latchkeys) {
      expect(SCOPES.map((scope) => latchkey.explain(scope).toString())).toEqual(printed);
      expect(latchkey.explain('S')).toMatchObject({
        ok: false,
        reason: 'rejected',
        candidates: [{ source: 'session', fingerprint: A.fingerprint, reason: 'rejected', status: 401, since: expect.any(Number) }],
      });
      expect(latchkey.explain({ provider: 'P' })).toMatchObject({
        ok: false,
        reason: 'held',
        candidates: [{ source: 'pinned', fingerprint: B.fingerprint, reason: 'held', until: expect.any(Number) }],
      });
    }
  });

  it('everybody’s snapshot holds the same slots and verdicts, with reasons and times, and no value', async () => {
    const fleet = await varied(start);
    for (const latchkey of fleet.latchkeys) {
      const { slots, verdicts } = latchkey.snapshot();
      expect(slots.filter(({ scope }) => scope.tenant === undefined)).toHaveLength(4);
      expect(verdicts).toContainEqual({
        fingerprint: A.fingerprint,
        verdict: expect.objectContaining({ state: 'rejected', status: 401 }),
        scopes: [{ scope: { session: 'S', purpose: 'warming' }, verdict: expect.objectContaining({ state: 'rejected', status: 403 }) }],
      });
      expect(verdicts).toContainEqual({
        provider: 'P',
        fingerprint: B.fingerprint,
        verdict: expect.objectContaining({ state: 'held', reason: 'quota' }),
        scopes: [],
      });
      expect(JSON.stringify([slots, verdicts])).not.toMatch(/value-[ab]/);
    }
  });
}
