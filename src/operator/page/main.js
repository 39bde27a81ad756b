import { actionsFor, forgiveCredential } from './actions.js';
import { createDialog } from './dialog.js';
import { byId, say, setAttribute } from './elements.js';
import { createFilterBar } from './filter-bar.js';
import { createIncidentItems } from './incident-list.js';
import { keepLive } from './live.js';
import { applyMessage, createModel } from './model.js';
import { askStatus } from './requests.js';
import { createScopeRows } from './scope-table.js';
import { pageOf, selectRows } from './select.js';
import { summarise } from './summary.js';
import { createTimelineItems } from './timeline-list.js';
import { clockTime, counted, grouped } from './wording.js';

const PAGE_SIZE = 50;
const RENDER_MS = 16;
/** Incidents come in crowds: what is said aloud waits for the rest of them. */
const SUMMARY_MS = 1_500;
const SHOWN_STATS = [
  ...[
    'sessions',
    'identities',
    'running',
    'waiting',
    'refreshing',
    'attempts',
    'accepted',
    'rejected',
    'refreshes',
    'refreshed',
    'refreshesFailed',
  ],
  ...['probes', 'reports', 'errors', 'store'],
];

const model = createModel();
const timeNow = () => Date.now() + model.skew;
const fresh = [];
let pageShown = 0;
let isScheduled = false;
let isAsked = true;
/** What the filter leaves; undefined when the rows or the filter have changed. */
let selection;
let lastNews;
let isLive;

/** Said aloud, and readable until the next. */
function announce(text) {
  say(byId('news'), text);
  say(byId('news-time'), clockTime(timeNow(), timeNow()));
}

function schedule() {
  if (isScheduled) return;
  isScheduled = true;
  // A timer, not a frame: a tab in the background has no frames, but a title.
  setTimeout(() => inPlace(render), RENDER_MS);
}

function renderAsked() {
  isAsked = true;
  schedule();
}

function goToLogin() {
  announce('You are signed out. You are taken to the login.');
  location.assign('./');
}

const dialog = createDialog({ timeNow, onDone: announce, onSignedOut: goToLogin });
const filterBar = createFilterBar({
  onChange() {
    pageShown = 0;
    selection = undefined;
    renderAsked();
  },
});
const scopeRows = createScopeRows(byId('scopes'), { timeNow, onDetails: (row) => dialog.details(row, actionsFor(row, model.rows)) });
const timelineItems = createTimelineItems(byId('timeline'), { timeNow });
const incidentItems = createIncidentItems(byId('incidents'), {
  timeNow,
  onShow(incident) {
    filterBar.change({ states: [], tenant: '', provider: '', text: incident });
    byId('scopes-title').focus();
  },
  onForgive: (fingerprint) => dialog.confirm(forgiveCredential(fingerprint, model.rows)),
});

for (const [id, step] of [
  ['previous', -1],
  ['next', 1],
]) {
  byId(id).addEventListener('click', () => {
    if (byId(id).getAttribute('aria-disabled') === 'true') return;
    pageShown += step;
    renderAsked();
  });
}

function render() {
  isScheduled = false;
  if (!model.loaded) return;
  if (selection === undefined) {
    selection = selectRows(model.rows, filterBar.filter);
    filterBar.show(selection);
  }
  const { selected, matches, tenants, hasPurposes } = selection;
  const { page, last, first, items } = pageOf(selected, pageShown, PAGE_SIZE);
  pageShown = page;
  scopeRows.show(items, isAsked);
  isAsked = false;
  dialog.look(model.rows);
  const table = byId('scopes');
  table.classList.toggle('no-tenants', tenants.size === 0);
  table.classList.toggle('no-purposes', !hasPurposes);
  byId('empty').hidden = selected.length > 0;
  say(byId('empty'), model.rows.size === 0 ? 'No client has presented a credential yet.' : 'No scope matches the filter.');
  const upTo = first + items.length;
  say(byId('shown'), selected.length === 0 ? '0 scopes' : `${grouped(first + 1)}–${grouped(upTo)} of ${counted(selected.length, 'scope')}`);
  setAttribute(byId('previous'), 'aria-disabled', String(page === 0));
  setAttribute(byId('next'), 'aria-disabled', String(page === last));
  byId('pager').hidden = last === 0;

  incidentItems.show(model.incidents, model.rows);
  say(byId('incident-count'), model.incidents.length === 0 ? 'none' : grouped(model.incidents.length));
  byId('no-entries').hidden = timelineItems.show(model.timeline, matches) > 0;
  for (const name of SHOWN_STATS) {
    const value = model.stats[name];
    byId(`stat-${name}`).parentElement.hidden = value === undefined;
    say(byId(`stat-${name}`), typeof value === 'number' ? grouped(value) : (value ?? ''));
  }
  setAttribute(byId('stat-store').parentElement, 'data-value', model.stats.store ?? '');
  const open = model.incidents.length;
  document.title = `${isLive ? '' : 'Connection lost – '}${open === 0 ? '' : `${counted(open, 'incident')} – `}Latchkey`;
}

/** An incident that opens above must not push a row away from under the pointer. Once a page is scrolled, browsers see to it themselves. */
function inPlace(change) {
  const held = isAsked || scrollY > 0 ? undefined : scopeRows.held();
  const before = held?.getBoundingClientRect().top;
  change();
  if (held?.isConnected) scrollBy({ top: held.getBoundingClientRect().top - before, behavior: 'instant' });
}

function sayFresh() {
  const text = summarise(fresh.splice(0));
  if (text !== '') announce(text);
}

function hear(name, data) {
  applyMessage(model, name, data, Date.now());
  lastNews = timeNow();
  if (name === 'state' || name === 'rows') selection = undefined;
  if (name === 'entry' && (data.event === 'incident' || data.event === 'recovered')) {
    if (fresh.length === 0) setTimeout(sayFresh, SUMMARY_MS);
    fresh.push(data);
  }
  schedule();
}

function tellLive(live, status) {
  const since = lastNews === undefined ? 'Nothing has come yet.' : `What stands here is from ${clockTime(lastNews, timeNow())}.`;
  const said = status === undefined || status === 0 ? '' : ` The server answers ${status}.`;
  say(byId('lost'), live ? '' : `Connection lost. ${since}${said} Trying again…`);
  if (live === isLive) return;
  if (!live) announce(`Connection lost. ${since}`);
  else if (isLive === false) announce(`Connected again. ${counted(model.incidents.length, 'open incident')}.`);
  isLive = live;
  say(byId('connection'), live ? 'Live' : 'Connection lost');
  setAttribute(document.body, 'data-live', String(live));
  schedule();
}

const live = keepLive({ open: () => new EventSource('events?view=page'), ask: askStatus, hear, tell: tellLive, leave: goToLogin });
say(byId('zone'), Intl.DateTimeFormat().resolvedOptions().timeZone);
setInterval(() => {
  live.look();
  schedule();
}, 1_000);
