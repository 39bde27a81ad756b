/** As `window.fetch` is. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** What relative addresses are resolved against. */
export interface Addressed {
  readonly location: { readonly href: string };
  readonly document?: { readonly baseURI: string };
}

/** What `watchFetch` uses of a window. */
export interface EventWindow extends Addressed {
  dispatchEvent(event: Event): boolean;
}

/** What `installAuthWatch` uses of a window. */
export interface AuthWatchWindow extends EventWindow {
  fetch: Fetch;
}

/** What `takeReturnTo` uses of a window. */
export interface ReturnToWindow {
  readonly sessionStorage: {
    getItem(key: string): string | null;
    setItem(key: string, value: string): void;
    removeItem(key: string): void;
  };
}

/** What `createFetchJson` uses of a window. */
export interface FetchJsonWindow extends Addressed, ReturnToWindow {
  readonly fetch: Fetch;
  readonly location: {
    readonly href: string;
    readonly origin: string;
    readonly pathname: string;
    readonly search: string;
    readonly hash: string;
    assign(url: string): void;
  };
  addEventListener(type: 'pageshow', listener: (event: { readonly persisted: boolean }) => void): void;
  removeEventListener(type: 'pageshow', listener: (event: { readonly persisted: boolean }) => void): void;
}
