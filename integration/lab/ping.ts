// Probes between namespaces.
import { exec } from './exec.ts';
import { inNamespace } from './fabric.ts';
import { PATIENCE } from './wait.ts';

export type PingResult = {
  readonly sent: number;
  readonly received: number;
  readonly averageMs: number | undefined;
};

/** Waits `timeoutSeconds` (times the lab's patience) for the last answer. */
export async function ping(
  namespace: string,
  address: string,
  { count = 1, intervalSeconds = 0.2, timeoutSeconds = 1 } = {},
): Promise<PingResult> {
  const limit = count * intervalSeconds * 1000 + timeoutSeconds * 1000 + 30_000;
  const { stdout } = await exec(
    inNamespace(namespace, [
      'ping',
      '-n',
      '-q',
      '-c',
      `${count}`,
      '-i',
      `${intervalSeconds}`,
      '-W',
      `${timeoutSeconds * PATIENCE}`,
      address,
    ]),
    { timeoutMs: limit },
  );
  const counts = /(\d+) packets transmitted, (\d+) received/.exec(stdout);
  const average = /= [\d.]+\/([\d.]+)\//.exec(stdout);
  return {
    sent: Number(counts?.[1] ?? count),
    received: Number(counts?.[2] ?? 0),
    averageMs: average?.[1] === undefined ? undefined : Number(average[1]),
  };
}

/** Whether a TCP connection to address:port is accepted within the time (times the lab's patience). */
export async function connects(
  namespace: string,
  address: string,
  port: number,
  timeoutSeconds = 1,
): Promise<boolean> {
  const { code } = await exec(
    inNamespace(namespace, [
      'nc',
      '-n',
      '-z',
      '-w',
      `${Math.ceil(timeoutSeconds * PATIENCE)}`,
      address,
      `${port}`,
    ]),
    { timeoutMs: timeoutSeconds * 1000 + 30_000 },
  );
  return code === 0;
}
