import { closeSync, constants, fchmodSync, fstatSync, openSync, readSync } from 'node:fs';

const READING = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const LINE_END = 0x0a;
/** Where a file grows for that long, it is others that write, each after the end of a line. */
const MOST_LOOKS = 16;

/** A file that is open for writing. */
interface Open {
  readonly fd: number;
  readonly dev: number;
  readonly ino: number;
}

/**
 * Whether a file ends within a line that nobody is writing any more. One that another process is writing looks the same, but not for long: if so, the
 * end of the file moves until it is the end of a line. False if it cannot be told.
 */
export function endsTorn(path: string, open: Open): boolean {
  let reading: number | undefined;
  try {
    reading = openSync(path, READING);
    const { dev, ino } = fstatSync(reading);
    return dev === open.dev && ino === open.ino && staysTorn(reading, open.fd);
  } catch {
    return false;
  } finally {
    if (reading !== undefined) closeSync(reading);
  }
}

function staysTorn(reading: number, writing: number): boolean {
  let before = -1;
  for (let look = 0; look < MOST_LOOKS; look++) {
    const { size, mode } = fstatSync(reading);
    if (size === 0 || lastByte(reading, size) === LINE_END) return false;
    if (size === before) return true;
    before = size;
    // Changes nothing, and waits for a write that is under way where the system lets one process at a time change a file, as Linux does.
    fchmodSync(writing, mode & 0o7777);
  }
  return false;
}

function lastByte(reading: number, size: number): number | undefined {
  const last = Buffer.alloc(1);
  return readSync(reading, last, 0, 1, size - 1) === 1 ? last[0] : undefined;
}
