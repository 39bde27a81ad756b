import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { bearer, createLatchkey } from '../../src/index.js';
import { type StreamSink, streamFeed } from '../../src/operator/event-stream.js';
import { createFeed, type Feed } from '../../src/operator/feed.js';
import { scopeRows } from '../../src/operator/rows.js';
import { freezeTime } from '../support/clock.js';
import { secretsIn } from '../support/secret-forms.js';

const A = bearer('stream-secret-a');

afterEach(() => void vi.useRealTimers());

interface Told {
  readonly event: string;
  readonly data: string;
}

/** What a browser makes of an event stream: the rules of the HTML standard for lines and fields. */
function parse(text: string): { told: Told[]; retry: number | undefined; comments: number } {
  const told: Told[] = [];
  let retry: number | undefined;
  let comments = 0;
  let event = '';
  let data: string[] = [];
  for (const line of text.split(/\r\n|\n|\r/)) {
    const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (line === '') {
      if (data.length > 0) told.push({ event: event || 'message', data: data.join('\n') });
      event = '';
      data = [];
    } else if (line.startsWith(':')) comments++;
    else if (field === 'event') event = value;
    else if (field === 'data') data.push(value);
    else if (field === 'retry' && /^\d+$/.test(value)) retry = Number(value);
    else throw new Error(`a browser ignores the line ${line}`);
  }
  return { told, retry, comments };
}

class Sink implements StreamSink {
  text = '';
  pendingBytes = 0;
  ends = 0;
  cuts = 0;
  write(text: string): void {
    if (this.ends + this.cuts > 0) throw new Error('write after end');
    this.text += text;
  }
  end(): void {
    this.ends++;
  }
  cut(): void {
    this.cuts++;
  }
}

function started(options?: Parameters<typeof streamFeed>[3]): {
  latchkey: ReturnType<typeof createLatchkey>;
  feed: Feed;
  sink: Sink;
  stop: () => void;
} {
  freezeTime();
  const latchkey = createLatchkey();
  const feed = createFeed(latchkey);
  const sink = new Sink();
  return { latchkey, feed, sink, stop: streamFeed(feed, 'page', sink, options) };
}

