// Namespaces with our bgp process or with BIRD in each, on one bridge; etcd, NATS and api beside them.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ResourceService } from '@calico/proto/api/v1/resources';
import { BgpService } from '@calico/proto/bgp/v1/bgp';
import { connectRpc, type RpcClient } from '@calico/rpc';
import { type BirdVersion, birdProgram } from '../cluster/foreign_node.ts';
import { type ExecOptions, exec, execOk } from '../lab/exec.ts';
import { deleteNamespaces, inNamespace, ipBatch } from '../lab/fabric.ts';
import { ManagedProcess } from '../lab/managed_process.ts';
import { type Runtime, runtimeCommand } from '../lab/processes.ts';
import { eventually } from '../lab/wait.ts';

const CONTROL = '192.168.80.10';
const NATS = `nats://${CONTROL}:4222`;
/** Of calls to services on a busy machine. */
const CALL_MS = 60_000;
const API_VERSION = 'projectcalico.org/v3';

export type Speaker = {
  readonly name: string;
  readonly address: string;
  readonly namespace: string;
  readonly directory: string;
};

type Plan = {
  readonly service: string;
  readonly namespace: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
};

export class BgpLab {
  /** In a place with a short name, for sockets, that FRR's own user can get at, whatever TMPDIR is. */
  readonly directory = mkdtempSync('/tmp/calico-bgp-');
  readonly runtime: Runtime;
  readonly #prefix = `cbg${randomBytes(3).toString('hex')}`;
  readonly #speakers = new Map<string, Speaker>();
  readonly #processes: ManagedProcess[] = [];
  readonly #clients: { close(): void }[] = [];
  #api: RpcClient<typeof ResourceService> | undefined;

  constructor(runtime: Runtime) {
    this.runtime = runtime;
  }

  /** @param nodes node names with their last octet in 192.168.80.0/24 */
  static async start(
    nodes: Readonly<Record<string, number>>,
    runtime: Runtime = 'node',
  ): Promise<BgpLab> {
    const lab = new BgpLab(runtime);
    try {
      await lab.#build(nodes);
      await lab.#startControl();
      await lab.#configure(nodes);
      return lab;
    } catch (cause) {
      await lab.stop();
      throw cause;
    }
  }

  speaker(name: string): Speaker {
    const speaker = this.#speakers.get(name);
    if (speaker === undefined) throw new Error(`Cannot find speaker "${name}"`);
    return speaker;
  }

  get control(): string {
    return `${this.#prefix}-control`;
  }

  process(name: string): ManagedProcess {
    const found = this.#processes.find(({ plan }) => plan.service === name);
    if (found === undefined) throw new Error(`Cannot find process "${name}"`);
    return found;
  }

  async apply(kind: string, name: string, spec: object, metadata: object = {}): Promise<void> {
    const document = { apiVersion: API_VERSION, kind, metadata: { name, ...metadata }, spec };
    await this.#api?.apply({ resource: { kind, name, json: JSON.stringify(document) } });
  }

  async delete(kind: string, name: string): Promise<void> {
    await this.#api?.delete({ key: { kind, name } });
  }

  /** What ipam writes when a node owns a block. */
  async affinity(node: string, cidr: string): Promise<void> {
    const value = JSON.stringify({ state: 'confirmed', deleted: false });
    await this.etcdctl(['put', affinityKey(node, cidr), value]);
  }

  async release(node: string, cidr: string): Promise<void> {
    await this.etcdctl(['del', affinityKey(node, cidr)]);
  }

  etcdctl(command: readonly string[]): Promise<string> {
    const limits = ['--dial-timeout=60s', '--command-timeout=60s'];
    return execOk(inNamespace(this.control, ['etcdctl', ...limits, ...command]), {
      env: { PATH: process.env['PATH'] ?? '', ETCDCTL_API: '3' },
    });
  }

