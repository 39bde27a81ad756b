/** The gateway's own paths: no provider can have their names. */
const TAKEN = ['api', 'assets', 'latchkey', 'login', 'logout'];
const NAME = /^[a-z0-9-]+$/;

/**
 * Base URLs by provider, without a slash at their end.
 * @throws {TypeError} for a name that is taken or cannot be a path's first part, or a base that is no URL.
 */
export function readUpstreams(upstreams: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(upstreams).map(([name, base]) => {
      if (!NAME.test(name) || TAKEN.includes(name)) throw new TypeError(`upstreams: no provider can be called ${JSON.stringify(name)}`);
      if (!URL.canParse(base) || !/^https?:$/.test(new URL(base).protocol))
        throw new TypeError(`upstreams: \`${name}\` must be an http or https URL`);
      return [name, base.replace(/\/+$/, '')];
    }),
  );
}
