// The api service as a process of its own, on loopback, with an etcd of the test's.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ResourceService } from '@calico/proto/api/v1/resources';
import { connectRpc, type RpcClient } from '@calico/rpc';

const MAIN = fileURLToPath(new URL('../../services/api/main.ts', import.meta.url));
const RUN = 'Deno' in globalThis ? ['run', '-A', '--no-check', MAIN] : [MAIN];

export type ApiClient = RpcClient<typeof ResourceService>;

/** Of a busy machine. */
const START_MS = 120_000;
/** Longer than what etcd may take. */
const CALL_MS = 90_000;

export type ApiProcess = {
  readonly address: string;
  readonly http: string;
  readonly client: ApiClient;
  readonly log: () => string;
  readonly alive: () => boolean;
  readonly stop: () => Promise<void>;
};

/** Starts it and waits until it listens (not until etcd answers). NATS is nowhere. */
export async function startApi(etcdEndpoint: string): Promise<ApiProcess> {
  const child = spawn(process.execPath, RUN, {
    env: {
      ...process.env,
      ETCD_ENDPOINTS: etcdEndpoint,
      // A slow disk is not what is tested; an etcd that is away refuses at once.
      ETCD_TIMEOUT_SECONDS: '60',
      NATS_URL: 'nats://127.0.0.1:1',
      CALICO_LISTEN: '127.0.0.1:0',
      CALICO_HTTP_LISTEN: '127.0.0.1:0',
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const state = { ended: false };
  const end = new Promise<void>((resolve) =>
    child.once('close', () => {
      state.ended = true;
      resolve();
    }),
  );
  const kill = (): void => {
    if (child.pid !== undefined && !state.ended) process.kill(child.pid, 'SIGKILL');
  };
  process.once('exit', kill);
  const logged = async (message: string, field: string): Promise<string> => {
    for (const limit = performance.now() + START_MS; performance.now() < limit && !state.ended; ) {
      const line = text.split('\n').find((each) => each.includes(`"message":"${message}"`));
      if (line !== undefined) return String((JSON.parse(line) as Record<string, unknown>)[field]);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    kill();
    throw new Error(`Cannot start api: ${text}`);
  };
  const address = await logged('listening', 'address');
  const http = await logged('started', 'http');
  const client = connectRpc(ResourceService, address, { timeoutMs: CALL_MS });
  const stop = async (): Promise<void> => {
    client.close();
    kill();
    await end;
    process.off('exit', kill);
  };
  return { address, http, client, log: () => text, alive: () => !state.ended, stop };
}

/** Resolves when what every cluster has is there. */
export async function untilReady({ http, log }: ApiProcess): Promise<void> {
  for (const end = performance.now() + START_MS; performance.now() < end; ) {
    const { status } = await fetch(`http://${http}/readiness`);
    if (status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`Cannot use api: not ready after ${START_MS} ms: ${log()}`);
}
