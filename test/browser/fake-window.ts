import type { AuthenticationRequired, AuthWatchWindow, Fetch, FetchJsonWindow } from '../../src/browser/index.js';

export interface FakeWindow extends AuthWatchWindow, FetchJsonWindow {
  fetch: Fetch;
  readonly location: FetchJsonWindow['location'];
  /** What `location.assign` was called with. */
  readonly visited: string[];
  /** What `fetch` was called with. */
  readonly sent: { input: unknown; init: RequestInit | undefined }[];
  /** The details of the events heard. */
  readonly heard: AuthenticationRequired[];
  readonly stored: Map<string, string>;
  /** Shows the page again: from memory (`persisted`) or loaded anew. */
  show(persisted: boolean): void;
}

export type Answers = (input: string | URL | Request, init?: RequestInit) => Response | Promise<Response>;

/** As much of a window as the library uses. Its `fetch` gives what `answers` gives. */
export function fakeWindow(answers: Answers, href = 'https://panel.example/sessions?page=2#row-7'): FakeWindow {
  const events = new EventTarget();
  const stored = new Map<string, string>();
  const heard: AuthenticationRequired[] = [];
  const visited: string[] = [];
  const sent: FakeWindow['sent'] = [];
  const { origin, pathname, search, hash } = new URL(href);
  events.addEventListener('latchkey:authentication-required', (event) => {
    heard.push((event as Event & { detail: AuthenticationRequired }).detail);
  });
  return {
    heard,
    visited,
    sent,
    stored,
    location: { href, origin, pathname, search, hash, assign: (url) => void visited.push(url) },
    sessionStorage: {
      getItem: (key) => stored.get(key) ?? null,
      setItem: (key, value) => void stored.set(key, value),
      removeItem: (key) => void stored.delete(key),
    },
    async fetch(input, init) {
      sent.push({ input, init });
      return answers(input, init);
    },
    dispatchEvent: (event) => events.dispatchEvent(event),
    addEventListener: (type, listener) => events.addEventListener(type, listener as unknown as (event: Event) => void),
    removeEventListener: (type, listener) => events.removeEventListener(type, listener as unknown as (event: Event) => void),
    show: (persisted) => void events.dispatchEvent(Object.assign(new Event('pageshow'), { persisted })),
  };
}

export function answer(status: number, headers: Record<string, string> = {}, body: string | null = null): Response {
  return new Response(body, { status, headers });
}

/** The gateway's own 401. */
export function envelope(login_url: unknown = '/login', error = 'session_expired'): Response {
  const body = { error, detail: 'Unauthorized', reason: 'invalid_or_expired_session', login_url };
  return answer(401, { 'content-type': 'application/json' }, JSON.stringify(body));
}
