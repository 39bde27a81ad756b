const MESSAGES = ['state', 'rows', 'incidents', 'stats', 'entry'];
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
/** A connection that a network has forgotten says nothing, and never ends: after so long without news the page begins anew. */
const QUIET_MS = 120_000;
/** The server ends streams now and then, to see who still listens: a browser is back before anybody needs to know. */
const BLINK_MS = 1_500;
const CLOSED = 2;

/**
 * Keeps the event stream open. `open` makes an EventSource, `ask` tells the status that the server gives to the same visitor (0: it does not answer),
 * `hear` gets each message, `tell` whether the page is up to date (with the server's status if it said no), and `leave` is called when the visitor is
 * not signed in any more.
 */
export function keepLive({ open, ask, hear, tell, leave, now = Date.now, later = setTimeout }) {
  let source;
  let pause = FIRST_PAUSE_MS;
  let heardAt = now();
  let heard = 0;

  const begin = () => {
    source?.close();
    const own = open();
    source = own;
    heardAt = now();
    for (const name of MESSAGES) {
      own.addEventListener(name, ({ data }) => {
        heardAt = now();
        heard += 1;
        pause = FIRST_PAUSE_MS;
        hear(name, JSON.parse(data));
        tell(true);
      });
    }
    own.addEventListener('error', () => {
      if (own !== source) return;
      if (own.readyState === CLOSED) {
        tryAgain();
        return;
      }
      const before = heard;
      later(() => {
        if (own === source && heard === before) tell(false);
      }, BLINK_MS);
    });
  };

  // A browser comes back by itself after a lost connection, but not after an answer that is no stream.
  const tryAgain = async () => {
    tell(false);
    const status = await ask();
    if (status === 401 || status === 302) return leave();
    tell(false, status);
    later(begin, pause);
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  };

  begin();
  return {
    /** To be called now and then. */
    look() {
      if (source.readyState !== CLOSED && now() - heardAt > QUIET_MS) begin();
    },
  };
}
