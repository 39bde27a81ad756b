import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { type AuditLog, openAuditLog } from '../../src/guard/audit-log.js';
import { manualClock } from '../support/clock.js';
import { auditFolder, linesOf } from './audit-folder.js';

const folder = auditFolder();
const modeOf = (path: string): string => (statSync(path).mode & 0o7777).toString(8);
const eventsIn = (path: string): unknown[] => linesOf(path).map(({ event }) => event);

/** A log whose warnings are kept. */
function opened(path: string): { log: AuditLog; warnings: Error[] } {
  const warnings: Error[] = [];
  return { log: openAuditLog({ path, clock: manualClock(), onWarning: (warning) => warnings.push(warning) }), warnings };
}

/** The names under which this process has files open below a folder. */
function handlesBelow(path: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const name = readlinkSync(`/proc/self/fd/${fd}`);
      return name.startsWith(path) ? [name] : [];
    } catch {
      return [];
    }
  });
}

describe('an audit log', () => {
  it('appends a line for each record, with its time and event first', () => {
    const path = folder.at('audit.jsonl');
    const { log, warnings } = opened(path);
    expect(log.record('started', { port: 8080 })).toBe(true);
    expect(log.record('stopped')).toBe(true);
    expect(readFileSync(path, 'utf8')).toBe(
      '{"ts":"2026-01-01T00:00:00.000+00:00","event":"started","port":8080}\n{"ts":"2026-01-01T00:00:00.000+00:00","event":"stopped"}\n',
    );
    expect(warnings).toEqual([]);
  });

  it('leaves what is there, and makes neither file nor folder before the first record', () => {
    const path = folder.at('audit.jsonl');
    const { log } = opened(path);
    expect(existsSync(path)).toBe(false);
    writeFileSync(path, '{"event":"before"}\n');
    log.record('after');
    expect(eventsIn(path)).toEqual(['before', 'after']);
  });

  it('is for its owner alone, whatever the umask, and makes missing folders so', () => {
    const before = process.umask(0);
    try {
      const { log } = opened(folder.at('new', 'deep', 'audit.jsonl'));
      expect(log.record('started')).toBe(true);
    } finally {
      process.umask(before);
    }
    expect([modeOf(folder.at('new')), modeOf(folder.at('new', 'deep')), modeOf(folder.at('new', 'deep', 'audit.jsonl'))]).toEqual([
      '700',
      '700',
      '600',
    ]);
  });

  it('makes a file that others could read 0600, and leaves a folder that was there as it is', () => {
    const path = folder.at('shared', 'audit.jsonl');
    mkdirSync(folder.at('shared'), { mode: 0o755 });
    writeFileSync(path, '');
    chmodSync(path, 0o644);
    opened(path).log.record('started');
    expect([modeOf(folder.at('shared')), modeOf(path)]).toEqual(['755', '600']);
  });

  it('writes nothing after close, and holds no file then', () => {
    const path = folder.at('audit.jsonl');
    const { log, warnings } = opened(path);
    log.record('started');
    expect(handlesBelow(folder.at())).toEqual([path]);
    log.close();
    log.close();
    expect(log.record('late')).toBe(false);
    expect(handlesBelow(folder.at())).toEqual([]);
    expect(eventsIn(path)).toEqual(['started']);
    expect(warnings).toEqual([]);
  });

  it('closed by what it is given to write, writes nothing and holds no file', () => {
    const path = folder.at('audit.jsonl');
    const { log, warnings } = opened(path);
    const closing = {
      get value() {
        log.close();
        return 1;
      },
    };
    expect(log.record('late', closing)).toBe(false);
    expect(existsSync(path)).toBe(false);
    expect(handlesBelow(folder.at())).toEqual([]);
    expect(warnings).toEqual([]);
  });

  it('goes on in the new file after a rotation, with one handle', () => {
    const path = folder.at('audit.jsonl');
    const { log, warnings } = opened(path);
    for (let round = 0; round < 5; round++) {
      log.record(`old ${round}`);
      renameSync(path, folder.at(`rotated.${round}`));
      expect(log.record(`new ${round}`)).toBe(true);
      expect(eventsIn(folder.at(`rotated.${round}`)).at(-1)).toBe(`old ${round}`);
      expect(eventsIn(path)).toEqual([`new ${round}`]);
      expect(modeOf(path)).toBe('600');
      expect(handlesBelow(folder.at())).toEqual([path]);
    }
    expect(warnings).toEqual([]);
  });

  it('goes on after a rotation that put an open file in its place, which it makes 0600', () => {
    const path = folder.at('audit.jsonl');
    const { log } = opened(path);
    log.record('old');
    renameSync(path, folder.at('rotated'));
    writeFileSync(path, '');
    chmodSync(path, 0o666);
    log.record('new');
    expect(eventsIn(path)).toEqual(['new']);
    expect(modeOf(path)).toBe('600');
  });

  it('makes a folder anew that was deleted', () => {
    const path = folder.at('logs', 'audit.jsonl');
    const { log, warnings } = opened(path);
    log.record('before');
    rmSync(folder.at('logs'), { recursive: true });
    expect(log.record('after')).toBe(true);
    expect(eventsIn(path)).toEqual(['after']);
    expect(modeOf(folder.at('logs'))).toBe('700');
    expect(warnings).toEqual([]);
  });

  it('stays with the path that it was given, wherever the process goes', () => {
    const before = process.cwd();
    mkdirSync(folder.at('elsewhere'));
    try {
      process.chdir(folder.at());
      const { log } = opened('audit.jsonl');
      process.chdir(folder.at('elsewhere'));
      log.record('started');
    } finally {
      process.chdir(before);
    }
    expect(eventsIn(folder.at('audit.jsonl'))).toEqual(['started']);
  });

  it('begins a new line after one that a process did not finish', () => {
    const path = folder.at('audit.jsonl');
    writeFileSync(path, '{"event":"whole"}\n{"event":"to');
    const { log } = opened(path);
    log.record('next');
    log.record('and next');
    expect(handlesBelow(folder.at())).toEqual([path]);
    const [whole, torn, ...rest] = readFileSync(path, 'utf8').trimEnd().split('\n');
    expect([whole, torn]).toEqual(['{"event":"whole"}', '{"event":"to']);
    expect(rest.map((line) => (JSON.parse(line) as { event: string }).event)).toEqual(['next', 'and next']);
  });
});

