/** What is used of `Headers`. */
export interface HeaderCollection {
  forEach(each: (value: string, name: string) => void): void;
}

/** `Headers`, Node's headers object, or a raw list: name, value, name, value. */
export type HeaderSource =
  | HeaderCollection
  | readonly string[]
  | { readonly [name: string]: string | readonly string[] | number | undefined };

/** Header fields by name, in any case, repetitions together; the name as it was first written. */
export class HeaderFields {
  readonly #fields = new Map<string, { readonly name: string; values: string[] }>();

  constructor(source: HeaderSource) {
    for (const [name, value] of pairsOf(source)) this.append(name, value);
  }

  append(name: string, value: string): void {
    const field = this.#fields.get(keyOf(name));
    if (field === undefined) this.set(name, value);
    else field.values.push(value);
  }

  set(name: string, value: string): void {
    this.#fields.set(keyOf(name), { name, values: [value] });
  }

  delete(name: string): void {
    this.#fields.delete(keyOf(name));
  }

  /** The members of a header that is a list. */
  list(name: string): string[] {
    const values = this.#fields.get(keyOf(name))?.values ?? [];
    return values.flatMap((value) => value.split(',').map((member) => member.trim())).filter((member) => member !== '');
  }

  /** Takes a member out of a header that is a list, and the header with its last one. */
  deleteMember(name: string, member: string): void {
    const before = this.list(name);
    const after = before.filter((one) => keyOf(one) !== keyOf(member));
    if (after.length === before.length) return;
    if (after.length === 0) this.delete(name);
    else this.set(this.#fields.get(keyOf(name))?.name ?? name, after.join(', '));
  }

  addMember(name: string, member: string): void {
    const others = this.list(name).filter((one) => keyOf(one) !== keyOf(member));
    this.set(this.#fields.get(keyOf(name))?.name ?? name, [...others, member].join(', '));
  }

  /** As `writeHead` takes them. `Set-Cookie` is always a list: its values cannot be joined (RFC 6265, section 3). */
  toRecord(): Record<string, string | string[]> {
    // Own properties, whatever the name: `__proto__` is one like any other.
    return Object.fromEntries(
      [...this.#fields].map(([key, { name, values }]) => [
        name,
        values.length === 1 && key !== 'set-cookie' ? (values[0] as string) : [...values],
      ]),
    );
  }
}

function keyOf(name: string): string {
  return name.trim().toLowerCase();
}

function pairsOf(source: HeaderSource): [string, string][] {
  const pairs: [string, string][] = [];
  if (Array.isArray(source)) {
    for (let index = 0; index + 1 < source.length; index += 2) pairs.push([String(source[index]), String(source[index + 1])]);
  } else if (isCollection(source)) {
    source.forEach((value, name) => void pairs.push([name, value]));
  } else {
    for (const [name, value] of Object.entries(source)) {
      for (const one of [value].flat()) if (one !== undefined) pairs.push([name, String(one)]);
    }
  }
  return pairs;
}

function isCollection(source: HeaderSource): source is HeaderCollection {
  return typeof (source as { forEach?: unknown }).forEach === 'function';
}
