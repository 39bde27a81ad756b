import { PassThrough, Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey } from '../../src/index.js';
import { drain, peekBody } from '../../src/worker/response.js';
import { watch } from '../support/attempts.js';
import { freezeTime, settled } from '../support/clock.js';

beforeEach(freezeTime);
afterEach(() => void vi.useRealTimers());

const KIB = 1024;
const MOST_PEEKED = 16 * KIB;
const MOST_DRAINED = 64 * KIB;
const LONGEST_MS = 1_000;

/** An answer as clients give it whose body is a Node stream: cloning splits that, and neither half goes on unless both are read. */
class NodeAnswer {
  readonly headers = {};
  readonly bodyUsed = false;
  readonly status: number;
  clones = 0;
  body: Readable;

  constructor(status: number, body: Readable) {
    this.status = status;
    this.body = body;
  }

  clone(): NodeAnswer {
    this.clones++;
    const [mine, its] = [new PassThrough(), new PassThrough()];
    this.body.pipe(mine);
    this.body.pipe(its);
    this.body = mine;
    return new NodeAnswer(this.status, its);
  }
}

/** Far more than any stream buffers. */
const LONG = Array.from({ length: 100 }, () => Buffer.alloc(4 * KIB, 'x'));

async function lengthOf(stream: Readable): Promise<number> {
  let bytes = 0;
  for await (const chunk of stream) bytes += (chunk as Buffer).length;
  return bytes;
}

/** A stream of empty chunks, which ends by itself only after far more of them than anybody should read. */
function emptyChunks(): { stream: ReadableStream<Uint8Array>; given: () => number } {
  let given = 0;
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (given === 2 * MOST_DRAINED) return controller.close();
        given++;
        controller.enqueue(new Uint8Array(0));
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, given: () => given };
}

/** A reader that gives nothing, and whose `cancel` is of no use. */
function deaf(cancel: () => unknown) {
  const body = { locked: false, getReader: () => ({ read: () => new Promise<never>(() => {}), cancel }) };
  return { status: 401, headers: {}, bodyUsed: false, body, clone: () => ({ body }) };
}

describe('an answer whose body is a Node stream', () => {
  it.each([400, 401, 403])('is not cloned to look into a %i', async (status) => {
    const answer = new NodeAnswer(status, Readable.from(LONG));
    expect(await peekBody(answer)).toBeUndefined();
    expect(answer.clones).toBe(0);
  });

  it.each([400, 403])('comes back from a run whole, with a %i', async (status) => {
    const latchkey = createLatchkey();
    latchkey.capture('s', bearer('token-a'));
    const answer = new NodeAnswer(status, Readable.from(LONG));
    await expect(latchkey.run('s', () => answer, { rejected: 'return' })).resolves.toBe(answer);
    const read = watch(lengthOf(answer.body));
    await settled(300);
    expect(read).toMatchObject({ state: 'resolved', value: 400 * KIB });
  });
});

describe('a body that does not end as bodies do', () => {
  it('a Node stream that never says that it has closed: too long, it is given up', async () => {
    const body = new Readable({
      emitClose: false,
      read() {
        this.push(Buffer.alloc(MOST_DRAINED));
      },
    });
    const end = watch(drain({ body }));
    await settled();
    expect(end.state).toBe('resolved');
    expect(body.destroyed).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('a Node stream that never says that it has closed: too slow, it is given up', async () => {
    const body = new Readable({ emitClose: false, read() {} });
    const end = watch(drain({ body }));
    await vi.advanceTimersByTimeAsync(LONGEST_MS - 1);
    expect(end.state).toBe('pending');
    await vi.advanceTimersByTimeAsync(1);
    expect(end.state).toBe('resolved');
    expect(body.destroyed).toBe(true);
  });

  it.each<[string, () => unknown]>([
    ['gives no promise', () => undefined],
    ['throws', () => raise('cancel')],
    ['rejects', () => Promise.reject(new Error('cancel'))],
    ['never ends', () => new Promise(() => {})],
  ])('a reader that goes on waiting, with a `cancel` that %s', async (_, cancel) => {
    const ends = [watch(drain(deaf(cancel))), watch(peekBody(deaf(cancel)))];
    await vi.advanceTimersByTimeAsync(LONGEST_MS - 1);
    expect(ends.map(({ state }) => state)).toEqual(['pending', 'pending']);
    await vi.advanceTimersByTimeAsync(1);
    expect(ends.map(({ state }) => state)).toEqual(['resolved', 'resolved']);
    expect(ends[1]?.value).toBe('');
  });

  it('a run whose rejected answer is such a one still makes its auth retry', async () => {
    const latchkey = createLatchkey({ canary: 'off' });
    latchkey.capture('s', bearer('token-a'));
    latchkey.capture('other', bearer('token-g'));
    const run = watch(latchkey.run('s', ({ credential }) => (credential.reveal() === 'token-a' ? deaf(() => undefined) : 'ok')));
    await vi.advanceTimersByTimeAsync(2 * LONGEST_MS);
    expect(run).toMatchObject({ state: 'resolved', value: 'ok' });
    expect(latchkey.stats().running).toBe(0);
  });

  it('a stream of nothing but empty chunks is read only so far', async () => {
    const peeked = emptyChunks();
    expect(await peekBody(new Response(peeked.stream))).toBe('');
    // A clone reads one chunk ahead.
    expect(peeked.given()).toBeLessThanOrEqual(MOST_PEEKED + 1);
    const drained = emptyChunks();
    await drain({ body: drained.stream });
    expect(drained.given()).toBeLessThanOrEqual(MOST_DRAINED + 1);
  });
});

function raise(message: string): never {
  throw new Error(message);
}