  startBgp(name: string): ManagedProcess {
    const { namespace, directory } = this.speaker(name);
    return this.#run({
      service: `bgp-${name}`,
      namespace,
      command: runtimeCommand(this.runtime, 'services/bgp/main.ts'),
      env: {
        CALICO_NODENAME: name,
        CALICO_RUN_DIR: directory,
        NATS_URL: NATS,
        CALICO_API_ADDRESS: `${CONTROL}:5671`,
        CALICO_INSECURE: 'true',
        CALICO_SECRETS_DIR: this.secrets,
      },
    });
  }

  /** Where secrets of all nodes are: a directory per secret, a file per key. */
  get secrets(): string {
    return join(this.directory, 'secrets');
  }

  setSecret(name: string, key: string, value: string): void {
    mkdirSync(join(this.secrets, name), { recursive: true });
    writeFileSync(join(this.secrets, name, key), value);
  }

  bgpClient(name: string): RpcClient<typeof BgpService> {
    const { directory } = this.speaker(name);
    const client = connectRpc(BgpService, `unix:${join(directory, 'bgp.sock')}`, {
      timeoutMs: CALL_MS,
    });
    this.#clients.push(client);
    return client;
  }

  /** Starts BIRD with a configuration file. */
  async startBird(
    name: string,
    version: BirdVersion,
    configuration: string,
  ): Promise<ManagedProcess> {
    const { namespace, directory } = this.speaker(name);
    const file = join(directory, 'bird.conf');
    const socket = join(directory, 'bird.ctl');
    writeFileSync(file, configuration);
    const program = await birdProgram(version);
    const bird = this.#run({
      service: `bird-${name}`,
      namespace,
      command: [program, version === '2' ? '-f' : '-d', '-R', '-c', file, '-s', socket],
      env: {},
    });
    await eventually(
      () => existsSync(socket),
      20_000,
      () => `BIRD ${version} does not start: ${bird.log()}`,
      () => !bird.running,
    );
    return bird;
  }

  /** A program of others in a speaker's namespace, not started yet. */
  foreign(
    name: string,
    command: readonly string[],
    env: Readonly<Record<string, string>>,
  ): ManagedProcess {
    const { namespace } = this.speaker(name);
    return this.#prepare({ service: `b-${name}`, namespace, command, env });
  }

  birdc(name: string, command: string): Promise<string> {
    const { directory } = this.speaker(name);
    return execOk(['birdc', '-s', join(directory, 'bird.ctl'), ...command.split(' ')]);
  }

  /** Runs a command in a speaker's namespace; answers what it prints. */
  run(name: string, command: string): Promise<string> {
    return this.exec(name, command.split(' '));
  }

  exec(name: string, command: readonly string[], options: ExecOptions = {}): Promise<string> {
    return execOk(inNamespace(this.speaker(name).namespace, command), options);
  }

  /** Of a device of the speaker, once it may be used. */
  async linkLocalOf(name: string, device: string): Promise<string> {
    let found = '';
    await eventually(
      async () => {
        const text = await this.run(
          name,
          `ip -6 -o address show dev ${device} scope link -tentative`,
        );
        found = /inet6 (fe80::[0-9a-f:]+)/.exec(text)?.[1] ?? '';
        return found !== '';
      },
      20_000,
      () => `${device} of ${name} has no link-local address`,
    );
    return found;
  }

  /** All sessions of a speaker of ours, so many, are up. */
  async sessionsAreUp(name: string, count: number): Promise<void> {
    const client = this.bgpClient(name);
    let last = '';
    await eventually(
      async () => {
        const answer = await client.listPeers({}).catch(() => undefined);
        const peers = answer?.peers ?? [];
        last = peers.map(({ address, state }) => `${address} ${state}`).join(', ');
        return peers.length === count && peers.every(({ state }) => state === 'Established');
      },
      30_000,
      () => `sessions of ${name} are "${last}"\n${this.#logs()}`,
    );
  }

  /** Routes with protocol bird, sorted, without trailing spaces. */
  async routes(name: string, family: 4 | 6 = 4): Promise<string[]> {
    const text = await this.run(name, `ip -${family} route show proto bird`);
    return text
      .split('\n')
      .map((line) => line.trim().replaceAll(/ +/g, ' '))
      .filter((line) => line !== '')
      .toSorted();
  }

  async routesBecome(
    name: string,
    expected: readonly string[],
    timeoutMs = 20_000,
    family: 4 | 6 = 4,
  ): Promise<void> {
    let last: string[] = [];
    await eventually(
      async () => {
        last = await this.routes(name, family);
        return JSON.stringify(last) === JSON.stringify(expected.toSorted());
      },
      timeoutMs,
      () => `routes of ${name} are ${JSON.stringify(last)}\n${this.#logs()}`,
    );
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    await Promise.all(this.#processes.map((each) => each.stop('SIGKILL')));
    const { stdout } = await exec(['ip', 'netns', 'list']);
    const names = stdout.split('\n').map((line) => line.split(' ')[0] ?? '');
    await deleteNamespaces(names.filter((name) => name.startsWith(`${this.#prefix}-`)));
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Whether there is anybody at the other end of the cable. */
  async setCarrier(name: string, isThere: boolean): Promise<void> {
    const index = [...this.#speakers.keys()].indexOf(name);
    await ipBatch(`${this.#prefix}-fabric`, [`link set p${index} ${isThere ? 'up' : 'down'}`]);
  }

  async #build(nodes: Readonly<Record<string, number>>): Promise<void> {
    const fabric = `${this.#prefix}-fabric`;
    const members = Object.entries({ control: 10, ...nodes });
    for (const namespace of [fabric, ...members.map(([name]) => `${this.#prefix}-${name}`)]) {
      await execOk(['ip', 'netns', 'add', namespace]);
    }
    await ipBatch(fabric, ['link add br0 type bridge forward_delay 0', 'link set br0 up']);
    for (const [index, [name, octet]] of members.entries()) {
      const namespace = `${this.#prefix}-${name}`;
      const address = `192.168.80.${octet}`;
      await ipBatch(fabric, [
        `link add p${index} type veth peer name ens33 netns ${namespace}`,
        `link set p${index} master br0 up`,
      ]);
      await ipBatch(namespace, [
        'link set lo up',
        'link set ens33 up',
        `address add ${address}/24 dev ens33`,
        `address add fd00:80::${octet}/64 dev ens33 nodad`,
      ]);
      const directory = join(this.directory, name);
      mkdirSync(directory, { recursive: true });
      this.#speakers.set(name, { name, address, namespace, directory });
    }
  }

  async #startControl(): Promise<void> {
    const data = (name: string): string => join(this.directory, 'control', name);
    this.#run({
      service: 'etcd',
      namespace: this.control,
      command: [
        'etcd',
        `--data-dir=${data('etcd')}`,
        '--log-level=warn',
        '--listen-client-urls=http://127.0.0.1:2379',
        '--advertise-client-urls=http://127.0.0.1:2379',
        '--listen-peer-urls=http://127.0.0.1:2380',
      ],
      env: {},
    });
    this.#run({
      service: 'nats',
      namespace: this.control,
      command: ['nats-server', '-a', CONTROL, '-p', '4222', '-js', '-sd', data('nats')],
      env: {},
    });
    this.#run({
      service: 'api',
      namespace: this.control,
      command: runtimeCommand('node', 'services/api/main.ts'),
      env: {
        NATS_URL: NATS,
        // A slow disk is not what is tested.
        ETCD_TIMEOUT_SECONDS: '60',
        CALICO_RUN_DIR: join(this.directory, 'control'),
        CALICO_LISTEN: `${CONTROL}:5671,unix:${data('api.sock')}`,
        CALICO_INSECURE: 'true',
      },
    });
    await eventually(
      () => existsSync(data('api.sock')),
      30_000,
      () => `api does not start: ${this.process('api').log()}`,
      () => !this.process('api').running,
    );
    this.#api = connectRpc(ResourceService, `unix:${data('api.sock')}`, { timeoutMs: 2 * CALL_MS });
    this.#clients.push(this.#api);
    await eventually(
      async () => {
        const answer = await this.#api?.list({ kind: 'Node' }).catch(() => undefined);
        return answer !== undefined;
      },
      30_000,
      () => `api does not answer: ${this.process('api').log()}`,
    );
  }

  async #configure(nodes: Readonly<Record<string, number>>): Promise<void> {
    await this.apply('IPPool', 'default', { cidr: '10.244.0.0/16', blockSize: 26 });
    await this.apply('BGPConfiguration', 'default', { asNumber: 64512 });
    for (const [name, octet] of Object.entries(nodes)) {
      await this.apply('Node', name, { bgp: { ipv4Address: `192.168.80.${octet}/24` } });
    }
  }

  #run(plan: Plan): ManagedProcess {
    const child = this.#prepare(plan);
    child.start();
    return child;
  }

  #prepare(plan: Plan): ManagedProcess {
    const { service } = plan;
    const logFile = join(this.directory, `${service}.log`);
    const child = new ManagedProcess({ ...plan, node: service, logFile, detached: false });
    this.#processes.push(child);
    return child;
  }

  #logs(): string {
    return this.#processes
      .filter(({ plan }) => plan.service.startsWith('b'))
      .map((each) => `--- ${each.plan.service}\n${each.log().slice(-3000)}`)
      .join('\n');
  }
}

function affinityKey(node: string, cidr: string): string {
  const family = cidr.includes(':') ? 'ipv6' : 'ipv4';
  return `/calico/ipam/v2/host/${node}/${family}/block/${cidr.replace('/', '-')}`;
}
