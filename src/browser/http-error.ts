/** An answer that is not the JSON of a success. */
export class HttpError extends Error {
  readonly status: number;
  /** The answer's text. Left out when the error is printed, since it can hold anything. */
  declare readonly body: string;
  /** Of the request, without its query. */
  readonly pathname: string;

  constructor(status: number, body: string, pathname: string, what = 'answered') {
    super(`${pathname} ${what} ${status}`);
    this.status = status;
    this.pathname = pathname;
    Object.defineProperty(this, 'body', { value: body });
  }
}

Object.defineProperty(HttpError.prototype, 'name', { value: 'HttpError', configurable: true, writable: true });
