// Run as a process of its own: `node --import tsx run.ts PACKAGE with|without`. Prints what the endpoint got, as JSON.
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { latchkeyIntegration, sentryReporter } from '../../../src/adapters/sentry.js';
import { createLatchkey, credentialFromHeaders } from '../../../src/index.js';
import { sentryEndpoint } from '../../support/sentry-endpoint.js';

const [name = '', how = 'with'] = process.argv.slice(2);
// Their types are not installed with the others'.
const Sentry = await import(name);
const endpoint = await sentryEndpoint();
const warnings: string[] = [];
process.on('warning', ({ name: kind }) => warnings.push(kind));
console.log = () => {};
console.warn = () => {};
console.error = () => {};

Sentry.init({
  dsn: endpoint.dsn,
  registerEsmLoaderHooks: false,
  tracesSampleRate: 1,
  integrations: (defaults: unknown[]) => (how === 'with' ? [latchkeyIntegration(), ...defaults] : defaults),
});

// Version 9 instruments a server only if its module is required after `init`.
const { createServer } = createRequire(import.meta.url)('node:http') as typeof import('node:http');

const latchkey = createLatchkey({ fallback: 'none', reporter: sentryReporter(Sentry) });
const scope = { session: 's1', provider: 'anthropic' };
const meet401 = () => latchkey.run(scope, () => Promise.reject(Object.assign(new Error('unauthorized'), { status: 401 })));

const server = createServer(async (request, response) => {
  const { authorization } = request.headers;
  const credential = credentialFromHeaders({ authorization });
  if (credential !== undefined) latchkey.capture(scope, credential);
  Sentry.addBreadcrumb({ message: `captured ${authorization}` });
  console.log('captured', { authorization });
  await meet401().catch((error: unknown) => Sentry.captureException(new Error('warming failed', { cause: error })));
  Sentry.captureException(new Error(`something else with ${authorization}`));
  // Nobody handles it: version 9 gives the promise, later ones the reason.
  void meet401();
  response.end('ok');
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;

const secrets: string[] = [];
for (let incident = 0; incident < 2; incident++) {
  const [token, key, cookie] = [secret(), secret(), secret()];
  secrets.push(token, key, cookie);
  await fetch(url, { headers: { authorization: `Bearer ${token}`, 'x-api-key': key, cookie: `sid=${cookie}` } });
}
await Sentry.flush(5_000);
await Sentry.flush(5_000);

const sent = endpoint.bodies.join('\n');
process.stdout.write(
  JSON.stringify({
    version: Sentry.SDK_VERSION,
    errors: endpoint.errors(),
    transactions: endpoint.transactions().length,
    discarded: endpoint.discarded(),
    leaks: secrets.filter((value) => sent.includes(value)).length,
    warnings,
  }),
);
process.exit(0);

function secret(): string {
  return randomBytes(18).toString('hex');
}
