import type { Latchkey } from '../api.js';
import { type Clock, startTimer } from '../clock.js';
import { type Prepared, prepared } from './feed-text.js';
import type { FeedMessage, TimelineEntry } from './messages.js';
import { difference, readPicture, type Told } from './picture.js';
import { createTimeline, type Timeline } from './timeline.js';

/** `timeline`: entries as they happen. `page`: all that a page shows. */
export type FeedView = 'timeline' | 'page';

type Send = (message: FeedMessage, text: () => string) => void;

export interface Feed {
  /**
   * Tells a listener; returns how to stop. A page hears `state` first, before this returns. One whose `send` throws is told no more. `ended`: the feed has
   * ended it, because of that or because it is closed. `text` makes an event stream's form of the message, once for all listeners.
   */
  subscribe(view: FeedView, send: Send, ended?: () => void): () => void;
  /** Ends every subscription, and the timeline if it is the feed's own. */
  close(): void;
}

export interface FeedOptions {
  /** Whose entries are told; it is not closed with the feed. Default: one of its own. */
  readonly timeline?: Timeline | undefined;
  /** Where the time of the own timeline's entries is read. Default `Date`. */
  readonly clock?: Clock | undefined;
  /** Hears why pages are not told how things stand: once, until they are again. Default: nobody does. */
  readonly failed?: ((error: unknown) => void) | undefined;
}

/** Between two looks after something has happened, at the least. */
const PAUSE_MS = 250;
/** Holds, expiries and what other processes learn change rows without an event. */
const LOOK_EVERY_MS = 1_000;
/** A look is followed by a pause of so many times what it took: less than 5 % of the time is spent on it. */
const REST = 20;

interface Subscriber {
  readonly view: FeedView;
  readonly send: Send;
  readonly ended: (() => void) | undefined;
  /** A page that has had its `state`. */
  isTold: boolean;
}

/** Tells listeners what happens. Rows are worked out only while a page listens, once for all pages. */
export function createFeed(latchkey: Latchkey, { timeline: given, clock, failed }: FeedOptions = {}): Feed {
  const timeline = given ?? createTimeline(latchkey, { clock });
  const subscribers = new Set<Subscriber>();
  /** What every page has been told, as long as there is one. */
  let told: Told | undefined;
  let timer: { cancel(): void } | undefined;
  let restUntil = 0;
  let soon = false;
  let looking = false;
  let isFailing = false;
  let stopHearing: (() => void) | undefined;
  let closed = false;

  const pages = (): Subscriber[] => [...subscribers].filter(({ view }) => view === 'page');

  const drop = (subscriber: Subscriber): void => {
    if (!subscribers.delete(subscriber)) return;
    if (subscribers.size === 0) {
      stopHearing?.();
      stopHearing = undefined;
    }
    if (subscriber.view === 'page' && pages().length === 0) lookLater();
  };

  const end = (subscriber: Subscriber): void => {
    drop(subscriber);
    try {
      subscriber.ended?.();
    } catch {
      // It is over all the same.
    }
  };

  const tell = (subscriber: Subscriber, { message, text }: Prepared): void => {
    // One that was told before may have ended this one.
    if (!subscribers.has(subscriber)) return;
    try {
      subscriber.send(message, text);
    } catch {
      end(subscriber);
    }
  };

  const lookLater = (): void => {
    timer?.cancel();
    timer = undefined;
    if (pages().length === 0) {
      told = undefined;
      return;
    }
    const rest = restUntil - performance.now();
    timer = startTimer(soon ? rest : Math.max(rest, LOOK_EVERY_MS), look);
  };

  const hear = (entry: TimelineEntry): void => {
    // A page that one of them brings finds the entry in its `state`.
    const hearers = [...subscribers].filter(({ view, isTold }) => view === 'timeline' || isTold);
    const told = prepared({ event: 'entry', data: entry });
    for (const subscriber of hearers) tell(subscriber, told);
    if (soon) return;
    soon = true;
    lookLater();
  };

  /** Tells the pages what has changed, and those that are new everything. */
  const tellPages = (): void => {
    const next = difference(told, readPicture(latchkey), performance.now());
    told = next.told;
    const { at, rows, incidents, stats } = next.told;
    const news = next.messages.map(prepared);
    for (const page of pages()) {
      if (page.isTold) {
        for (const one of news) tell(page, one);
      } else {
        page.isTold = true;
        const state = { at, rows: [...rows.values()], incidents, stats, timeline: timeline.entries() };
        tell(page, prepared({ event: 'state', data: state }));
      }
    }
  };

  function look(): void {
    // A rule of the user's that is asked meanwhile, or a page that is told, may bring the next page.
    if (looking) return;
    looking = true;
    soon = false;
    const began = performance.now();
    try {
      tellPages();
      isFailing = false;
    } catch (error) {
      // A clock that throws, say: the next look may find it mended.
      if (!isFailing) failed?.(error);
      isFailing = true;
    } finally {
      looking = false;
      const ended = performance.now();
      restUntil = ended + Math.max(PAUSE_MS, REST * (ended - began));
      soon ||= pages().some(({ isTold }) => !isTold);
      lookLater();
    }
  }

  return {
    subscribe(view, send, ended) {
      const subscriber: Subscriber = { view, send, ended, isTold: false };
      subscribers.add(subscriber);
      if (closed) {
        end(subscriber);
        return () => {};
      }
      stopHearing ??= timeline.onEntry(hear);
      if (view === 'page') look();
      return () => drop(subscriber);
    },
    close() {
      closed = true;
      for (const subscriber of [...subscribers]) end(subscriber);
      if (given === undefined) timeline.close();
    },
  };
}
