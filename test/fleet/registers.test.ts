import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HybridClock } from '../../src/fleet/hybrid-clock.js';
import { adoptRegisters, registersOf } from '../../src/fleet/registers.js';
import { Wall } from '../../src/fleet/wall.js';
import { Hints } from '../../src/ledger/hints.js';
import { Identity } from '../../src/ledger/verdicts.js';
import { manualClock, START } from '../support/clock.js';

const WINDOWS = { jwt: true, advisoryMs: 0, mandatoryMs: 0, jitterMs: 0 };
const NOW = HybridClock.at(START);

/** A process with one identity in its memory. */
function process(heeds = true) {
  const wall = new Wall(manualClock(), 0);
  const hints = new Hints(heeds ? WINDOWS : undefined, () => START);
  const identity = new Identity('p', '0123456789abcdef');
  const scopes = {
    nameOf: (key: string) => key,
    keyOf: (name: string) => name,
    nameOfTenant: (tenant: string | undefined) => `name-of-${tenant}`,
    tenant: (name: string) => (name.startsWith('name-of-') ? { tenant: name.slice('name-of-'.length) } : undefined),
  };
  const unknown: string[] = [];
  const write = (): Record<string, string> => Object.fromEntries(registersOf(identity, scopes, wall));
  const hint = (expiresAt: number, at: number, byUpstream: boolean): void =>
    identity.hint(hints.make(identity, { expiresAt, at, byUpstream }, START));
  const adopt = (fields: Readonly<Record<string, string>>): boolean =>
    adoptRegisters(
      identity,
      fields,
      scopes,
      wall,
      (name) => void unknown.push(name),
      (given) => hint(given.expiresAt, given.at, given.byUpstream),
    );
  return { identity, write, adopt, hint, unknown };
}

const rejection = (sent: number, probes: number) =>
  ({ state: 'rejected', reach: 'identity', sent, passed: sent, since: START, status: 401, probes }) as const;
const refusal = (at: number, code = 'invalid_grant') => ({ at, until: undefined, status: 400, code });
const pause = (at: number) => ({ at, until: START + 60_000, status: undefined, code: undefined });

