import { counted, printable } from './wording.js';

/** What is said aloud of what has happened: incidents only, and many of them as a number. */
export function summarise(entries) {
  const opened = entries.filter(({ event }) => event === 'incident');
  const over = entries.filter(({ event }) => event === 'recovered');
  return [told(opened, 'Incident opened', 'opened'), told(over, 'Incident over', 'over')].filter((text) => text !== '').join(' ');
}

function told(entries, words, verb) {
  const [only] = entries;
  if (only === undefined) return '';
  if (entries.length > 1) return `${counted(entries.length, 'incident')} ${verb}.`;
  const { scope, fingerprint, status } = only;
  const about = [
    scope?.provider === undefined ? undefined : printable(scope.provider),
    status === undefined ? undefined : `status ${status}`,
    fingerprint === undefined ? undefined : `credential ${fingerprint}`,
  ].filter((part) => part !== undefined);
  return about.length === 0 ? `${words}.` : `${words}: ${about.join(', ')}.`;
}
