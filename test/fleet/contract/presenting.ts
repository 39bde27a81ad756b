import { expect, it } from 'vitest';
import { apiKey, bearer } from '../../../src/index.js';
import type { Start } from './contract.js';
import { leaseFor } from './fleet.js';

const A = bearer('value-a');
const B = bearer('value-b');

export function describePresenting(start: Start): void {
  it('a credential arrives as it was presented: scheme, header, value, expiry', async () => {
    const fleet = await start();
    const [a, b] = fleet.hands;
    const expiresAt = Date.now() + 3_600_000;
    await fleet.load('S', 'T');
    a.capture('S', bearer('a/token+with=odd~signs|:,', { expiresAt }));
    b.capture('T', apiKey('key-value', { header: 'x-goog-api-key', expiresAt }));
    await fleet.everywhere((latchkey) => {
      expect(leaseFor(latchkey, 'S').headers()).toEqual({ authorization: 'Bearer a/token+with=odd~signs|:,' });
      expect(leaseFor(latchkey, 'T').headers()).toEqual({ 'x-goog-api-key': 'key-value' });
      for (const session of ['S', 'T']) expect(leaseFor(latchkey, session).credential.expiresAt).toBe(expiresAt);
    });
  });

  it('case 10: a fresh credential frees its session everywhere, whoever it is presented to', async () => {
    const fleet = await start();
    const [a, b, c, d] = fleet.hands;
    await fleet.load('S');
    a.capture('S', A);
    await fleet.shows(['S', 'value-a']);
    leaseFor(b, 'S').settle(401);
    await fleet.shows(['S', 'rejected']);
    const capture = c.capture('S', B);
    expect(capture).toMatchObject({ changed: true, usable: true });
    await fleet.shows(['S', 'value-b']);
    leaseFor(d, 'S').settle(200);
    await fleet.shows(['S', 'value-b']);
  });

  it('case 11: a dead one presented again, fifty times and everywhere, frees nothing', async () => {
    const fleet = await start();
    await fleet.load('S');
    fleet.hands[0].capture('S', A).settle(401);
    await fleet.shows(['S', 'rejected']);
    for (let time = 0; time < 50; time++) expect(fleet.hands[time % 4]?.capture('S', A)).toMatchObject({ changed: false, usable: false });
    await fleet.shows(['S', 'rejected']);
    // To a session that is new, too.
    await fleet.load('T');
    expect(fleet.hands[3].capture('T', A).usable).toBe(false);
    await fleet.shows(['S', 'rejected'], ['T', 'rejected']);
  });

  it('case 11: a live one presented again changes nothing, and nobody is told', async () => {
    const fleet = await start();
    await fleet.load('S');
    fleet.hands[0].capture('S', A);
    await fleet.shows(['S', 'value-a']);
    let told = 0;
    for (const latchkey of fleet.latchkeys) latchkey.on('captured', ({ scope }) => void (scope.session === 'S' && told++));
    for (let time = 0; time < 12; time++) expect(fleet.hands[time % 4]?.capture('S', A)).toMatchObject({ changed: false, usable: true });
    await fleet.shows(['S', 'value-a']);
    expect(told).toBe(0);
  });

  it('a capture is told once by each process', async () => {
    const fleet = await start();
    await fleet.load('S');
    const told = fleet.latchkeys.map((latchkey) => {
      const fingerprints: string[] = [];
      latchkey.on('captured', ({ scope, fingerprint }) => void (scope.session === 'S' && fingerprints.push(fingerprint)));
      return fingerprints;
    });
    fleet.hands[1].capture('S', A);
    await fleet.shows(['S', 'value-a']);
    for (const fingerprints of told) expect(fingerprints).toEqual([A.fingerprint]);
  });

  it('case 12: a second device that presents a dead one displaces nothing that lives', async () => {
    const fleet = await start();
    const [a, b, c] = fleet.hands;
    await fleet.load('S');
    a.capture('S', A).settle(401);
    await fleet.shows(['S', 'rejected']);
    b.capture('S', B);
    await fleet.shows(['S', 'value-b']);
    expect(c.capture('S', A)).toMatchObject({ changed: false, usable: false });
    await fleet.shows(['S', 'value-b'], [{}, 'value-b']);
  });

  it('case 12: nor if it died where nobody else was looking', async () => {
    const fleet = await start();
    const [a, b, c] = fleet.hands;
    await fleet.load('S');
    a.capture({ tenant: 'another', session: 'S' }, A).settle(401);
    await fleet.arrived();
    a.evict({ tenant: 'another' });
    b.capture('S', B);
    await fleet.shows(['S', 'value-b']);
    c.capture('S', A);
    await fleet.shows(['S', 'value-b'], [{}, 'value-b']);
    expect(c.capture('S', A).usable).toBe(false);
  });

  it('the newest of two living ones stays, whoever heard of it first', async () => {
    const fleet = await start();
    await fleet.load('S');
    for (let round = 0; round < 4; round++) {
      for (const [index, latchkey] of fleet.hands.entries()) latchkey.capture('S', bearer(`value-${round}-${index}`));
      await fleet.agree();
    }
    const values = new Set(fleet.latchkeys.map((latchkey) => leaseFor(latchkey, 'S').credential.reveal()));
    expect(values.size).toBe(1);
    expect([...values][0]).toMatch(/^value-3-/);
  });

  it('case 17: a provisional capture is seen by nobody until it is committed', async () => {
    const fleet = await start();
    await fleet.load('S', {});
    const capture = fleet.hands[1].capture('S', A, { provisional: true });
    await fleet.shows(['S', 'missing'], [{}, 'missing']);
    capture.commit();
    await fleet.shows(['S', 'value-a'], [{}, 'value-a']);
  });

  it('case 17: discarded it never is; its verdict counts all the same', async () => {
    const fleet = await start();
    const [a, b] = fleet.hands;
    await fleet.load('S');
    const capture = a.capture('S', A, { provisional: true });
    capture.settle(401);
    capture.discard();
    await fleet.shows(['S', 'missing']);
    b.capture('S', A);
    await fleet.shows(['S', 'rejected']);
  });

  it('case 17: an older turn that commits late overwrites no newer one of another process', async () => {
    const fleet = await start();
    const [a, b] = fleet.hands;
    await fleet.load('S', {});
    const older = a.capture('S', A, { provisional: true });
    await fleet.agree();
    b.capture('S', B);
    await fleet.shows(['S', 'value-b']);
    older.commit();
    await fleet.shows(['S', 'value-b'], [{}, 'value-b']);
  });

  it('case 17: nor if the newer one is not heard of yet', async () => {
    const fleet = await start();
    const [a, b] = fleet.hands;
    await fleet.load('S', {});
    const older = a.capture('S', A, { provisional: true });
    await fleet.agree();
    b.capture('S', B);
    older.commit();
    await fleet.shows(['S', 'value-b'], [{}, 'value-b']);
  });

  it('case 17: committed after its session was evicted elsewhere it installs nothing', async () => {
    const fleet = await start();
    const [a, b] = fleet.hands;
    await fleet.load('S');
    const late = a.capture('S', A, { provisional: true });
    await fleet.agree();
    b.evict('S');
    await fleet.agree();
    late.commit();
    await fleet.shows(['S', 'missing']);
  });
}
