import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** An HTML document for operators, complete in itself. */
export interface PageFile {
  /** The document, with each `{{name}}` filled in by its value, escaped; by nothing if there is no such value. */
  render(values: Readonly<Record<string, string>>): string;
  /** The header to send it with: it allows what the document holds, by hash, and talk with its own origin. */
  readonly contentSecurityPolicy: string;
}

/** The modules of the page's script, each after those that it imports from. */
export const MODULES = [
  'wording',
  'model',
  'filter',
  'select',
  'summary',
  'actions',
  'elements',
  'keyed-list',
  'explanation',
  'requests',
  'live',
  'dialog',
  'filter-bar',
  'scope-table',
  'incident-list',
  'timeline-list',
  'main',
];

/** The parts of the style; where two of them disagree, the later one wins. */
export const STYLES = ['colours', 'elements', 'regions', 'table', 'dialog', 'login', 'conditions'];

const IMPORT = /^import [^;]*? from '\.\/[\w-]+\.js';\n/gm;
const EXPORT = /^export /gm;
const PLACEHOLDER = /\{\{(\w+)\}\}/;
const STYLE = '<style></style>';
const SCRIPT = '<script type="module"></script>';
const COMMON = ["connect-src 'self'", 'img-src data:', "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"];

/** Reads the operators' documents, with their style and script inside. */
export function readPages(): { readonly page: PageFile; readonly login: PageFile } {
  const style = STYLES.map((name) => readPart(`${name}.css`)).join('\n');
  return { page: document(readPart('page.html'), style, joinModules()), login: document(readPart('login.html'), style) };
}

/** One script of all modules: their names are unique, so that what they import from each other is simply there. */
export function joinModules(): string {
  return MODULES.map((name) => readPart(`${name}.js`).replace(IMPORT, '').replace(EXPORT, '')).join('\n');
}

/** The package ships its sources, and `dist/operator` is as deep as `src/operator`: no build step has to copy these files. */
function readPart(name: string): string {
  // A browser hashes what it has parsed, and parsing makes line feeds of these.
  return readFileSync(new URL(`../../src/operator/page/${name}`, import.meta.url), 'utf8').replaceAll('\r\n', '\n');
}

function document(html: string, style: string, script?: string): PageFile {
  // Placeholders are looked for in the document alone: whatever its style and script hold must stay as it was hashed. Every second piece is a name.
  const pieces = html.split(PLACEHOLDER).map((piece, index) => (index % 2 === 1 ? piece : embed(piece, style, script)));
  const policy = [
    "default-src 'none'",
    `style-src ${hashOf(style)}`,
    ...(script === undefined ? [] : [`script-src ${hashOf(script)}`]),
    ...COMMON,
  ];
  return {
    render: (values) =>
      pieces
        .map((piece, index) => (index % 2 === 0 ? piece : escapeHtml(Object.hasOwn(values, piece) ? (values[piece] ?? '') : '')))
        .join(''),
    contentSecurityPolicy: [...policy, "require-trusted-types-for 'script'"].join('; '),
  };
}

function embed(piece: string, style: string, script: string | undefined): string {
  const styled = piece.replace(STYLE, () => `<style>${style}</style>`);
  return script === undefined ? styled : styled.replace(SCRIPT, () => `<script type="module">${script}</script>`);
}

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
