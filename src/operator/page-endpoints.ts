import { headerOf } from '../signals/request.js';
import { readFormField } from './body.js';
import type { Asked, Endpoints } from './endpoints.js';
import type { Login } from './login.js';
import type { OperatorSettings } from './options.js';
import { readPages } from './page-files.js';
import { pageAnswer, type Reply, redirectAnswer } from './reply.js';

const WRONG_TOKEN = 'That is not the token of this gateway.';
/** Who has no name. */
const NAMELESS = { bearer: 'let in by token', cookie: 'signed in with the token', certificate: 'let in by certificate', rule: '' } as const;

export interface PageContext {
  /** Undefined where a rule of the user's lets operators in: then there is nothing to sign in to. */
  readonly login: Login | undefined;
  readonly record: OperatorSettings['record'];
  readonly refused: (asked: Asked, reason: string) => void;
}

/** The page, and the way in to it, by exact path. */
export function pageEndpoints({ login, record, refused }: PageContext): Readonly<Record<string, Endpoints>> {
  const pages = readPages();
  const page: Endpoints = {
    GET: {
      answer: (_asked, { by, who = NAMELESS[by] }) => pageAnswer(200, pages.page, { who, signOut: by === 'cookie' ? 'yes' : '' }),
      denied: (asked) => (login !== undefined && isSigningIn(asked) ? redirectAnswer(302, './login') : undefined),
    },
  };
  if (login === undefined) return { '/': page };

  const { signIn, sessions } = login;
  const form = (status: number, error: string): Reply => pageAnswer(status, pages.login, { error });
  return {
    '/': page,
    '/login': {
      GET: { isOpen: true, answer: () => form(200, '') },
      POST: {
        isOpen: true,
        async answer(asked) {
          const { incoming } = asked;
          const token = await readFormField(incoming, 'token');
          if (token === undefined || !signIn.verify(token.trim())) {
            refused(asked, 'mismatch');
            return form(403, WRONG_TOKEN);
          }
          record('operator.login', { by: 'cookie', peer: incoming.peer });
          return redirectAnswer(303, './', { 'Set-Cookie': sessions.begin(incoming) });
        },
      },
    },
    '/logout': {
      POST: { isOpen: true, answer: ({ incoming }) => redirectAnswer(303, './login', { 'Set-Cookie': sessions.end(incoming) }) },
    },
  };
}

/** A browser that shows a page, and has not presented a token of its own. */
function isSigningIn({ incoming }: Asked): boolean {
  const { headers } = incoming.request;
  return headerOf(headers, 'authorization') === undefined && headerOf(headers, 'accept')?.toLowerCase().includes('text/html') === true;
}
