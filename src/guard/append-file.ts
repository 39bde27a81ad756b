import { closeSync, constants, fchmodSync, fstatSync, lstatSync, openSync, type Stats, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { endsTorn } from './line-end.js';
import { makeOwnerFolder } from './owner-folder.js';

/** Never through a link, and never waiting for somebody to read a FIFO. */
const APPENDING = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const OWNER_ONLY = 0o600;

interface FileId {
  readonly dev: number;
  readonly ino: number;
}

interface Handle extends FileId {
  readonly fd: number;
  /** Its last line can be looked at; a pipe's cannot. */
  readonly isFile: boolean;
}

/** Lines at the end of one file that only its owner can read. It is opened for the first line, and anew when the path has come to mean another file. */
export class AppendFile {
  readonly #path: string;
  #handle: Handle | undefined;
  /** Where the file ends if nobody else has written to it since our last line. */
  #end = 0;
  /** The pipe that got a part of a line. */
  #cut: FileId | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Writes one line with its end, in one piece. @throws what the file system says; what is there of the line then ends at the next one. */
  append(line: string): void {
    if (this.#handle !== undefined && !isSame(this.#handle, this.#there())) this.close();
    try {
      this.#handle ??= this.#open();
      this.#write(this.#handle, line);
    } catch (error) {
      // It may be the handle itself that is of no use any more.
      this.close();
      throw error;
    }
  }

  close(): void {
    const handle = this.#handle;
    this.#handle = undefined;
    this.#end = 0;
    if (handle !== undefined) closeQuietly(handle.fd);
  }

  #write(handle: Handle, line: string): void {
    const { size } = fstatSync(handle.fd);
    const bytes = Buffer.from(this.#isTorn(handle, size) ? `\n${line}` : line);
    const written = writeSync(handle.fd, bytes);
    this.#end = size + written;
    if (written === bytes.length) {
      this.#cut = undefined;
      return;
    }
    if (!handle.isFile && written > 0) this.#cut = handle;
    throw new Error('a line was written in part');
  }

  /** Whether the last line has no end: a full disk, a process that died, a pipe that nobody empties. */
  #isTorn(handle: Handle, size: number): boolean {
    if (!handle.isFile) return isSame(handle, this.#cut);
    return size !== this.#end && endsTorn(this.#path, handle);
  }

  #there(): FileId | undefined {
    try {
      return lstatSync(this.#path);
    } catch {
      return undefined;
    }
  }

  #open(): Handle {
    const fd = this.#openOrCreate();
    try {
      const stats: Stats = fstatSync(fd);
      const isFile = stats.isFile();
      // Another's device is not ours to lock up.
      if (isFile && (stats.mode & 0o7777) !== OWNER_ONLY) fchmodSync(fd, OWNER_ONLY);
      return { fd, dev: stats.dev, ino: stats.ino, isFile };
    } catch (error) {
      closeQuietly(fd);
      throw error;
    }
  }

  #openOrCreate(): number {
    try {
      return openSync(this.#path, APPENDING, OWNER_ONLY);
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ENOENT') throw error;
      makeOwnerFolder(dirname(this.#path));
      return openSync(this.#path, APPENDING, OWNER_ONLY);
    }
  }
}

function isSame(one: FileId, other: FileId | undefined): boolean {
  return one.dev === other?.dev && one.ino === other.ino;
}

function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // It is closed, whatever it says.
  }
}
