/** What has started, on stderr, where it spoils no document: a line of its own, or on a terminal the same one again. */
export function started(part: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${part}` : `${part}\n`);
}

/** On a terminal the line is taken away, to be printed upon. */
export function ended(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}
