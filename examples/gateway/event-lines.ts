import type { Latchkey } from 'latchkey';

/** Prints a line an event: providers and fingerprints, and never what clients call their sessions. Returns how to stop. */
export function printEvents(latchkey: Latchkey, print: (line: string) => void): () => void {
  const line = (name: string, provider: string | undefined, text: string): void => print(`${name.padEnd(9)} ${provider ?? '-'} ${text}`);
  const stops = [
    latchkey.on('captured', ({ scope, fingerprint, usable }) =>
      line('captured', scope.provider, `${fingerprint}${usable ? '' : ', known to be dead'}`),
    ),
    latchkey.on('rejected', ({ scope, fingerprint, status, late }) =>
      line('rejected', scope.provider, `${fingerprint} with ${status}${late ? ', too late to matter' : ''}`),
    ),
    latchkey.on('blocked', ({ scope, fingerprint }) =>
      line('blocked', scope.provider, `${fingerprint}: no ${scope.purpose ?? 'operator'} work until fresh auth arrives`),
    ),
    latchkey.on('resumed', ({ scope, end }) => line('resumed', scope.provider, `${scope.purpose ?? 'operator'} work, by ${end}`)),
    latchkey.on('incident', ({ incident }) => line('incident', incident.provider, `${incident.fingerprint} opened`)),
    latchkey.on('recovered', ({ incident }) => line('recovered', incident.provider, `${incident.fingerprint}, by ${incident.end}`)),
    latchkey.on('error', ({ origin }) => line('error', undefined, `a ${origin} failed`)),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
