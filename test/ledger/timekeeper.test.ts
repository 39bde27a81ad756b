import { describe, expect, it } from 'vitest';
import { bearer } from '../../src/credential/credential.js';
import { Timekeeper } from '../../src/ledger/timekeeper.js';
import { bareLedger, callOf } from '../support/bare-ledger.js';
import { START } from '../support/clock.js';

const HOUR = 3_600_000;
const SETTINGS = { jwt: true, advisoryMs: 0, mandatoryMs: 0, jitterMs: 0 };

function world(header?: string) {
  const { ledger, clock, present } = bareLedger({ expiry: SETTINGS });
  const identity = present('s', bearer('token-a'));
  const timekeeper = new Timekeeper(ledger, clock, header);
  /** Answers say this, often enough to be believed. */
  const note = (...answers: unknown[]): void => {
    for (const answer of answers) timekeeper.note(callOf(identity, 's', ledger.sequence.next()), answer);
  };
  const aheadMs = (): number => ledger.hints.clocks.of('p').aheadMs;
  const ahead = { date: new Date(START + HOUR).toUTCString() };
  return { clock, identity, note, aheadMs, ahead };
}

const thrice = <T>(one: T): T[] => [one, one, one];

describe('the clock of an upstream', () => {
  it.each([undefined, 'x-expires'])('is learnt from answers, whatever else they are looked at for (%s)', (header) => {
    const { note, aheadMs, ahead } = world(header);
    note(...thrice({ status: 200, headers: ahead }));
    expect(aheadMs()).toBe(HOUR + 500);
  });

  it.each([
    ['that a cache kept', { age: '10' }],
    ['without a date', { date: undefined }],
    ['with a date that is none', { date: 'soon' }],
  ])('is not learnt from answers %s', (_, headers) => {
    const { note, aheadMs, ahead } = world();
    note(...thrice({ status: 200, headers: { ...ahead, ...headers } }));
    expect(aheadMs()).toBe(0);
  });

  it.each([[undefined], [null], [200], ['200'], [{}], [{ headers: null }]])('is not learnt from %o', (answer) => {
    const { note, aheadMs, identity } = world('x-expires');
    note(...thrice(answer));
    expect([aheadMs(), identity.hinted]).toEqual([0, undefined]);
  });

  it('is not relied upon once nothing has been heard of it for more than an hour', () => {
    const { clock, note, aheadMs, ahead } = world();
    note(...thrice({ status: 200, headers: ahead }));
    clock.advance(HOUR);
    expect(aheadMs()).toBe(HOUR + 500);
    clock.advance(1);
    expect(aheadMs()).toBe(0);
  });

  it('once known, answers are looked at again after a while only', () => {
    const { clock, note, ahead } = world();
    let looks = 0;
    const answer = {
      get headers() {
        looks++;
        return ahead;
      },
    };
    note(...Array.from({ length: 20 }, () => answer));
    expect(looks).toBe(8);
    clock.advance(9_999);
    note(answer);
    expect(looks).toBe(8);
    clock.advance(1);
    note(answer);
    expect(looks).toBe(9);
  });
});

describe('the end of a credential', () => {
  it('is read of every answer that has the header, and of no other header', () => {
    const { note, identity } = world('x-expires');
    const answers = Array.from({ length: 20 }, (_, n) => ({ headers: { 'x-expires': String(60 + n) } }));
    note({ headers: { 'x-other': '60' } });
    expect(identity.hinted).toBeUndefined();
    note(...answers);
    expect(identity.expiresAt).toBe(START + 79_000);
    note({ headers: { 'x-expires': 'soon' } }, { headers: {} });
    expect(identity.expiresAt).toBe(START + 79_000);
  });

  it('is not read where nobody said which header tells it', () => {
    const { note, identity } = world();
    note({ headers: { 'x-expires': '60', undefined: '60' } });
    expect(identity.hinted).toBeUndefined();
  });
});