describe('what a record says of an identity', () => {
  it('is how many probes have failed, too', () => {
    const [one, two] = [process(), process()];
    one.identity.judge(rejection(NOW, 3));
    expect(two.adopt(one.write())).toBe(true);
    expect(two.identity.ruling).toEqual(rejection(NOW, 3));
    expect(two.write()).toEqual(one.write());
    expect(two.adopt(one.write())).toBe(false);
  });

  it('is as it was before where none has failed', () => {
    const one = process();
    one.identity.judge(rejection(NOW, 0));
    expect(one.write()['r']).toBe(`${HybridClock.stamp(NOW)}2${START},${NOW},401`);
    const two = process();
    two.adopt(one.write());
    expect(two.identity.ruling).toEqual(rejection(NOW, 0));
  });

  it('is that it is not refreshed any more for a tenant, for good or for a while', () => {
    const [one, two] = [process(), process()];
    one.identity.endRefresh('T', pause(NOW));
    expect(one.write()).toEqual({ 'w.name-of-T': `${HybridClock.stamp(NOW)}|${START + 60_000}` });
    expect(two.adopt(one.write())).toBe(true);
    expect(two.identity.unrefreshable('T')).toEqual(pause(NOW));
    expect(two.identity.unrefreshable('another')).toBeUndefined();
    one.identity.endRefresh('T', refusal(NOW + 1));
    expect(one.write()).toEqual({ 'u.name-of-T': `${HybridClock.stamp(NOW + 1)}|400|invalid_grant` });
    two.identity.endRefresh('T', pause(NOW + 2));
    expect(two.adopt(one.write())).toBe(true);
    expect(two.identity.unrefreshable('T')).toEqual(refusal(NOW + 1));
    expect(two.adopt(one.write())).toBe(false);
    two.identity.endRefresh('T', pause(NOW + 3));
    expect(two.identity.unrefreshable('T')).toEqual(refusal(NOW + 1));
  });

  it('is not that what a refresh has just brought rests: each process knows that by itself', () => {
    const one = process();
    one.identity.endRefresh('T', { ...pause(NOW), restMs: 60_000 });
    expect(one.write()).toEqual({});
  });

  it('is nothing about a tenant that is not known here, until it is', () => {
    const [one, two] = [process(), process()];
    one.identity.endRefresh('T', refusal(NOW));
    const [[, text = ''] = []] = Object.entries(one.write());
    expect(two.adopt({ 'u.elsewhere': text })).toBe(false);
    expect(two.unknown).toEqual(['elsewhere']);
    expect(two.write()).toEqual({});
  });

  it('is nothing that was forgiven since', () => {
    const [one, two] = [process(), process()];
    one.identity.endRefresh('T', refusal(NOW));
    two.identity.forgive(NOW + 1);
    expect(two.adopt(one.write())).toBe(false);
    expect(two.identity.unrefreshable('T')).toBeUndefined();
    const three = process();
    three.adopt({ ...one.write(), ...two.write() });
    expect(three.identity.unrefreshable('T')).toBeUndefined();
    one.adopt(two.write());
    expect(one.identity.unrefreshable('T')).toBeUndefined();
    one.identity.endRefresh('T', refusal(NOW + 2));
    expect(two.adopt(one.write())).toBe(true);
  });

  it('is a code only if that is a word', () => {
    const [one, two] = [process(), process()];
    one.identity.endRefresh('T', refusal(NOW, 'no: Bearer sk-secret|'));
    expect(one.write()['u.name-of-T']).toBe(`${HybridClock.stamp(NOW)}|400|`);
    two.adopt({ 'u.name-of-T': `${HybridClock.stamp(NOW)}|400|no: sk-secret` });
    expect(two.identity.unrefreshable('T')).toEqual({ at: NOW, until: undefined, status: 400, code: undefined });
  });

  it('is whose clock an expiry is by', () => {
    const [one, two] = [process(), process()];
    one.hint(START + 60_000, NOW, true);
    expect(one.write()['h']).toBe(`${HybridClock.stamp(NOW)}|${START + 60_000}u`);
    expect(two.adopt(one.write())).toBe(true);
    expect(two.identity.hinted).toMatchObject({ expiresAt: START + 60_000, at: NOW, clock: { aheadMs: 0 } });
    one.hint(START + 50_000, NOW + 1, false);
    expect(one.write()['h']).toBe(`${HybridClock.stamp(NOW + 1)}|${START + 50_000}`);
    two.adopt(one.write());
    expect(two.identity.hinted).toMatchObject({ expiresAt: START + 50_000, clock: undefined });
  });

  it('is understood where expiries are no matter', () => {
    const [one, plain] = [process(), process(false)];
    one.hint(START + 60_000, NOW, true);
    plain.adopt(one.write());
    expect(plain.identity.hinted).toMatchObject({ expiresAt: START + 60_000, clock: undefined });
    // And what that one would write is not the greater text: nobody is told otherwise again and again.
    expect((plain.write()['h'] ?? '') < (one.write()['h'] ?? '')).toBe(true);
  });

  it('is the same in the end, whatever the order in which it comes, and however often', () => {
    const text = fc.tuple(
      fc.nat(20).map((number) => HybridClock.stamp(NOW + number)),
      fc.constantFrom(
        ['r', `2${START},${NOW},401`],
        ['r', `2${START},${NOW},401,2`],
        ['r', `0${START},0`],
        ['f', ''],
        ['u', '|400|invalid_grant'],
        ['u', '|401|'],
        ['h', `|${START + 1_000}`],
        ['h', `|${START + 2_000}u`],
      ),
    );
    fc.assert(
      fc.property(fc.uniqueArray(text, { maxLength: 8, selector: ([stamp]) => stamp }), fc.infiniteStream(fc.nat()), (texts, order) => {
        const all = texts.map(([stamp, [field = '', rest = '']]) => ({ field, text: stamp + rest }));
        const shuffled = all.map((one) => ({ one, key: order.next().value ?? 0 })).sort((a, b) => a.key - b.key);
        // A record comes as a whole.
        const heard = (order: typeof all): Record<string, string> => {
          const [{ adopt, write }, record]: [ReturnType<typeof process>, Record<string, string>] = [process(), {}];
          for (const { field, text: own } of order) {
            if (own > (record[field] ?? '')) record[field] = own;
            adopt(record);
          }
          return write();
        };
        const mixed = shuffled.map(({ one }) => one);
        expect(heard([...mixed, ...mixed])).toEqual(heard(all));
      }),
      { numRuns: 500 },
    );
  });
});
