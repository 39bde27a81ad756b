import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { describe } from 'vitest';
import { freePort } from './free-port.js';

// A test may have frozen the time; a real server lives in the real one.
const { setTimeout: startRealTimer } = globalThis;
const realNow = Date.now;

/** `LATCHKEY_REDIS_SERVER`, or the first `redis-server` in PATH. */
function findRedis(): string | undefined {
  const named = process.env['LATCHKEY_REDIS_SERVER'];
  if (named !== undefined && named !== '') return named;
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin'].filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, 'redis-server')).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whether there is a redis-server to start. */
export const redisAvailable: boolean = findRedis() !== undefined;

/**
 * A suite that needs a Redis server. Where there is none it is skipped, said loudly, unless somebody insists
 * (`LATCHKEY_REQUIRE_SERVICES=1`): then it fails.
 */
export function describeWithRedis(name: string, suite: () => void): void {
  if (!redisAvailable) {
    const missing = 'no redis-server in PATH, and LATCHKEY_REDIS_SERVER names none';
    if (process.env['LATCHKEY_REQUIRE_SERVICES'] === '1') throw new Error(missing);
    console.warn(`SKIPPED: ${missing}: ${name} is not tested`);
  }
  describe.skipIf(!redisAvailable)(name, suite);
}

export interface RedisServer {
  readonly port: number;
  readonly url: string;
  /** Of the process that serves now: another one after `restart`. */
  readonly pid: number;
  /** Ends it, if it is still there, and removes its folder. */
  stop(): Promise<void>;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
  /** It keeps its connections and answers nothing. */
  pause(): void;
  resume(): void;
  /** The same port, empty. */
  restart(): Promise<void>;
}

/** A Redis server of its own on a free port of the loopback interface, with nothing in it and nothing written to disk. */
export async function startRedis(options: { port?: number; dir?: string } = {}): Promise<RedisServer> {
  const executable = findRedis();
  if (executable === undefined) throw new Error('no redis-server in PATH, and LATCHKEY_REDIS_SERVER names none');
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'latchkey-redis-')));
  const removed = async (): Promise<void> => {
    if (options.dir === undefined) await rm(dir, { recursive: true, force: true });
  };
  let child: ChildProcess;
  let port: number;
  try {
    ({ child, port } = await launch(executable, dir, options.port));
  } catch (error) {
    await removed();
    throw error;
  }
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    // A paused one would keep the signal for later.
    if (signal === 'SIGTERM') child.kill('SIGCONT');
    await ended(child, signal);
  };
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      return child.pid ?? 0;
    },
    async stop() {
      await end('SIGTERM');
      await removed();
    },
    kill: () => end('SIGKILL'),
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    async restart() {
      await end('SIGKILL');
      ({ child } = await launch(executable, dir, port));
    },
  };
}

async function launch(executable: string, dir: string, wanted: number | undefined): Promise<{ child: ChildProcess; port: number }> {
  // A free port may be taken by somebody else before the server gets to it.
  for (let attempt = 1; ; attempt++) {
    const port = wanted ?? (await freePort());
    const options = ['--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'no', '--protected-mode', 'no'];
    const child = spawn(executable, ['--port', String(port), ...options], { stdio: 'ignore' });
    const orphaned = (): void => void child.kill('SIGKILL');
    process.once('exit', orphaned);
    child.once('exit', () => process.removeListener('exit', orphaned));
    try {
      await answering(child, port);
      return { child, port };
    } catch (error) {
      await ended(child, 'SIGKILL');
      if (attempt === 3) throw error;
    }
  }
}

async function answering(child: ChildProcess, port: number): Promise<void> {
  let failure: Error | undefined;
  child.once('error', (error) => {
    failure = error;
  });
  for (const until = realNow() + 10_000; realNow() < until; ) {
    if (failure !== undefined) throw failure;
    if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`);
    if (await pings(port)) return;
    await new Promise((resolve) => startRealTimer(resolve, 20));
  }
  throw new Error('redis-server does not answer');
}

function pings(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    const done = (ok: boolean): void => {
      socket.destroy();
      resolve(ok);
    };
    socket.setTimeout(1_000, () => done(false));
    socket.once('data', (data) => done(data.toString().startsWith('+PONG')));
    socket.once('error', () => done(false));
    socket.once('close', () => resolve(false));
  });
}

async function ended(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill(signal);
  await gone;
}
