import { randomBytes } from 'node:crypto';
import { startUpstream } from './fake-upstream.js';
import { startGateway } from './gateway.js';
import { playClient } from './make-believe-client.js';
import { distillingPrompt } from './upstream-calls.js';

const PROVIDERS = ['anthropic', 'openai'];
const TOKEN_MS = 8_000;
const CLIENT_EVERY_MS = 20_000;

const upstream = await startUpstream({ tokenMs: TOKEN_MS, pauseMs: 200 });
const password = randomBytes(6).toString('hex');
const print = (line: string): void => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`);
const port = Number(process.env['PORT'] ?? 8080);
const gateway = await startGateway({
  upstreams: Object.fromEntries(PROVIDERS.map((name) => [name, `${upstream.url}/${name}`])),
  users: { demo: password },
  port,
  sessionMs: 60_000,
  warmEveryMs: 2_000,
  idleMs: 3_000,
  print,
}).catch((error: NodeJS.ErrnoException) => {
  if (error.code === undefined) throw error;
  console.error(`The gateway cannot listen on port ${port} (${error.code}). PORT sets another.`);
  process.exit(1);
});

console.log(`The gateway listens on ${gateway.url}. Log in there as demo, with the password ${password}.`);
console.log(`Tokens live for ${TOKEN_MS / 1_000} s, and the clients come back every ${CLIENT_EVERY_MS / 1_000} s. Ctrl-C ends it.\n`);

const ending = new AbortController();
const clients = PROVIDERS.map((name, index) => {
  const { path, body } = distillingPrompt(name, 'hello');
  const everyMs = CLIENT_EVERY_MS + index * 5_000;
  return playClient({ baseUrl: `${gateway.url}/${name}`, path, body, token: async () => upstream.issue(), everyMs, signal: ending.signal });
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end);

async function end(): Promise<void> {
  console.log('\nEnding.');
  ending.abort();
  await Promise.all(clients);
  await gateway.close();
  await upstream.close();
}
