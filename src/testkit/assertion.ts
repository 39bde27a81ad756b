/** What an assertion of the test kit throws. Test runners know one by its `name`. */
export class TestkitAssertionError extends Error {
  override readonly name = 'AssertionError';
  readonly code = 'ERR_ASSERTION';
}
