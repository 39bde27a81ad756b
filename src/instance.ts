/** `value instanceof type` of what anybody may have thrown: a proxy that refuses to say is none. */
export function isInstance<T>(value: unknown, type: abstract new (...args: never[]) => T): value is T {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}
