// A long-running program of the lab: started in a namespace, its output in a file, stopped by pid.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { inNamespace } from './fabric.ts';
import { patient } from './wait.ts';

export type ProcessPlan = {
  /** "felix", "etcd" … */
  readonly service: string;
  /** Node name, or "control". */
  readonly node: string;
  readonly namespace: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** Outlive the process that started it (a kept lab). */
  readonly detached: boolean;
};

export class ManagedProcess {
  readonly plan: ProcessPlan;
  #child: ChildProcess | undefined;
  #exit: Promise<void> = Promise.resolve();

  constructor(plan: ProcessPlan) {
    this.plan = plan;
  }

  get pid(): number | undefined {
    return this.#child?.exitCode === null && this.#child.signalCode === null
      ? this.#child.pid
      : undefined;
  }

  get running(): boolean {
    return this.pid !== undefined;
  }

  /** Starts it; output is appended to the log file. */
  start(extraEnv: Readonly<Record<string, string>> = {}): void {
    if (this.running) return;
    const { namespace, command, env, logFile, detached } = this.plan;
    mkdirSync(dirname(logFile), { recursive: true });
    const log = openSync(logFile, 'a');
    // The kernel ends it with us, however we end, unless the lab is to be kept.
    const guard = detached ? [] : ['setpriv', '--pdeathsig', 'KILL'];
    const [program = '', ...args] = inNamespace(namespace, [...guard, ...command]);
    const child = spawn(program, args, {
      stdio: ['ignore', log, log],
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: process.env['HOME'] ?? '/root',
        ...compileCache(),
        ...env,
        ...extraEnv,
      },
      detached,
    });
    closeSync(log);
    this.#child = child;
    this.#exit = new Promise((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
    if (detached) child.unref();
  }

  /** Sends a signal and waits for the end; SIGKILL after 30 s. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (!this.running) return;
    this.#child?.kill(signal);
    const timer = setTimeout(() => this.#child?.kill('SIGKILL'), patient(30_000));
    await this.#exit;
    clearTimeout(timer);
  }

  /** Resolves when the program has ended. */
  get ended(): Promise<void> {
    return this.#exit;
  }

  async restart(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.stop(signal);
    this.start();
  }

  /** Everything it has printed. */
  log(): string {
    try {
      return readFileSync(this.plan.logFile, 'utf8');
    } catch {
      return '';
    }
  }
}

/** What the last run of a program has compiled is as good for this one: half of a service's start. */
export function compileCache(): Record<string, string> {
  const directory = process.env['NODE_COMPILE_CACHE'];
  return directory === undefined ? {} : { NODE_COMPILE_CACHE: directory };
}
