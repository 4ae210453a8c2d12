// A TCP server inside a pod.
import { spawn } from 'node:child_process';
import { connects, eventually, inNamespace, type Pod } from '../lab/mod.ts';

/** Listens on the port in the pod's namespace; the answer stops it. Resolves when it accepts. */
export async function listen(pod: Pod, port: number): Promise<() => void> {
  const [program = '', ...args] = inNamespace(pod.netns, [
    'nc',
    '-n',
    '-d',
    '-k',
    '-l',
    String(port),
  ]);
  const server = spawn(program, args, { stdio: 'ignore' });
  await eventually(
    () => connects(pod.netns, '127.0.0.1', port),
    20_000,
    () => `Cannot listen on ${port} in pod "${pod.name}"`,
  );
  return () => server.kill();
}
