import { afterEach } from 'vitest';
import { type FakeUpstream, startUpstream } from '../../examples/gateway/fake-upstream.js';
import { type Gateway, type GatewayOptions, startGateway } from '../../examples/gateway/gateway.js';

export interface Playing {
  readonly upstream: FakeUpstream;
  readonly gateway: Gateway;
  /** What the gateway printed. */
  readonly lines: string[];
}

export const PASSWORD = 'password-of-the-demo-user';
const FOREVER_MS = 24 * 60 * 60_000;
const ending: (() => Promise<void>)[] = [];

/** The example's gateway before its make-believe upstream; nothing happens in the background but when a test says `tick()`. */
export async function play(options: Partial<GatewayOptions> = {}): Promise<Playing> {
  const upstream = await startUpstream({ tokenMs: FOREVER_MS });
  ending.push(() => upstream.close());
  const lines: string[] = [];
  const gateway = await startGateway({
    upstreams: { anthropic: `${upstream.url}/anthropic`, openai: `${upstream.url}/openai` },
    users: { demo: PASSWORD },
    warmEveryMs: FOREVER_MS,
    idleMs: 0,
    giveUpMs: FOREVER_MS,
    print: (line) => void lines.push(line),
    ...options,
  });
  ending.push(() => gateway.close());
  return { upstream, gateway, lines };
}

/** Ends what a test started, last started first. */
export function endAfterEach(): void {
  afterEach(async () => {
    for (const end of ending.splice(0).reverse()) await end();
  });
}
