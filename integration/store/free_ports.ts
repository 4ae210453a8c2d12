import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Loopback ports that nobody uses, no two of them the same. Below those that the kernel gives to clients: a client that
 * tries again and again to reach a server that is away would at last get the server's port for its own end, and keep it.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = randomInt(15_000, 32_000);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
