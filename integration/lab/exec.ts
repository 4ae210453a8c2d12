// Runs a program to its end and collects what it prints.
import { spawn } from 'node:child_process';
import { patient } from './wait.ts';

export type Result = { readonly code: number; readonly stdout: string; readonly stderr: string };
export type ExecOptions = {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Times the lab's patience. */
  readonly timeoutMs?: number;
  readonly cwd?: string;
  /** Ends the program (SIGTERM) when it aborts; the code is then 128. */
  readonly signal?: AbortSignal | undefined;
};

/** Never throws for a non-zero exit; 127 when the program does not exist, 124 after the timeout. */
export function exec(command: readonly string[], options: ExecOptions = {}): Promise<Result> {
  const [program = '', ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: options.env ?? process.env,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    let stdout = '';
    let stderr = '';
    let timedOut = false;
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const timer = setTimeout(
      () => {
        timedOut = true;
        child.kill('SIGKILL');
      },
      patient(options.timeoutMs ?? 240_000),
    );
    const end = (): void => void child.kill('SIGTERM');
    if (options.signal?.aborted) end();
    options.signal?.addEventListener('abort', end);
    const settle = (): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', end);
    };
    child.on('error', (cause) => {
      settle();
      resolve({ code: 127, stdout, stderr: `${stderr}${cause.message}` });
    });
    child.on('close', (code, signal) => {
      settle();
      resolve({ code: timedOut ? 124 : (code ?? (signal ? 128 : 1)), stdout, stderr });
    });
    child.stdin.on('error', () => {}); // the program may end before it has read everything
    child.stdin.end(options.input ?? '');
  });
}

/** Like exec(), but a non-zero exit throws with what the program said. */
export async function execOk(
  command: readonly string[],
  options: ExecOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await exec(command, options);
  if (code !== 0) {
    throw new Error(
      `Cannot run "${command.join(' ')}": exit ${code}: ${(stderr || stdout).trim()}`,
    );
  }
  return stdout;
}
