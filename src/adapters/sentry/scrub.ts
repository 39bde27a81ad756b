import { holdsParameters, isSecretHeader, isSecretName, REDACTED, redactText } from './redact.js';

/** Deeper than anything that Sentry keeps of an event. */
const DEEPEST = 32;

/** How a text is redacted by its user, beyond what looks like a credential. */
export type Redact = (text: string) => string;

/** What is known of the place at which a value stands. */
interface Place {
  /** Its name says that it is secret. */
  readonly secret: boolean;
  /** Its properties are headers, cookies or parameters. */
  readonly parameters: boolean;
  readonly depth: number;
}

/**
 * Copies what has to change and leaves the rest as it is: a value in which nothing looks like a credential comes back itself, and
 * what came in is never written to.
 */
export class Scrubber {
  readonly #redact: Redact | undefined;
  /** By object, its scrubbed copy: makes what is shared cheap, and cycles end. What is secret by its place is another thing elsewhere. */
  readonly #done = { plain: new Map<object, unknown>(), parameters: new Map<object, unknown>(), secret: new Map<object, unknown>() };

  constructor(redact?: Redact) {
    this.#redact = redact;
  }

  /** The value of a property of this name. */
  property(name: string, value: unknown): unknown {
    return this.#value(value, placeOf(name, { secret: false, parameters: false, depth: 0 }));
  }

  text(text: string): string {
    const redacted = redactText(text);
    if (this.#redact === undefined) return redacted;
    try {
      const own = this.#redact(redacted);
      return typeof own === 'string' ? own : redacted;
    } catch {
      return redacted;
    }
  }

  #value(value: unknown, place: Place): unknown {
    if (typeof value === 'string') return place.secret && value !== '' ? REDACTED : this.text(value);
    if (typeof value !== 'object' || value === null) return value;
    const done = this.#done[place.secret ? 'secret' : place.parameters ? 'parameters' : 'plain'];
    if (done.has(value)) return done.get(value);
    if (place.depth >= DEEPEST) return '[too deep]';
    done.set(value, '[circular]');
    let scrubbed: unknown;
    try {
      scrubbed = Array.isArray(value) ? this.#list(value, place) : this.#object(value, place);
    } catch {
      // Nobody can tell what is in it, Sentry neither.
      scrubbed = '[unreadable]';
    }
    done.set(value, scrubbed);
    return scrubbed;
  }

  #list(list: readonly unknown[], place: Place): unknown {
    let changed = false;
    const depth = place.depth + 1;
    const scrubbed = list.map((item, index) => {
      const before = list[index - 1];
      const secret = place.secret || (typeof before === 'string' && isSecretHeader(before));
      const clean = this.#value(item, { ...place, secret, depth });
      changed ||= clean !== item;
      return clean;
    });
    return changed ? scrubbed : list;
  }

  #object(object: object, place: Place): unknown {
    // It is what will be sent that counts.
    if (typeof (object as { toJSON?: unknown }).toJSON === 'function') {
      const json: unknown = (object as { toJSON(): unknown }).toJSON();
      const clean = json === object ? json : this.#value(json, { ...place, depth: place.depth + 1 });
      return clean === json ? object : clean;
    }
    let changed = false;
    const entries: [string, unknown][] = [];
    for (const name of Object.keys(object)) {
      const value = read(object, name);
      const clean = value.ok ? this.#value(value.value, placeOf(name, place)) : '[unreadable]';
      const cleanName = this.text(name);
      changed ||= !value.ok || clean !== value.value || cleanName !== name;
      entries.push([cleanName, clean]);
    }
    return changed ? Object.fromEntries(entries) : object;
  }
}

function placeOf(name: string, parent: Place): Place {
  return {
    secret: parent.secret || isSecretName(name, parent.parameters),
    parameters: holdsParameters(name),
    depth: parent.depth + 1,
  };
}

function read(object: object, name: string): { ok: true; value: unknown } | { ok: false } {
  try {
    return { ok: true, value: (object as Record<string, unknown>)[name] };
  } catch {
    return { ok: false };
  }
}
