/** What a slot's string holds. */
export interface StoredSlot {
  readonly at: string;
  readonly dead: string;
  readonly identity: string;
  readonly by: string;
  readonly captured: string;
  readonly value: string;
}

/** Undefined for what is no slot: it counts as absent. */
export function readSlot(text: string | undefined): StoredSlot | undefined {
  const read = /^(\d{16})\|([01])\|([\da-fA-F]{32})\|([\da-fA-F]{32})\|(\d{13})\|(.*)$/s.exec(text ?? '');
  if (read === null) return undefined;
  const [, at = '', dead = '', identity = '', by = '', captured = '', value = ''] = read;
  return { at, dead, identity, by, captured, value };
}

/** Undefined for what does not begin with a number: it counts as absent. */
export function readRegister(text: string | undefined): string | undefined {
  return /^\d{16}/.test(text ?? '') ? text : undefined;
}

export function writeSlot({ at, dead, identity, by, captured, value }: StoredSlot): string {
  return [at, dead, identity, by, captured, value].join('|');
}

/** Rejected everywhere, or past an expiry that was not shown to be wrong. */
export function isDeadRecord(fields: ReadonlyMap<string, string> | undefined, now: number): boolean {
  const ruling = readRegister(fields?.get('r'));
  if (ruling?.[16] === '2' && ruling.slice(0, 16) >= (readRegister(fields?.get('f')) ?? '')) return true;
  const expires = expiry(fields?.get('h'));
  return expires !== undefined && expires <= now && expires !== expiry(fields?.get('x'));
}

function expiry(hint: string | undefined): number | undefined {
  const text = /^[^|]*\|(\d+\.?\d*)u?$/.exec(hint ?? '')?.[1];
  return text === undefined ? undefined : Number(text);
}

/** What a refresh put in an identity's place; undefined for what is none. */
export function readSuccessor(text: string | undefined): { readonly at: string; readonly identity: string } | undefined {
  const [, at = '', identity = ''] = /^(\d{16})\|([\da-fA-F]{32})\|/.exec(text ?? '') ?? [];
  return at === '' ? undefined : { at, identity };
}
