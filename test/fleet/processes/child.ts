import type { Reply, Request } from './commands.js';
import { Gateway } from './gateway.js';
import { importPackage } from './package.js';

// Without whoever started it there is nothing left to do.
process.on('disconnect', () => process.exit());

const gateway = new Gateway(await importPackage(process.argv[2] ?? 'src'));

process.on('message', ({ id, command, values }: Request) => {
  const answer = (reply: Omit<Reply, 'id'>): void => void process.send?.({ id, ...reply });
  const ask = gateway[command] as (...values: readonly unknown[]) => Promise<unknown>;
  ask.apply(gateway, values as unknown[]).then(
    (value) => answer({ value }),
    (error: unknown) => answer({ error: String(error) }),
  );
});
process.send?.({ id: 0 });
