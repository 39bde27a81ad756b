import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Headers of every page: nothing from elsewhere, nothing inline, no frame around it. */
const PAGE_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
} as const;

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
};

/** The page's files that need no login: they hold nothing of anybody. */
const PUBLIC_FILES = new Set(['/operator.js', '/gateway.css']);
const ASSETS = '/assets/latchkey/';
/** What the page imports of the package: the browser module, and the one file that it imports. */
const ASSET = /^(?:browser\/[a-z-]+|signals\/safe-next)\.js$/;

export interface Pages {
  /** Whether the path was a public file, which has then been sent. */
  servePublic(path: string, response: ServerResponse): boolean;
  /** A page, with `{{name}}` filled in; values are escaped. */
  send(response: ServerResponse, status: number, page: 'login.html' | 'operator.html', values?: Readonly<Record<string, string>>): void;
}

/** `packageFolder`: where the package's built modules are. Default: the installed package's `dist`. */
export function createPages(packageFolder?: string): Pages {
  const folder = packageFolder ?? join(dirname(createRequire(import.meta.url).resolve('latchkey/package.json')), 'dist');
  const page = (name: string): string => readFileSync(new URL(`./pages/${name}`, import.meta.url), 'utf8');
  return {
    servePublic(path, response) {
      const asset = path.startsWith(ASSETS) ? path.slice(ASSETS.length) : undefined;
      if (!PUBLIC_FILES.has(path) && (asset === undefined || !ASSET.test(asset))) return false;
      let text: string;
      try {
        text = asset === undefined ? page(path.slice(1)) : readFileSync(join(folder, asset), 'utf8');
      } catch {
        return false;
      }
      const type = TYPES[path.slice(path.lastIndexOf('.') + 1)];
      response.writeHead(200, { ...PAGE_HEADERS, 'content-type': type }).end(text);
      return true;
    },
    send(response, status, name, values = {}) {
      const text = page(name).replace(/\{\{(\w+)\}\}/g, (_, key: string) => escapeHtml(values[key] ?? ''));
      response.writeHead(status, { ...PAGE_HEADERS, 'content-type': TYPES['html'] }).end(text);
    },
  };
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
