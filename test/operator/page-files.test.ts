import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { transform } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { joinModules, MODULES, readPages, STYLES } from '../../src/operator/page-files.js';

const FOLDER = new URL('../../src/operator/page/', import.meta.url);
const { page, login } = readPages();

const sha256 = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
const inside = (html: string, tag: string): string => new RegExp(`<${tag}[^>]*>(.*?)</${tag}>`, 's').exec(html)?.[1] ?? '';

function directives(policy: string): Record<string, string> {
  return Object.fromEntries(policy.split('; ').map((directive) => directive.split(/ (.*)/s, 2) as [string, string]));
}

describe('the script', () => {
  it('is one module that parses, of all the files there are, and imports nothing', async () => {
    const script = joinModules();
    // Also refuses a name that two modules have at their top.
    const { code } = await transform(script, { format: 'esm', minifySyntax: true });
    expect(code).not.toMatch(/\b(import|export)\b/);
    expect(script).not.toMatch(/^(import|export)\b/m);
    expect(script).not.toContain('</script');
    expect(script).not.toContain('<!--');
    const files = readdirSync(FOLDER);
    expect(MODULES.map((name) => `${name}.js`).sort()).toEqual(files.filter((name) => name.endsWith('.js')).sort());
    expect(STYLES.map((name) => `${name}.css`).sort()).toEqual(files.filter((name) => name.endsWith('.css')).sort());
  });

  it('does not make markup of texts, and does not make code of them either', () => {
    expect(joinModules()).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|srcdoc|DOMParser/);
  });
});

describe.each([
  ['page', page],
  ['login', login],
])('the %s', (name, file) => {
  const html = file.render({ who: 'op', signOut: 'yes', error: '' });

  it('is complete: nothing is fetched from anywhere', () => {
    // The name of SVG is no address.
    expect(html.replace('http://www.w3.org/2000/svg', '')).not.toMatch(
      /https?:\/\/|\bsrc=|<link(?! rel="icon" href="data:,")|@import|url\(/,
    );
    expect(html).not.toMatch(/\son[a-z]+=|\sstyle=/);
    expect(html).not.toContain('{{');
    expect(inside(html, 'style')).toContain('prefers-color-scheme: dark');
    expect(inside(html, 'script') === '').toBe(name === 'login');
  });

  it('comes with a policy of the very style and script that it holds', () => {
    expect(directives(file.contentSecurityPolicy)).toEqual({
      'default-src': "'none'",
      'style-src': sha256(inside(html, 'style')),
      ...(name === 'login' ? {} : { 'script-src': sha256(inside(html, 'script')) }),
      'connect-src': "'self'",
      'img-src': 'data:',
      'form-action': "'self'",
      'base-uri': "'none'",
      'frame-ancestors': "'none'",
      'require-trusted-types-for': "'script'",
    });
  });
});

describe('render', () => {
  const hostile = `<img src=x onerror=alert(1)> "quoted" 'too' & {{signOut}} $& $1`;

  it('escapes what it fills in', () => {
    expect(page.render({ who: hostile, signOut: '' })).toContain(
      '<span class="quiet who">&#60;img src=x onerror=alert(1)&#62; &#34;quoted&#34; &#39;too&#39; &#38; {{signOut}} $&#38; $1</span>',
    );
    expect(login.render({ error: hostile })).not.toContain('<img');
  });

  it('leaves out what has no value', () => {
    expect(page.render({})).toContain('data-sign-out=""');
    expect(page.render({ signOut: 'yes' })).toContain('data-sign-out="yes"');
    expect(page.render(Object.create({ who: 'inherited' }) as Record<string, string>)).not.toContain('inherited');
  });

  it('does not touch style and script, whatever is filled in', () => {
    const script = inside(page.render({}), 'script');
    expect(script).toBe(joinModules());
    expect(inside(page.render({ who: '</script>', signOut: '<style>' }), 'script')).toBe(script);
  });
});
