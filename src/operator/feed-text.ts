import type { FeedMessage } from './messages.js';

/** A message, and what an event stream has of it: made when the first listener asks for it, and for all of them. */
export interface Prepared {
  readonly message: FeedMessage;
  readonly text: () => string;
}

export function prepared(message: FeedMessage): Prepared {
  let text: string | undefined;
  return {
    message,
    text() {
      text ??= `event: ${message.event}\ndata: ${JSON.stringify(message.data)}\n\n`;
      return text;
    },
  };
}
