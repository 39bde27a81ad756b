import { closeSync, constants, fchmodSync, fstatSync, lstatSync, mkdirSync, openSync, readSync, type Stats, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** Never through a link, and never waiting for somebody to read a FIFO. */
const SAFELY = constants.O_NOFOLLOW | constants.O_NONBLOCK;
const APPENDING = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | SAFELY;
const LINE_END = 0x0a;

interface Handle {
  readonly fd: number;
  readonly dev: number;
  readonly ino: number;
}

/** Lines at the end of one file that only its owner can read. It is opened for the first line, and anew when the path has come to mean another file. */
export class AppendFile {
  readonly #path: string;
  #handle: Handle | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Writes one line with its end, in one piece. @throws what the file system says; what is there of the line then ends at the next one. */
  append(line: string): void {
    const current = this.#handle;
    if (current !== undefined && !this.#isAt(current)) this.close();
    try {
      const isNew = this.#handle === undefined;
      const handle = this.#handle ?? this.#open();
      this.#handle = handle;
      const bytes = Buffer.from(isNew && this.#isTorn(handle) ? `\n${line}` : line);
      const written = writeSync(handle.fd, bytes);
      if (written < bytes.length) throw new Error('a line was written in part');
    } catch (error) {
      // It may be the handle itself that is of no use any more.
      this.close();
      throw error;
    }
  }

  close(): void {
    const handle = this.#handle;
    this.#handle = undefined;
    if (handle !== undefined) closeQuietly(handle.fd);
  }

  #isAt({ dev, ino }: Handle): boolean {
    try {
      const there = lstatSync(this.#path);
      return there.dev === dev && there.ino === ino;
    } catch {
      return false;
    }
  }

  #open(): Handle {
    const fd = this.#openOrCreate();
    try {
      const stats = fstatSync(fd);
      // Another's device is not ours to lock up.
      if (stats.isFile() && (stats.mode & 0o7777) !== 0o600) fchmodSync(fd, 0o600);
      return { fd, dev: stats.dev, ino: stats.ino };
    } catch (error) {
      closeQuietly(fd);
      throw error;
    }
  }

  #openOrCreate(): number {
    try {
      return openSync(this.#path, APPENDING, 0o600);
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ENOENT') throw error;
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      return openSync(this.#path, APPENDING, 0o600);
    }
  }

  /** Whether the last line has no end: a full disk, or a process that died. The handle itself can only write. */
  #isTorn({ fd, dev, ino }: Handle): boolean {
    const { size } = fstatSync(fd);
    if (size === 0) return false;
    let reading: number | undefined;
    try {
      reading = openSync(this.#path, constants.O_RDONLY | SAFELY);
      const stats: Stats = fstatSync(reading);
      const last = Buffer.alloc(1);
      const isSame = stats.dev === dev && stats.ino === ino && stats.isFile();
      return isSame && readSync(reading, last, 0, 1, stats.size - 1) === 1 && last[0] !== LINE_END;
    } catch {
      return false;
    } finally {
      if (reading !== undefined) closeQuietly(reading);
    }
  }
}

function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // It is closed, whatever it says.
  }
}
