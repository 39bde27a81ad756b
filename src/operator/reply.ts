import type { Answer } from '../signals/answer.js';
import type { StreamSink } from './event-stream.js';
import type { PageFile } from './page-files.js';

/** An answer that goes on: either `start` or `abandon` is called, once. */
export interface StreamReply {
  readonly status: number;
  readonly headers: Answer['headers'];
  /** Returns what to call when the client has gone. */
  start(sink: StreamSink): () => void;
  /** Nobody is there to hear it. */
  abandon(): void;
}

export type Reply = Answer | StreamReply;

export const ALWAYS = { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' } as const;

export function textAnswer(status: number, contentType: string, body: string, headers: Answer['headers'] = {}): Answer {
  return { status, headers: { ...ALWAYS, 'Content-Type': contentType, ...headers }, body };
}

export function jsonAnswer(status: number, value: unknown, headers: Answer['headers'] = {}): Answer {
  return textAnswer(status, 'application/json', JSON.stringify(value), headers);
}

export function errorAnswer(status: number, error: string, headers: Answer['headers'] = {}): Answer {
  return jsonAnswer(status, { error }, headers);
}

/** `location` is relative and made of the handler's own names: nothing of a request can lead to another host. */
export function redirectAnswer(status: 302 | 303 | 308, location: string, headers: Answer['headers'] = {}): Answer {
  return { status, headers: { ...ALWAYS, Location: location, ...headers }, body: '' };
}

export function pageAnswer(status: number, page: PageFile, values: Readonly<Record<string, string>>): Answer {
  return textAnswer(status, 'text/html; charset=utf-8', page.render(values), {
    'Content-Security-Policy': page.contentSecurityPolicy,
    // With `no-referrer` the origin of the page's own forms would read `null`.
    'Referrer-Policy': 'same-origin',
    'X-Frame-Options': 'DENY',
  });
}

/** Ends a request with an answer, from wherever that turns out. */
export class Refused extends Error {
  readonly answer: Answer;

  constructor(status: number, error: string, headers?: Answer['headers']) {
    super(error);
    this.answer = errorAnswer(status, error, headers);
  }
}
