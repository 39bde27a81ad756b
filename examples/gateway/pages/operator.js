import { createFetchJson, installAuthWatch, takeReturnTo, UpstreamAuthError } from '/assets/latchkey/browser/index.js';

const REFRESH_MS = 3_000;
const COUNTERS = ['captures', 'attempts', 'accepted', 'rejected', 'skipped', 'parked', 'incidents', 'openIncidents', 'sessions', 'waiting'];

const byId = (id) => document.getElementById(id);
const notice = (text) => {
  byId('notice').textContent = text;
};

installAuthWatch();
const fetchJson = createFetchJson();
window.addEventListener('latchkey:authentication-required', () => notice('Your session has ended. You are taken to the login page.'));

/** By upstream: how to call it, and whether a credential for it was usable when that was last asked. */
const panels = new Map();

// After a login the server leads back to the path; what stood behind the # is known here only.
const returnTo = takeReturnTo();
if (returnTo.startsWith(`${location.pathname}${location.search}#`)) history.replaceState(null, '', returnTo);

function addPanel(name) {
  const panel = byId('panel').content.firstElementChild.cloneNode(true);
  const [title, button, state, detail] = ['h3', 'button', '.state', '.detail'].map((selector) => panel.querySelector(selector));
  panel.dataset.upstream = name;
  title.textContent = name;
  button.setAttribute('aria-label', `Call ${name}`);
  const show = (kind, text, more = '') => {
    panel.dataset.state = kind;
    state.textContent = text;
    detail.textContent = more;
  };
  const call = async () => {
    // Not disabled, which would lose the keyboard's focus.
    if (panel.dataset.state === 'busy') return;
    show('busy', 'Calling…');
    try {
      const { data } = await fetchJson(`/api/upstreams/${encodeURIComponent(name)}/models`);
      show('good', 'Works', `Models: ${data.map(({ id }) => id).join(', ')}`);
    } catch (error) {
      if (error instanceof UpstreamAuthError)
        show('bad', `Rejected with ${error.status}`, `${name} does not take the credential. Your own session is fine.`);
      else show('bad', error.status === undefined ? 'No answer' : `Failed with ${error.status}`, detailOf(error));
    }
    showSessions();
  };
  button.addEventListener('click', call);
  panels.set(name, { panel, call, callable: false });
  byId('upstreams').append(panel);
  return call();
}

/** The gateway's own errors bring an explanation. */
function detailOf(error) {
  try {
    return JSON.parse(error.body).detail ?? '';
  } catch {
    return 'The gateway could not be reached, or gave no reason.';
  }
}

async function showSessions() {
  try {
    const { sessions, callable, stats } = await fetchJson('/api/sessions');
    byId('sessions').replaceChildren(...sessions.map(sessionRow));
    byId('no-sessions').hidden = sessions.length > 0;
    byId('counters').replaceChildren(...COUNTERS.map((name) => counter(name, stats[name])));
    notice('');
    callAgain(callable);
  } catch {
    notice('The gateway does not answer. What stands here may be old.');
  }
}

/** What has failed is called once more when fresh auth has come. */
function callAgain(callable) {
  for (const [name, known] of panels) {
    const before = known.callable;
    known.callable = callable.includes(name);
    if (known.callable && !before && known.panel.dataset.state === 'bad') known.call();
  }
}

function sessionRow({ provider, fingerprint, state, since, unblock, lastSeen }) {
  const row = document.createElement('tr');
  row.append(cell(provider), cell(fingerprint ?? '–', 'code'), cell(''), cell(time(lastSeen)));
  const badge = document.createElement('span');
  badge.className = state === 'usable' ? 'badge good' : 'badge bad';
  badge.textContent = state === 'usable' ? 'goes on' : `paused: ${state}`;
  row.children[2].append(badge);
  if (state !== 'usable' && since !== undefined) row.children[2].append(` since ${time(since)}`);
  if (unblock !== undefined) {
    const hint = document.createElement('p');
    hint.className = 'quiet';
    hint.textContent = `Goes on with ${unblock}.`;
    row.children[2].append(hint);
  }
  return row;
}

function cell(text, className = '') {
  const element = document.createElement('td');
  element.textContent = text;
  element.className = className;
  return element;
}

function counter(name, value) {
  const group = document.createElement('div');
  const [term, number] = [document.createElement('dt'), document.createElement('dd')];
  term.textContent = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  number.textContent = String(value);
  group.append(term, number);
  return group;
}

const time = (ms) => new Date(ms).toLocaleTimeString();

const { upstreams } = await fetchJson('/api/upstreams');
const only = new URLSearchParams(location.search).get('upstream');
await Promise.all(upstreams.filter((name) => only === null || name === only).map(addPanel));
setInterval(showSessions, REFRESH_MS);
