import { expect } from 'vitest';
import type { Feed } from '../../src/operator/feed.js';
import type { FeedMessage, FeedMessages, IncidentRow, ScopeRow, TimelineEntry } from '../../src/operator/messages.js';
import type { Stats } from '../../src/stats.js';

/** What a page knows, kept as a page keeps it: by the messages alone, as they arrive on a wire. */
export class PageCopy {
  readonly heard: FeedMessage['event'][] = [];
  readonly rows = new Map<string, ScopeRow>();
  incidents: readonly IncidentRow[] = [];
  stats: Stats | undefined;
  readonly entries: TimelineEntry[] = [];
  readonly stop: () => void;

  constructor(feed: Feed, sent?: (message: FeedMessage) => void) {
    this.stop = feed.subscribe('page', (message) => {
      this.#take(JSON.parse(JSON.stringify(message)) as FeedMessage);
      sent?.(message);
    });
  }

  /** What it has heard since the last time. */
  news(): FeedMessage['event'][] {
    return this.heard.splice(0);
  }

  #take({ event, data }: FeedMessage): void {
    this.heard.push(event);
    switch (event) {
      case 'state':
        expect(this.stats).toBeUndefined();
        this.#put((data as FeedMessages['state']).rows);
        this.entries.push(...data.timeline);
        ({ incidents: this.incidents, stats: this.stats } = data);
        return;
      case 'rows':
        // Nothing is told that is known already, and nothing removed that was never there.
        for (const row of data.changed) expect(this.rows.get(row.key)).not.toEqual(row);
        for (const key of data.removed) expect(this.rows.delete(key)).toBe(true);
        this.#put(data.changed);
        return;
      case 'incidents':
        expect(this.incidents).not.toEqual(data);
        this.incidents = data;
        return;
      case 'stats':
        expect(this.stats).not.toEqual(data);
        this.stats = data;
        return;
      case 'entry':
        this.entries.push(data);
    }
  }

  #put(rows: readonly ScopeRow[]): void {
    for (const row of rows) this.rows.set(row.key, row);
  }
}
