import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey, type Latchkey, type ScopeParts } from '../../src/index.js';

const A = 'token-a';
const B = bearer('token-b');
let asked: ScopeParts[];
let isUp: boolean;
let latchkey: Latchkey;

function make(options: Parameters<typeof createLatchkey>[0] = {}): void {
  latchkey = createLatchkey({
    ...options,
    refresh: ({ scope }) => {
      asked.push(scope);
      if (isUp) return B;
      throw Object.assign(new Error('down'), { status: 503 });
    },
  });
}

beforeEach(() => {
  vi.useFakeTimers({ now: 1_800_000_000_000 });
  asked = [];
  isUp = false;
});

afterEach(async () => {
  await latchkey.close({ timeoutMs: 0 });
  vi.useRealTimers();
});

const reveal = ({ credential }: { credential: { reveal(): string } }): string => credential.reveal();

describe('a refresh that pauses', () => {
  it('is asked for anew once its credential is forgiven', async () => {
    make();
    latchkey.capture('s', bearer(A, { expiresAt: Date.now() + 1_000 }));
    await vi.advanceTimersByTimeAsync(1_000);
    await expect(latchkey.run('s', reveal)).rejects.toMatchObject({ code: 'AUTH_RETRYING' });
    isUp = true;
    await expect(latchkey.run('s', reveal)).rejects.toMatchObject({ code: 'AUTH_RETRYING' });
    expect(asked).toHaveLength(1);
    latchkey.forgive('s');
    await expect(latchkey.run('s', reveal)).resolves.toBe('token-b');
    expect(asked).toHaveLength(2);
  });

  it('goes on as it was if another is forgiven', async () => {
    make();
    latchkey.capture('s', bearer(A, { expiresAt: Date.now() + 1_000 }));
    latchkey.capture({ session: 'other', provider: 'p' }, bearer('another'));
    await vi.advanceTimersByTimeAsync(1_000);
    await expect(latchkey.run('s', reveal)).rejects.toMatchObject({ code: 'AUTH_RETRYING' });
    latchkey.forgive({ session: 'other', provider: 'p' });
    await expect(latchkey.run('s', reveal)).rejects.toMatchObject({ code: 'AUTH_RETRYING' });
    expect(asked).toHaveLength(1);
  });
});

describe('a lent credential', () => {
  it('is refreshed on behalf of the session that presented it, whoever works with it', async () => {
    isUp = true;
    make();
    latchkey.capture({ session: 'ada', provider: 'p' }, bearer(A, { expiresAt: Date.now() + 1_000 }));
    await vi.advanceTimersByTimeAsync(1_000);
    await latchkey.run({ session: 'bob', provider: 'p', purpose: 'warm' }, reveal);
    expect(asked).toEqual([{ session: 'ada', provider: 'p' }]);
  });

  it('of requests without a session is refreshed for none', async () => {
    isUp = true;
    make();
    latchkey.capture({ provider: 'p' }, bearer(A, { expiresAt: Date.now() + 1_000 }));
    await vi.advanceTimersByTimeAsync(1_000);
    await latchkey.run({ session: 'bob', provider: 'p' }, reveal);
    expect(asked).toEqual([{ provider: 'p' }]);
  });
});
