import { createHash, randomBytes, randomUUID, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

/** Who a session is of. */
export interface User {
  readonly name: string;
}

/** A make-believe identity provider: a user table and the sessions that it gave out, in memory. */
export interface Users {
  /** The tokens of a new session, if the password is right. */
  login(name: string, password: string): Promise<Tokens | undefined>;
  verify(session: string): User | undefined;
  /** New tokens for a refresh token, which is used up by that. */
  refresh(refresh: string): Tokens | undefined;
  /** Ends the whole logins that the tokens are of: what was refreshed meanwhile, in another tab, ends too. */
  logout(tokens: { readonly session: readonly string[]; readonly refresh: readonly string[] }): void;
  /** Signs everybody out. */
  endAll(): void;
}

interface Tokens {
  readonly session: string;
  readonly refresh: string;
}

interface Issued extends Login {
  readonly until: number;
  /** A refresh token that is used up still leads to its login. */
  used: boolean;
}

interface Login {
  readonly user: User;
  /** The same for all tokens that come of one login. */
  readonly family: string;
}

const MOST_SESSIONS = 10_000;
const derive = promisify(scrypt);

export function createUsers(passwords: Readonly<Record<string, string>>, lives: { sessionMs: number; refreshMs: number }): Users {
  const salt = randomBytes(16);
  const hashed = async (password: string): Promise<Buffer> => (await derive(password, salt, 32)) as Buffer;
  const accounts = new Map(Object.entries(passwords).map(([name, password]) => [name, hashed(password)]));
  const nobody = hashed(randomBytes(16).toString('hex'));
  const sessions = new Map<string, Issued>();
  const refreshes = new Map<string, Issued>();

  const issue = (login: Login): Tokens => ({
    session: put(sessions, login, lives.sessionMs),
    refresh: put(refreshes, login, lives.refreshMs),
  });

  return {
    async login(name, password) {
      // As long for a name that nobody has.
      const right = timingSafeEqual(await hashed(password), await (accounts.get(name) ?? nobody));
      return right && accounts.has(name) ? issue({ user: { name }, family: randomUUID() }) : undefined;
    },
    verify: (session) => find(sessions, session)?.user,
    refresh(refresh) {
      const issued = find(refreshes, refresh);
      if (issued === undefined || issued.used) return undefined;
      issued.used = true;
      return issue(issued);
    },
    logout({ session, refresh }) {
      const ended = new Set(
        [...session.map((one) => find(sessions, one)), ...refresh.map((one) => find(refreshes, one))].map((one) => one?.family),
      );
      for (const table of [sessions, refreshes]) for (const [key, { family }] of table) if (ended.has(family)) table.delete(key);
    },
    endAll() {
      sessions.clear();
      refreshes.clear();
    },
  };
}

/** Tokens are kept as digests: whoever reads the table cannot use what stands in it. */
function keyOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

function put(table: Map<string, Issued>, { user, family }: Login, lifeMs: number): string {
  const now = Date.now();
  for (const [key, { until }] of table) {
    if (until > now && table.size < MOST_SESSIONS) break;
    table.delete(key);
  }
  const token = randomBytes(32).toString('base64url');
  table.set(keyOf(token), { user, family, until: now + lifeMs, used: false });
  return token;
}

function find(table: Map<string, Issued>, token: string): Issued | undefined {
  const issued = table.get(keyOf(token));
  return issued !== undefined && issued.until > Date.now() ? issued : undefined;
}
