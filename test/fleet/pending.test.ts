import { describe, expect, it } from 'vitest';
import type { Presented } from '../../src/fleet/change-writer.js';
import { Following } from '../../src/fleet/following.js';
import { Names } from '../../src/fleet/names.js';
import { Pending } from '../../src/fleet/pending.js';
import { Identity } from '../../src/ledger/verdicts.js';

const [A, B, C] = ['a', 'b', 'c'].map((name) => new Identity(undefined, name.repeat(16))) as [Identity, Identity, Identity];

describe('what is to be told of one slot', () => {
  const names = new Names(new Uint8Array(32), 'test');
  const session = new Following(names, () => {}).follow({ tenant: undefined, session: 'S', purpose: undefined });

  function presented(identity: Identity, at: number, instead?: Identity): Presented {
    return { session, provider: undefined, identity, at, captured: 0, instead };
  }

  /** After these, in this order, of which the first `lost` were sent in vain. */
  function told(all: readonly Presented[], lost = 0): Pick<Presented, 'identity' | 'at' | 'instead'>[] {
    const pending = new Pending(names);
    for (const one of all.slice(0, lost)) pending.presented(one);
    const batch = pending.take(10);
    for (const one of all.slice(lost)) pending.presented(one);
    pending.putBack(batch);
    return [...pending.take(10).presented.values()].map(({ identity, at, instead }) => ({ identity, at, instead }));
  }

  it('is what a refresh brought, in place of what the store has', () => {
    expect(told([presented(B, 20, A)])).toEqual([{ identity: B, at: 20, instead: A }]);
    expect(told([presented(B, 20, A), presented(C, 30, B)])).toEqual([{ identity: C, at: 30, instead: A }]);
    expect(told([presented(B, 20, A), presented(C, 20, B)])).toEqual([{ identity: C, at: 20, instead: A }]);
  });

  it('is as if it had been presented where the store has not heard of what it replaces', () => {
    expect(told([presented(A, 10), presented(B, 20, A)])).toEqual([{ identity: B, at: 20, instead: undefined }]);
    expect(told([presented(A, 10), presented(B, 20, A), presented(C, 30, B)])).toEqual([{ identity: C, at: 30, instead: undefined }]);
  });

  it('is what was presented after that', () => {
    expect(told([presented(B, 20, A), presented(C, 30)])).toEqual([{ identity: C, at: 30, instead: undefined }]);
    expect(told([presented(C, 30), presented(B, 20, A)])).toEqual([{ identity: C, at: 30, instead: undefined }]);
  });

  it('is the same where some of it was sent, and did not arrive', () => {
    expect(told([presented(A, 10), presented(B, 20, A)], 1)).toEqual([{ identity: B, at: 20, instead: undefined }]);
    expect(told([presented(B, 20, A), presented(C, 30, B)], 1)).toEqual([{ identity: C, at: 30, instead: A }]);
  });
});
