import { createHash } from 'node:crypto';
import { COMMON } from './lua/common.js';
import { ENTER, LEAVE, LOCK, UNLOCK } from './lua/coordination.js';
import { PUSH } from './lua/push.js';
import { CHANGED_SINCE, HELLO, LOAD } from './lua/reading.js';

/** Several steps that Redis takes as one. */
export interface Script {
  readonly lua: string;
  /** By which the server knows it once it has run it. */
  readonly digest: string;
}

/** The first key of each is `{NAMESPACE}:lk:meta`: the others are made from it, and share its slot of a cluster. */
export const SCRIPTS = {
  hello: script(HELLO),
  push: script(PUSH),
  load: script(LOAD),
  changedSince: script(CHANGED_SINCE),
  lock: script(LOCK),
  unlock: script(UNLOCK),
  enter: script(ENTER),
  leave: script(LEAVE),
} as const;

function script(body: string): Script {
  const lua = `${COMMON}\n${body}`;
  return { lua, digest: createHash('sha1').update(lua).digest('hex') };
}