describe('an audit log that cannot be written', () => {
  it('a full disk: no line, and one warning', () => {
    const before = modeOf('/dev/full');
    const { log, warnings } = opened('/dev/full');
    expect([log.record('a'), log.record('b'), log.record('c')]).toEqual([false, false, false]);
    expect(warnings.map(({ message }) => message)).toEqual(['the audit log /dev/full cannot be written: ENOSPC']);
    expect(modeOf('/dev/full')).toBe(before);
    expect(handlesBelow('/dev/full')).toEqual([]);
  });

  it('a path below a file: no line, and one warning', () => {
    const path = folder.at('file', 'audit.jsonl');
    writeFileSync(folder.at('file'), '');
    const { log, warnings } = opened(path);
    expect([log.record('a'), log.record('b')]).toEqual([false, false]);
    expect(warnings.map(({ message }) => message)).toEqual([`the audit log ${path} cannot be written: ENOTDIR`]);
    expect(warnings[0]?.cause).toMatchObject({ code: 'ENOTDIR' });
  });

  it('warns again after a line that was written, and only then', () => {
    const path = folder.at('logs', 'audit.jsonl');
    const { log, warnings } = opened(path);
    const blocked = (): void => {
      rmSync(folder.at('logs'), { recursive: true, force: true });
      writeFileSync(folder.at('logs'), '');
    };
    blocked();
    expect([log.record('a'), log.record('b')]).toEqual([false, false]);
    rmSync(folder.at('logs'));
    expect(log.record('c')).toBe(true);
    blocked();
    expect([log.record('d'), log.record('e')]).toEqual([false, false]);
    expect(warnings).toHaveLength(2);
  });

  it.each([
    ['a link in its place', 'ELOOP', (path: string) => symlinkSync(folder.at('elsewhere'), path)],
    ['a FIFO that nobody reads', 'ENXIO', (path: string) => execFileSync('sh', ['-c', 'mkfifo "$1"', 'sh', path])],
    ['a folder', 'EISDIR', (path: string) => mkdirSync(path)],
  ])('%s is refused, at once', (_, code, place) => {
    const path = folder.at('audit.jsonl');
    place(path);
    const { log, warnings } = opened(path);
    expect(log.record('a')).toBe(false);
    expect(warnings.map(({ message }) => message)).toEqual([`the audit log ${path} cannot be written: ${code}`]);
    expect(existsSync(folder.at('elsewhere'))).toBe(false);
  });

  it('a link put in the place of the open file is not followed either', () => {
    const path = folder.at('audit.jsonl');
    const { log, warnings } = opened(path);
    log.record('a');
    renameSync(path, folder.at('stolen'));
    symlinkSync(folder.at('stolen'), path);
    expect(log.record('b')).toBe(false);
    expect(warnings).toHaveLength(1);
    expect(eventsIn(folder.at('stolen'))).toEqual(['a']);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no'))],
  ])('a warning that %s disturbs nobody', async (_, onWarning) => {
    const log = openAuditLog({ path: '/dev/full', onWarning });
    expect(log.record('a')).toBe(false);
    await new Promise((resolve) => setImmediate(resolve));
  });

  it('a warning that is recorded in the same log is one warning', () => {
    const onWarning = vi.fn((warning: Error) => log.record('warning', { message: warning.message }));
    const log = openAuditLog({ path: '/dev/full', onWarning });
    expect(log.record('a')).toBe(false);
    expect(onWarning).toHaveBeenCalledTimes(1);
  });

  it('warns the process where nobody else is told', () => {
    const emitWarning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const log = openAuditLog({ path: '/dev/full' });
    log.record('a');
    log.record('b');
    expect(emitWarning.mock.calls).toEqual([[expect.objectContaining({ message: expect.stringContaining('/dev/full') })]]);
  });
});

