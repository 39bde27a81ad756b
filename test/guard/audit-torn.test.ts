import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openAuditLog } from '../../src/guard/audit-log.js';
import { manualClock } from '../support/clock.js';
import { auditFolder } from './audit-folder.js';

/** What happens in between: another process at work, or a file that has become another. */
const between = vi.hoisted(() => ({ changingMode: (): void => {}, opening: (): void => {}, written: (): void => {}, dev: 0, opened: 0 }));

vi.mock('node:fs', async (original) => {
  const real = await original<typeof fs>();
  return {
    ...real,
    fchmodSync: (fd: number, mode: number) => {
      between.changingMode();
      real.fchmodSync(fd, mode);
    },
    lstatSync: (path: string) => {
      const stats = real.lstatSync(path);
      stats.dev += between.dev;
      return stats;
    },
    openSync: (...values: Parameters<typeof real.openSync>) => {
      between.opened += 1;
      between.opening();
      return real.openSync(...values);
    },
    writeSync: (fd: number, bytes: Uint8Array) => {
      const written = real.writeSync(fd, bytes);
      between.written();
      return written;
    },
  };
});

const folder = auditFolder();
const opened = (path: string) => openAuditLog({ path, clock: manualClock(), onWarning: () => {} });
const rawLines = (path: string): string[] => fs.readFileSync(path, 'utf8').split('\n');
const eventOf = (line: string): unknown => {
  try {
    return (JSON.parse(line) as { event?: unknown }).event;
  } catch {
    return `no JSON: ${line}`;
  }
};
const nothing = (): void => {};
const once = (hook: 'opening' | 'written', happens: () => void): void => {
  between[hook] = () => {
    between[hook] = nothing;
    happens();
  };
};
afterEach(() => Object.assign(between, { changingMode: nothing, opening: nothing, written: nothing, dev: 0, opened: 0 }));

describe('a line that another process did not finish', () => {
  it('is left alone by a log that is open', () => {
    const path = folder.at('audit.jsonl');
    const log = opened(path);
    log.record('first');
    for (const torn of ['{"event":"torn 1', '{"event":"torn 2']) {
      fs.appendFileSync(path, torn);
      expect(log.record('next')).toBe(true);
      expect(log.record('and next')).toBe(true);
    }
    expect(rawLines(path).map((line) => line && eventOf(line))).toEqual([
      'first',
      'no JSON: {"event":"torn 1',
      'next',
      'and next',
      'no JSON: {"event":"torn 2',
      'next',
      'and next',
      '',
    ]);
  });

  it('is left alone if it came right after a line of ours', () => {
    const path = folder.at('audit.jsonl');
    const log = opened(path);
    once('written', () => fs.appendFileSync(path, 'torn'));
    log.record('first');
    log.record('next');
    expect(rawLines(path).map((line) => line && eventOf(line))).toEqual(['first', 'no JSON: torn', 'next', '']);
  });

  it('is left alone in the file of a rotation, as long as the one before may be', () => {
    const path = folder.at('audit.jsonl');
    const log = opened(path);
    log.record('first');
    const torn = 'x'.repeat(fs.statSync(path).size);
    fs.renameSync(path, folder.at('rotated'));
    fs.writeFileSync(path, torn, { mode: 0o600 });
    log.record('next');
    expect(rawLines(path).map((line) => line && eventOf(line))).toEqual([`no JSON: ${torn}`, 'next', '']);
  });

  it('is not one of another file that has taken the place just now', () => {
    const path = folder.at('audit.jsonl');
    const log = opened(path);
    log.record('first');
    fs.appendFileSync(path, '{"event":"of another"}\n');
    once('opening', () => {
      fs.renameSync(path, folder.at('rotated'));
      fs.writeFileSync(path, 'torn', { mode: 0o600 });
    });
    log.record('next');
    expect(rawLines(folder.at('rotated')).map((line) => line && eventOf(line))).toEqual(['first', 'of another', 'next', '']);
  });

  it('is not one that is only being written: no line is empty', () => {
    const path = folder.at('audit.jsonl');
    for (const isOpen of [false, true]) {
      fs.rmSync(path, { force: true });
      const log = opened(path);
      if (isOpen) log.record('first');
      fs.appendFileSync(path, '{"event":"a long', { mode: 0o600 });
      const rest = [' l', 'ine"', '}\n'];
      between.changingMode = () => {
        const next = rest.shift();
        if (next !== undefined) fs.appendFileSync(path, next);
      };
      expect(log.record('next')).toBe(true);
      expect(rawLines(path).map((line) => line && eventOf(line))).toEqual([...(isOpen ? ['first'] : []), 'a long line', 'next', '']);
    }
  });

  it('is not waited for without end', () => {
    const path = folder.at('audit.jsonl');
    fs.writeFileSync(path, 'x', { mode: 0o600 });
    let looks = 0;
    between.changingMode = () => {
      looks += 1;
      fs.appendFileSync(path, 'x');
    };
    expect(opened(path).record('next')).toBe(true);
    expect(looks).toBeLessThan(100);
  });

  it('costs a log that writes alone nothing', () => {
    const log = opened(folder.at('audit.jsonl'));
    log.record('first');
    between.opened = 0;
    for (let line = 0; line < 10; line++) log.record('next');
    expect(between.opened).toBe(0);
  });
});

describe('a log that is open', () => {
  it('is opened anew for a file of the same number on another device', () => {
    const log = opened(folder.at('audit.jsonl'));
    log.record('first');
    between.opened = 0;
    between.dev = 1;
    expect(log.record('next')).toBe(true);
    expect(between.opened).toBeGreaterThan(0);
  });

  it('begins anew in a pipe that took a part of a line', () => {
    const path = folder.at('pipe');
    execFileSync('sh', ['-c', 'mkfifo "$1"', 'sh', path]);
    const reading = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    const drained = (): string => {
      const bytes = Buffer.alloc(1 << 20);
      const parts: string[] = [];
      try {
        for (let read = fs.readSync(reading, bytes); read > 0; read = fs.readSync(reading, bytes))
          parts.push(bytes.toString('utf8', 0, read));
      } catch {
        // Nothing is there any more.
      }
      return parts.join('');
    };
    try {
      const log = opened(path);
      const long = Array(10).fill('x'.repeat(1_000));
      let whole = 0;
      while (log.record('long', { long })) whole += 1;
      const first = drained();
      expect([log.record('after'), log.record('and after')]).toEqual([true, true]);
      const lines = (first + drained()).split('\n');
      expect(lines.filter((line) => line !== '' && eventOf(line) === 'long')).toHaveLength(whole);
      expect(eventOf(lines[whole] ?? '')).toMatch(/^no JSON: \{.*xxx$/);
      expect(lines.slice(whole + 1).map((line) => line && eventOf(line))).toEqual(['after', 'and after', '']);
    } finally {
      fs.closeSync(reading);
    }
  });
});
