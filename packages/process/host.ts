export type StopSignal = 'SIGTERM' | 'SIGINT';

// Every open kernel monitor holds a thread of libuv's pool for its poll(2); with the default of 4 a
// few of them would leave none for files and names. Read when the pool is first used.
process.env['UV_THREADPOOL_SIZE'] ??= '16';

/** What a service needs of the operating system. Tests bring their own. */
export interface Host {
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  stdout(text: string): void;
  stderr(text: string): void;
  onSignal(callback: (signal: StopSignal) => void): void;
  /** Errors that nobody caught. */
  onFault(callback: (error: unknown) => void): void;
  uptimeMs(): number;
  exit(code: number): void;
}

export const processHost: Host = {
  arguments: process.argv.slice(2),
  environment: process.env,
  stdout: (text) => {
    process.stdout.write(text);
  },
  stderr: (text) => {
    process.stderr.write(text);
  },
  onSignal: (callback) => {
    process.on('SIGTERM', () => callback('SIGTERM'));
    process.on('SIGINT', () => callback('SIGINT'));
  },
  onFault: (callback) => {
    process.on('uncaughtException', callback);
    process.on('unhandledRejection', callback);
  },
  uptimeMs: () => process.uptime() * 1000,
  exit: (code) => process.exit(code),
};
