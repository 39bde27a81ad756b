import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isInstalled } from '../support/locked-folder.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'latchkey-locked-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const A = { version: '1.0.0', integrity: 'sha512-a' };
const B = { version: '2.0.0', integrity: 'sha512-b', dev: true };
const ELSEWHERE = { version: '3.0.0', integrity: 'sha512-c', optional: true, os: ['elsewhere'] };
const ROOT = { dependencies: { a: '1.0.0' }, devDependencies: { b: '^2.0.0' } };
const LOCK = { '': ROOT, 'node_modules/a': A, 'node_modules/b': B, 'node_modules/elsewhere': ELSEWHERE };
const THERE = { 'node_modules/a': A, 'node_modules/b': B };

function write(file: string, content: object): void {
  writeFileSync(join(folder, file), JSON.stringify(content));
}

function checked(there: object, lock: object = LOCK, manifest: object = ROOT): boolean {
  write('package.json', { name: 'tools', ...manifest });
  write('package-lock.json', { lockfileVersion: 3, packages: lock });
  mkdirSync(join(folder, 'node_modules'));
  write('node_modules/.package-lock.json', { lockfileVersion: 3, packages: there });
  return isInstalled(folder);
}

describe('a folder with a lock file of its own', () => {
  it('is installed where everything is there as the lock file says, but for what is optional', () => {
    expect(checked(THERE)).toBe(true);
  });

  it('is so with what is optional, too', () => {
    expect(checked({ ...THERE, 'node_modules/elsewhere': ELSEWHERE })).toBe(true);
  });

  it.each([
    ['a package is missing', { 'node_modules/a': A }],
    ['a version is another one', { ...THERE, 'node_modules/b': { ...B, version: '2.0.1' } }],
    ['a content is another one', { ...THERE, 'node_modules/b': { ...B, integrity: 'sha512-other' } }],
    ['an optional version is another one', { ...THERE, 'node_modules/elsewhere': { ...ELSEWHERE, version: '2.0.0' } }],
    ['there is a package too many', { ...THERE, 'node_modules/c': A }],
    ['nothing is there', {}],
  ])('is not where %s', (_, there) => {
    expect(checked(there)).toBe(false);
  });

  it('is not where package.json asks for something else than the lock file', () => {
    expect(checked(THERE, LOCK, { ...ROOT, dependencies: { a: '1.1.0' } })).toBe(false);
  });

  it('is not where nothing was ever installed, or npm did not get to its end', () => {
    write('package.json', ROOT);
    write('package-lock.json', { packages: LOCK });
    expect(isInstalled(folder)).toBe(false);
    mkdirSync(join(folder, 'node_modules'));
    expect(isInstalled(folder)).toBe(false);
    writeFileSync(join(folder, 'node_modules/.package-lock.json'), '{"packages":');
    expect(isInstalled(folder)).toBe(false);
  });
});
