import type { Latchkey } from 'latchkey';

/** Prints a line an event: fingerprints, statuses and codes. Returns how to stop. */
export function printEvents(latchkey: Latchkey, print: (line: string) => void): () => void {
  const line = (name: string, text: string): void => print(`${name.padEnd(13)} ${text}`);
  const stops = [
    latchkey.on('captured', ({ fingerprint, refreshed }) => {
      if (refreshed !== true) line('captured', fingerprint);
    }),
    latchkey.on('rejected', ({ fingerprint, status }) => line('rejected', `${fingerprint} with ${status}`)),
    latchkey.on('refreshed', ({ fingerprint, from }) => line('refreshed', `${from} -> ${fingerprint}`)),
    latchkey.on('refreshFailed', ({ kind, status, code, next }) =>
      line(
        'refreshFailed',
        [kind, status, code, next === undefined ? 'not tried again' : `next try in ${secondsTo(next)} s`].filter(Boolean).join(', '),
      ),
    ),
    latchkey.on('status', ({ from, state, reason, next }) =>
      line(
        'status',
        `${from} -> ${state}${reason === undefined ? '' : ` (${reason})`}${next === undefined ? '' : `, next try in ${secondsTo(next)} s`}`,
      ),
    ),
    latchkey.on('retried', ({ fingerprint }) => line('retried', `with ${fingerprint}`)),
    latchkey.on('incident', ({ incident }) => line('incident', `${incident.fingerprint} opened`)),
    latchkey.on('recovered', ({ incident }) => line('recovered', `${incident.fingerprint}, by ${incident.end}`)),
    latchkey.on('error', ({ origin }) => line('error', `a ${origin} failed`)),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

export function secondsTo(moment: number): number {
  return Math.max(0, Math.round((moment - Date.now()) / 1_000));
}
