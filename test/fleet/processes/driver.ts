import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Commands, Opening, Reply } from './commands.js';

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url));
const NODE_OPTIONS = ['--import', 'tsx', '--unhandled-rejections=strict'];
/** Nothing that a process is asked for takes longer. */
const ANSWER_MS = 40_000;
const END_MS = 5_000;

/** Another process, which does what it is told. */
export interface FleetProcess {
  readonly name: string;
  readonly tell: Commands;
  /** Ends it by its own closing, and by force if that takes too long. */
  end(): Promise<void>;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
}

export interface FleetOptions {
  /** The package as it is written (default), or as it was built. */
  readonly from?: 'src' | 'dist' | undefined;
}

interface Pending {
  resolve(value: never): void;
  reject(error: Error): void;
}

/** Starts processes side by side; `openFleet` has them join one. */
export async function startProcesses(count: number, { from = 'src' }: FleetOptions = {}): Promise<FleetProcess[]> {
  const processes = Array.from({ length: count }, (_, index) => new Child(`process ${index + 1}`, from));
  try {
    await Promise.all(processes.map((one) => one.started));
    return processes;
  } catch (error) {
    await endFleet(processes);
    throw error;
  }
}

/** On either client by turns: both are in every fleet of more than one. */
export async function openFleet(processes: readonly FleetProcess[], opening: Omit<Opening, 'client'>): Promise<void> {
  await Promise.all(processes.map(({ tell }, index) => tell.open({ ...opening, client: index % 2 === 0 ? 'node-redis' : 'ioredis' })));
}

export async function endFleet(processes: readonly FleetProcess[]): Promise<void> {
  await Promise.all(processes.map((one) => one.end()));
}

class Child implements FleetProcess {
  readonly name: string;
  readonly tell: Commands;
  readonly started: Promise<void>;
  readonly #process: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  #asked = 0;

  constructor(name: string, from: string) {
    this.name = name;
    this.#process = fork(CHILD, [from], { execArgv: NODE_OPTIONS, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#process.on('message', (reply: Reply) => this.#heard(reply));
    this.#process.on('exit', (code, signal) => this.#gone(`${name} ended with ${code ?? signal}`));
    this.started = this.#answer(0, 'start');
    // Each command that is named is a question of that name.
    this.tell = new Proxy({} as Commands, {
      get:
        (_, command: keyof Commands) =>
        (...values: readonly unknown[]) =>
          this.#ask(command, values),
    });
  }

  async end(): Promise<void> {
    const { exitCode, signalCode } = this.#process;
    if (exitCode !== null || signalCode !== null) return;
    const gone = new Promise<void>((resolve) => this.#process.once('exit', () => resolve()));
    const force = setTimeout(() => this.#process.kill('SIGKILL'), END_MS);
    await this.tell.close().catch(() => {});
    if (this.#process.connected) this.#process.disconnect();
    await gone;
    clearTimeout(force);
  }

  async kill(): Promise<void> {
    const gone = new Promise<void>((resolve) => this.#process.once('exit', () => resolve()));
    this.#process.kill('SIGKILL');
    await gone;
  }

  #ask(command: keyof Commands, values: readonly unknown[]): Promise<never> {
    const id = ++this.#asked;
    const answer = this.#answer(id, command);
    if (this.#process.connected) this.#process.send({ id, command, values });
    else this.#gone(`${this.name} is gone`);
    return answer;
  }

  #answer(id: number, what: string): Promise<never> {
    return new Promise<never>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${this.name}: ${what}: no answer within ${ANSWER_MS} ms`)), ANSWER_MS);
      late.unref();
      const done = (): void => {
        clearTimeout(late);
        this.#pending.delete(id);
      };
      this.#pending.set(id, {
        resolve(value) {
          done();
          resolve(value);
        },
        reject(error) {
          done();
          reject(error);
        },
      });
    });
  }

  #heard({ id, value, error }: Reply): void {
    const pending = this.#pending.get(id);
    if (error === undefined) pending?.resolve(value as never);
    else pending?.reject(new Error(`${this.name}: ${error}`));
  }

  #gone(why: string): void {
    for (const pending of [...this.#pending.values()]) pending.reject(new Error(why));
  }
}
