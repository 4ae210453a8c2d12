// The node's start-up as a process of its own, on the interfaces of a network namespace.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ResourceService } from '@calico/proto/api/v1/resources';
import { RpcError, type RpcServer, type ServiceHandlers, serveRpc } from '@calico/rpc';
import { cannotRun, makeNetns, runIn } from '../kernel/netns_fixture.ts';
import { compileCache, ROOT } from '../lab/mod.ts';

type Handlers = ServiceHandlers<typeof ResourceService>;

const directory = mkdtempSync(join(tmpdir(), 'startup-'));
const address = `unix:${join(directory, 'api.sock')}`;
const documents = new Map<string, string>();
let host = '';
let server: RpcServer | undefined;

after(async () => {
  await server?.stop(100);
  rmSync(directory, { recursive: true, force: true });
});

describe('the start-up of a node', { skip: cannotRun, concurrency: false }, () => {
  before(() => {
    host = makeNetns();
    for (const [name, cidr] of [
      ['ens33', '192.168.80.102/24'],
      ['ens34', '10.0.0.5/8'],
    ]) {
      runIn(host, `ip link add ${name} type veth peer name ${name}p`);
      runIn(host, `ip link set ${name} up`);
      runIn(host, `ip link set ${name}p up`);
      runIn(host, `ip addr add ${cidr} dev ${name}`);
    }
    runIn(host, 'ip addr add 192.168.80.202/24 dev ens33');
    runIn(host, 'ip link add cali123 type veth peer name cali123p');
    runIn(host, 'ip link set cali123 up');
    runIn(host, 'ip addr add 10.244.0.1/32 dev cali123');
    runIn(host, 'ip route add 172.16.0.0/16 via 10.0.0.1');
  });

  test('refuses to guess between two interfaces, and says what decides', async () => {
    const { code, log } = await start({ IP: 'autodetect' });
    assert.equal(code, 1);
    assert.match(log, /ens33 192.168.80.102\/24, ens34 10.0.0.5\/8 are equally good/);
    assert.match(log, /Set IP_AUTODETECTION_METHOD/);
  });

  test('tells every wrong setting at once and exits with 78', async () => {
    const { code, log } = await start({ AS: 'x', IP_AUTODETECTION_METHOD: 'guess' });
    assert.equal(code, 78);
    assert.match(log, /2 wrong setting\(s\)[\s\S]*IP_AUTODETECTION_METHOD="guess"[\s\S]*AS="x"/);
  });

  test('refuses plain text to an api that is not local, as a wrong setting', async () => {
    const { code, log } = await start({ CALICO_API_ADDRESS: '192.168.80.10:5671' });
    assert.equal(code, 78);
    assert.match(
      log,
      /^startup: Cannot start: .*\n {2}CALICO_API_ADDRESS="192.168.80.10:5671": .*TLS/,
    );
  });

  test('waits for the api, then writes node, pool and cluster', async () => {
    const waiting = Promise.withResolvers<void>();
    const environment = {
      IP_AUTODETECTION_METHOD: 'interface=ens33',
      CALICO_IPV4POOL_CIDR: '10.244.0.0/16',
      AS: '64512',
    };
    const starting = start(environment, (log) => {
      if (log.includes('waiting for the api')) waiting.resolve();
    });
    await Promise.race([waiting.promise, starting]);
    server = await serveRpc({
      services: [[ResourceService, handlers()]],
      listen: address,
      insecure: false,
      logger: { info: () => {}, error: console.error },
    });
    const { code, log } = await starting;
    assert.equal(code, 0, log);
    assert.deepEqual(spec('Node/k8s-node02').bgp, {
      ipv4Address: '192.168.80.102/24',
      asNumber: 64_512,
    });
    assert.equal(spec('IPPool/default-ipv4-ippool').cidr, '10.244.0.0/16');
    assert.match(spec('ClusterInformation/default').clusterGUID ?? '', /^[0-9a-f]{32}$/);
  });

  test('finds the address by the route to a destination', async () => {
    const { code, log } = await start({
      IP: 'autodetect',
      IP_AUTODETECTION_METHOD: 'can-reach=172.16.0.1',
    });
    assert.equal(code, 0, log);
    assert.equal(spec('Node/k8s-node02').bgp?.ipv4Address, '10.0.0.5/8');
  });
});

function start(
  env: Record<string, string>,
  onLog: (log: string) => void = () => {},
): Promise<{ code: number | null; log: string }> {
  const entry = join(ROOT, 'services', 'felix', 'startup_main.ts');
  const child = spawn('ip', ['netns', 'exec', host, process.execPath, entry], {
    env: {
      PATH: process.env['PATH'],
      ...compileCache(),
      CALICO_NODENAME: 'k8s-node02',
      CALICO_API_ADDRESS: address,
      ...env,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
    onLog(log);
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, log })));
}

type Spec = {
  readonly bgp?: { readonly ipv4Address?: string; readonly asNumber?: number };
  readonly cidr?: string;
  readonly clusterGUID?: string;
};

function spec(key: string): Spec {
  return (JSON.parse(documents.get(key) ?? '{}') as { spec?: Spec }).spec ?? {};
}

function stored(key: string): { json: string } {
  return { json: documents.get(key) ?? '' };
}

// The api as far as the start-up uses it; its own rules are tested where it lives.
function handlers(): Handlers {
  const some: Partial<Handlers> = {
    get: async ({ key }) => {
      const name = `${key?.kind}/${key?.name}`;
      if (!documents.has(name)) throw new RpcError('NOT_FOUND', `no ${name}`);
      return { resource: stored(name) };
    },
    list: async ({ kind }) => ({
      resources: [...documents.keys()].filter((key) => key.startsWith(`${kind}/`)).map(stored),
    }),
    create: async ({ resource }) => write(resource),
    replace: async ({ resource }) => write(resource),
  };
  return some as Handlers;
}

async function write(resource: { kind: string; name: string; json: string } | undefined) {
  documents.set(`${resource?.kind}/${resource?.name}`, resource?.json ?? '');
  return {};
}
