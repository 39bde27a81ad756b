/** What a slot's string holds. */
export interface StoredSlot {
  readonly at: string;
  readonly dead: string;
  readonly identity: string;
  readonly by: string;
  readonly captured: string;
  readonly value: string;
}

export function readSlot(text: string): StoredSlot {
  const [at = '', dead = '', identity = '', by = '', captured = '', ...value] = text.split('|');
  return { at, dead, identity, by, captured, value: value.join('|') };
}

export function writeSlot({ at, dead, identity, by, captured, value }: StoredSlot): string {
  return [at, dead, identity, by, captured, value].join('|');
}

/** Rejected everywhere, or past an expiry that was not shown to be wrong. */
export function isDeadRecord(fields: ReadonlyMap<string, string> | undefined, now: number): boolean {
  const ruling = fields?.get('r');
  if (ruling?.[16] === '2' && ruling.slice(0, 16) >= (fields?.get('f') ?? '')) return true;
  const expires = expiry(fields?.get('h'));
  return expires !== undefined && expires <= now && expires !== expiry(fields?.get('x'));
}

function expiry(hint: string | undefined): number | undefined {
  const text = /^[^|]*\|(\d+\.?\d*)$/.exec(hint ?? '')?.[1];
  return text === undefined ? undefined : Number(text);
}
