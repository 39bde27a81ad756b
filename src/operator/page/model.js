/** Entries of the timeline that are kept; fewer are shown. */
const KEPT_ENTRIES = 500;

/** The page's copy of what the server knows. `skew`: how far the server's clock is ahead of this one. */
export function createModel() {
  return { loaded: false, skew: 0, rows: new Map(), incidents: [], stats: undefined, timeline: [] };
}

/** Takes in a message of the event stream. `now` is this machine's time. */
export function applyMessage(model, name, data, now) {
  switch (name) {
    case 'state':
      model.loaded = true;
      model.skew = data.at - now;
      model.rows = new Map(data.rows.map((row) => [row.key, row]));
      model.incidents = data.incidents;
      model.stats = data.stats;
      model.timeline = data.timeline.slice(-KEPT_ENTRIES);
      break;
    case 'rows':
      model.skew = data.at - now;
      for (const key of data.removed) model.rows.delete(key);
      for (const row of data.changed) model.rows.set(row.key, row);
      break;
    case 'incidents':
      model.incidents = data;
      break;
    case 'stats':
      model.stats = data;
      break;
    case 'entry':
      model.timeline.push(data);
      if (model.timeline.length > KEPT_ENTRIES) model.timeline.shift();
      break;
  }
}