describe('openAuditLog', () => {
  it.each([
    ['no options', undefined, '`options` must be an object'],
    ['an unknown option', { path: '/x', file: '/y' }, 'unknown option `file`'],
    ['no path', {}, '`path` must be the path of a file'],
    ['an empty path', { path: '' }, '`path` must be the path of a file'],
    ['a path that no file has', { path: '/x\0y' }, '`path` must be the path of a file'],
    ['actions that are a list', { path: '/x', actions: [] }, '`actions` must be an object of lists'],
    ['an action without a list', { path: '/x', actions: { pause: 'reason' } }, '`actions["pause"]` must be a list of field names'],
    ['a field that is no name', { path: '/x', actions: { pause: [1] } }, '`actions["pause"]` must be a list of field names'],
    ['a bare token', { path: '/x', credentials: ['secret'] }, '`credentials` must be a list of credentials'],
    ['a warning that is no function', { path: '/x', onWarning: true }, '`onWarning` must be a function'],
    ['a clock that has no time', { path: '/x', clock: {} }, '`clock.now` must be a function'],
  ])('%s', (_, options, message) => {
    expect(() => openAuditLog(options as never)).toThrow(new TypeError(`openAuditLog: ${message}`));
  });

  it('keeps nothing of the lists that it was given', () => {
    const path = folder.at('audit.jsonl');
    const fields = ['reason'];
    const log = openAuditLog({ path, actions: { pause: fields } });
    fields.push('note');
    log.record('pause', {}, { reason: 'r', note: 'n' });
    expect(linesOf(path)[0]).toMatchObject({ payload: { reason: 'r' } });
    expect(linesOf(path)[0]?.['payload']).toEqual({ reason: 'r' });
  });
});