describe('an event stream', () => {
  it('says first when to come back, and each message as one event that a browser understands', () => {
    const { latchkey, sink } = started();
    latchkey.capture({ session: 'a\nb\r\u2028: data: "\ud800' }, A);
    vi.advanceTimersByTime(1_500);
    expect(sink.text.startsWith('retry: 2000\n')).toBe(true);
    const { told, retry } = parse(sink.text);
    expect(retry).toBe(2_000);
    expect(told.map(({ event }) => event)).toEqual(['state', 'entry', 'rows', 'stats']);
    expect(JSON.parse(told[2]?.data ?? '').changed).toEqual(JSON.parse(JSON.stringify(scopeRows(latchkey))));
    expect(secretsIn(sink.text, ['stream-secret-a'])).toEqual([]);
  });

  it('keeps the connection open with a comment every 15 s, or as often as it is told', () => {
    for (const heartbeatMs of [undefined, 1_000]) {
      const { sink, stop } = started({ heartbeatMs });
      const period = heartbeatMs ?? 15_000;
      vi.advanceTimersByTime(period - 1);
      expect(parse(sink.text).comments).toBe(0);
      vi.advanceTimersByTime(1 + period);
      expect(parse(sink.text).comments).toBe(2);
      stop();
      stop();
      expect(vi.getTimerCount()).toBe(0);
      vi.advanceTimersByTime(10 * period);
      expect([parse(sink.text).comments, sink.ends]).toEqual([2, 1]);
      vi.useRealTimers();
    }
  });

  it('cuts off a listener that does not take what it is sent, and not for the size of all there is', () => {
    const { latchkey, feed, sink } = started({ mostPendingBytes: 100 });
    const state = sink.text.length;
    sink.pendingBytes = state;
    latchkey.capture('s', A);
    expect([sink.ends, sink.cuts]).toEqual([0, 0]);
    sink.pendingBytes = state + 100;
    latchkey.capture('t', A);
    expect([sink.ends, sink.cuts]).toEqual([0, 1]);
    const { text } = sink;
    latchkey.capture('u', A);
    vi.advanceTimersByTime(60_000);
    expect([sink.text, sink.ends, sink.cuts]).toEqual([text, 0, 1]);

    const timers = vi.getTimerCount();
    const late = new Sink();
    late.pendingBytes = 9 * 1_024 * 1_024;
    streamFeed(feed, 'page', late);
    expect([late.cuts, late.text, vi.getTimerCount()]).toEqual([1, 'retry: 2000\n\n', timers]);
    // Ended by what it is sent at once.
    const narrow = new Sink();
    Object.defineProperty(narrow, 'pendingBytes', { get: () => (narrow.text.includes('state') ? 9 * 1_024 * 1_024 : 0) });
    streamFeed(feed, 'page', narrow);
    expect([narrow.cuts, vi.getTimerCount()]).toEqual([1, timers]);
    const idle = new Sink();
    streamFeed(feed, 'timeline', idle);
    idle.pendingBytes = 9 * 1_024 * 1_024;
    vi.advanceTimersByTime(15_000);
    expect(idle.cuts).toBe(1);
  });

  it('ends when its time is over, and has a browser come back at once', () => {
    const { sink } = started({ lifeMs: 60_000, heartbeatMs: 1_000_000 });
    vi.advanceTimersByTime(59_999);
    expect([sink.ends, parse(sink.text).retry]).toEqual([0, 2_000]);
    vi.advanceTimersByTime(1);
    expect([sink.ends, sink.cuts, parse(sink.text).retry]).toEqual([1, 0, 250]);
    // The timeline of the feed has one for the pages that look, and nobody looks any more.
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is cut off when its time is over while something waits for a listener that takes nothing', () => {
    const { sink, stop } = started({ lifeMs: 60_000 });
    sink.pendingBytes = 1;
    vi.advanceTimersByTime(60_000);
    stop();
    expect([sink.ends, sink.cuts, parse(sink.text).retry]).toEqual([0, 1, 2_000]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is cut off, and tells why, if a message cannot be written or is too large for a text', () => {
    const failures: unknown[] = [];
    const { feed } = started();
    const tooLarge = new RangeError('Invalid string length');
    vi.spyOn(JSON, 'stringify').mockImplementationOnce(() => {
      throw tooLarge;
    });
    const sink = new Sink();
    streamFeed(feed, 'page', sink, { failed: (error) => failures.push(error) });
    vi.restoreAllMocks();
    expect([sink.text, sink.ends, sink.cuts]).toEqual(['retry: 2000\n\n', 0, 1]);
    expect(failures).toEqual([tooLarge]);
  });

  it('ends when the feed does, and when the sink fails', () => {
    const failures: unknown[] = [];
    const { latchkey, feed, sink } = started();
    const failing = new Sink();
    streamFeed(feed, 'timeline', failing, { failed: (error) => failures.push(error) });
    const gone = new Error('gone');
    failing.write = () => {
      throw gone;
    };
    failing.cut = () => {
      failing.cuts++;
      throw gone;
    };
    latchkey.capture('s', A);
    expect([failing.cuts, failing.ends, sink.ends]).toEqual([1, 0, 0]);
    expect(failures).toEqual([gone]);
    feed.close();
    expect([failing.cuts, failing.ends, sink.ends]).toEqual([1, 0, 1]);
    const late = new Sink();
    streamFeed(feed, 'page', late);
    expect(late.ends).toBe(1);
    vi.advanceTimersByTime(60_000);
    expect(late.text).toBe('retry: 2000\n\n');
  });
});

describe('over a real connection', () => {
  const sinkOf = (response: ServerResponse): StreamSink => ({
    write: (text) => void response.write(text),
    get pendingBytes() {
      return response.writableLength;
    },
    end: () => void response.end(),
    cut: () => void response.destroy(),
  });

  async function serve(use: (port: number, feed: Feed, latchkey: ReturnType<typeof createLatchkey>) => Promise<void>): Promise<void> {
    const latchkey = createLatchkey();
    const feed = createFeed(latchkey);
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.on('close', streamFeed(feed, 'timeline', sinkOf(response), { mostPendingBytes: 64 * 1_024 }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      await use((server.address() as AddressInfo).port, feed, latchkey);
    } finally {
      feed.close();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    }
  }

  it('what happens arrives, and the end of the feed is the end of the answer', () =>
    serve(async (port, feed, latchkey) => {
      const response = await fetch(`http://127.0.0.1:${port}/`);
      latchkey.capture('s', A);
      feed.close();
      const { told } = parse(await response.text());
      expect(told).toEqual([{ event: 'entry', data: expect.stringContaining(A.fingerprint) }]);
    }));
});
