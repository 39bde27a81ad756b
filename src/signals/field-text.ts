/** RFC 9110, section 5.5, and RFC 9112, section 4: what the value of a field, or a reason phrase, can hold. */
export function isFieldText(value: unknown): value is string {
  return typeof value === 'string' && /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
}
