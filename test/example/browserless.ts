import type { Gateway } from '../../examples/gateway/gateway.js';
import { PASSWORD } from './playing.js';

/** What a browser would keep and send, without a browser: cookies, and redirects left to look at. */
export class Browserless {
  readonly #url: string;
  readonly #cookies = new Map<string, string>();

  constructor(gateway: Gateway) {
    this.#url = gateway.url;
  }

  get cookies(): readonly string[] {
    return [...this.#cookies.keys()];
  }

  get secrets(): readonly string[] {
    return [...this.#cookies.values()];
  }

  forget(name: string): void {
    this.#cookies.delete(name);
  }

  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { ...(init.headers as Record<string, string>), ...(cookie && { cookie }) };
    const response = await fetch(`${this.#url}${path}`, { ...init, headers, redirect: 'manual' });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (/max-age=0/i.test(line)) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
    return response;
  }

  logIn(password = PASSWORD, headers: Record<string, string> = {}, more: Record<string, string> = {}): Promise<Response> {
    return this.fetch('/login', { method: 'POST', body: new URLSearchParams({ name: 'demo', password, ...more }), headers });
  }
}
