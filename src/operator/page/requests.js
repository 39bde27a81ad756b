/** The status that the server gives to this visitor; 0 if it does not answer. Where it leads to a login, 302. */
export async function askStatus() {
  try {
    const { type, status } = await fetch('status', { method: 'HEAD', redirect: 'manual', cache: 'no-store' });
    return type === 'opaqueredirect' ? 302 : status;
  } catch {
    return 0;
  }
}

/** What the server explains of a scope. */
export async function askExplanation(scope) {
  // A query is UTF-8, which has no half of a character: the server would explain another scope.
  if (Object.values(scope).some((name) => /\p{Surrogate}/u.test(name)))
    throw new Error('This name holds half of a character, and cannot be asked about here.');
  return requestJson(`explain?${new URLSearchParams(scope)}`, {});
}

/** Asks for an action. @throws {Error} with words for the operator, and the status. */
export function requestAction({ path, body }) {
  return requestJson(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
}

async function requestJson(url, options) {
  let response;
  try {
    response = await fetch(url, { ...options, redirect: 'manual', cache: 'no-store' });
  } catch {
    throw new Error('The server does not answer. Nothing is known of what has become of this.');
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const reason = typeof answer.error === 'string' ? `: ${answer.error}` : '';
  const isSignedOut = response.status === 401 || response.type === 'opaqueredirect';
  throw Object.assign(new Error(`The server said no (${response.status})${reason}`), { isSignedOut });
}
