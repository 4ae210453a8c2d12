// One node with a real felix, and a control namespace with real etcd, NATS, ipam and api.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ResourceService } from '@calico/proto/api/v1/resources';
import { FelixService } from '@calico/proto/felix/v1/felix';
import { IpamService } from '@calico/proto/ipam/v1/ipam';
import { StatusService } from '@calico/proto/status/v1/status';
import { connectRpc, type RpcClient, RpcError } from '@calico/rpc';
import { buildFabric } from '../lab/fabric.ts';
import {
  deleteNamespaces,
  eventually,
  exec,
  execOk,
  inNamespace,
  ManagedProcess,
  namespacesOf,
} from '../lab/mod.ts';
import { controlPlans, nodeDirectories, nodePlans } from '../lab/processes.ts';
import {
  identify,
  labDirectory,
  type ProcessIdentity,
  removeState,
  writeState,
} from '../lab/state.ts';
import { type Mode, type NodePlan, planTopology, type Topology } from '../lab/topology.ts';

export const SKIP =
  process.getuid?.() !== 0
    ? 'needs root for network namespaces'
    : !existsSync('/usr/bin/etcd')
      ? 'needs etcd-server and nats-server'
      : false;

/** Until the first answer, for 3 s. */
const PING = ['ping', '-n', '-c1', '-i0.2', '-w3'] as const;
/** Longer than anything takes on a busy machine. */
const CALL = { timeoutMs: 60_000 };

export const NETWORK = 'k8s-pod-network';
export const POOL_NAME = 'default-ipv4-ippool';

export type PodSpec = {
  readonly containerId: string;
  readonly netns: string;
  readonly interfaceName: string;
  readonly network: string;
  readonly namespace: string;
  readonly pod: string;
};

export type FixtureOptions = {
  readonly nodes?: number;
  readonly mode?: Mode;
  /** The bgp service runs on every node. */
  readonly withBgp?: boolean;
};

export class FelixFixture {
  readonly topology: Topology;
  readonly directory: string;
  readonly node: NodePlan;
  /** Of the first node. */
  readonly felix: RpcClient<typeof FelixService>;
  readonly api: RpcClient<typeof ResourceService>;
  readonly ipam: RpcClient<typeof IpamService>;
  readonly status: RpcClient<typeof StatusService>;
  readonly #processes: readonly ManagedProcess[];

  readonly #felixes: readonly RpcClient<typeof FelixService>[];

  private constructor({ nodes = 1, mode = 'bgp', withBgp = false }: FixtureOptions) {
    const prefix = `cfx${randomBytes(3).toString('hex')}`;
    this.topology = planTopology(prefix, mode, nodes);
    this.directory = labDirectory(prefix);
    this.node = this.topology.nodes[0] as NodePlan;
    const plans = [
      ...controlPlans(this.topology, this.directory, 'node', false),
      ...this.topology.nodes.flatMap((node) => nodePlans(node, this.directory, 'node', false)),
    ].filter(({ service }) => withBgp || service !== 'bgp');
    this.#processes = plans.map((plan) => new ManagedProcess(plan));
    const socket = (node: string, service: string): string =>
      `unix:${join(nodeDirectories(this.directory, node).run, `${service}.sock`)}`;
    this.#felixes = this.topology.nodes.map(({ name }) =>
      connectRpc(FelixService, socket(name, 'felix'), CALL),
    );
    this.felix = this.felixOn(0);
    this.api = connectRpc(ResourceService, socket('control', 'api'), CALL);
    this.ipam = connectRpc(IpamService, socket('control', 'ipam'), CALL);
    this.status = connectRpc(StatusService, socket('control', 'status'), CALL);
  }

  /** Everything up, pool and node applied, felix in sync. */
  static async start(
    pool: Record<string, unknown> = {},
    options: FixtureOptions = {},
  ): Promise<FelixFixture> {
    const fixture = new FelixFixture(options);
    try {
      await fixture.#start(pool);
    } catch (cause) {
      await fixture.stop();
      throw cause;
    }
    return fixture;
  }

  async #start(pool: Record<string, unknown>): Promise<void> {
    for (const node of ['control', ...this.topology.nodes.map(({ name }) => name)]) {
      const { run, lib, log } = nodeDirectories(this.directory, node);
      for (const directory of [run, lib, log]) mkdirSync(directory, { recursive: true });
    }
    this.#writeState();
    await buildFabric(this.topology);
    for (const managed of this.#processes) managed.start();
    this.#writeState();
    await eventually(
      // api may be faster than etcd.
      async () => (await codeOf(this.api.list({ kind: 'IPPool' }, { timeoutMs: 2_000 }))) === 'OK',
      30_000,
      () => `api does not answer with etcd:\n${this.process('api').log()}`,
    );
    await this.apply('IPPool', POOL_NAME, { cidr: '10.244.0.0/16', ...pool });
    for (const { name, address } of this.topology.nodes) {
      await this.apply('Node', name, { bgp: { ipv4Address: `${address}/24` } });
    }
    if (pool['ipipMode'] === undefined) await this.ready();
  }

  /** Resolves when every felix could add a workload. */
  async ready(): Promise<void> {
    await Promise.all(this.topology.nodes.map((_, index) => this.#readyOn(index)));
  }

  async #readyOn(index: number): Promise<void> {
    let reasons = 'no answer';
    await eventually(
      async () => {
        try {
          const answer = await this.felixOn(index).getReadiness({}, { timeoutMs: 2_000 });
          reasons = answer.reasons.join('; ');
          return answer.ready;
        } catch (cause) {
          reasons = String(cause);
          return false;
        }
      },
      60_000,
      () =>
        `felix is not ready: ${reasons}\n${this.#processes
          .map(({ plan, running }) => `${plan.service} ${running ? 'runs' : 'has ended'}`)
          .join(
            ', ',
          )}\n${this.process('felix').log().slice(-2_000)}${this.process('ipam').log().slice(-2_000)}`,
    );
  }

  felixOn(index: number): RpcClient<typeof FelixService> {
    return this.#felixes[index] as RpcClient<typeof FelixService>;
  }

  process(service: string): ManagedProcess {
    const found = this.#processes.find(({ plan }) => plan.service === service);
    if (found === undefined) throw new RangeError(`Cannot find process "${service}"`);
    return found;
  }

  async restartFelix(extraEnv: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.process('felix').stop('SIGKILL');
    this.process('felix').start(extraEnv);
    this.#writeState();
    await this.ready();
  }

  async apply(kind: string, name: string, spec: object, namespace = ''): Promise<bigint> {
    const metadata = namespace === '' ? { name } : { name, namespace };
    const document = { apiVersion: 'projectcalico.org/v3', kind, metadata, spec };
    const { resource } = await this.api.apply({
      resource: { kind, namespace, name, json: JSON.stringify(document) },
    });
    return resource?.revision ?? 0n;
  }

  /** A network namespace, as a runtime makes it, and how its workload is called. */
  async pod(name: string): Promise<PodSpec> {
    const netns = `${this.topology.prefix}-${name}`;
    await execOk(['ip', 'netns', 'add', netns]);
    return {
      containerId: `${name}-container`,
      netns: `/run/netns/${netns}`,
      interfaceName: 'eth0',
      network: NETWORK,
      namespace: 'default',
      pod: name,
    };
  }

  /** Prints of a command in the first node's namespace. */
  async onNode(...command: string[]): Promise<string> {
    return execOk(inNamespace(this.node.namespace, command));
  }

  async on(index: number, ...command: string[]): Promise<string> {
    return execOk(inNamespace(this.topology.nodes[index]?.namespace ?? '', command));
  }

  async pings(pod: PodSpec, address: string): Promise<boolean> {
    const command = [...PING, address];
    return (await exec(inNamespace(pod.netns.replace('/run/netns/', ''), command))).code === 0;
  }

  async inPod(pod: PodSpec, ...command: string[]): Promise<string> {
    return execOk(inNamespace(pod.netns.replace('/run/netns/', ''), command));
  }

  /** The node reaches the pod; no policy stands between them. */
  async reaches(address: string): Promise<boolean> {
    const command = [...PING, address];
    return (await exec(inNamespace(this.node.namespace, command))).code === 0;
  }

  /** Whatever exists of workloads anywhere: kernel, packet filter, journal, etcd. A watch for a late endpoint may stay. */
  async leftovers(): Promise<string[]> {
    const links = await this.onNode('ip', '-o', 'link');
    const routes = await this.onNode('ip', 'route');
    const filter = await this.onNode('nft', 'list', 'ruleset');
    const journal = readdirSync(this.journalDirectory).filter(
      (name) => !isWatch(join(this.journalDirectory, name)),
    );
    const { pools } = await this.ipam.getUtilization({});
    const allocations = pools
      .flatMap(({ blocks }) => blocks)
      .flatMap((block) => block.allocations)
      .filter(({ handleId }) => !handleId.includes('tunnel-addr'));
    const { resources } = await this.api.list({ kind: 'WorkloadEndpoint' });
    return [
      ...[...links.matchAll(/cali[0-9a-f]{11}/g)].map(([name]) => `device ${name}`),
      ...[...routes.matchAll(/.*cali.*/g)].map(([line]) => `route ${line}`),
      ...[...filter.matchAll(/"?cali[0-9a-f]{11}"?/g)].map(([name]) => `filter ${name}`),
      ...journal.map((name) => `journal ${name}`),
      ...allocations.map(({ address, handleId }) => `address ${address} of ${handleId}`),
      ...resources.map(({ name }) => `endpoint ${name}`),
    ];
  }

  /** Leftovers may take a moment to go where a removal is still pending. */
  async settled(timeoutMs = 10_000): Promise<void> {
    let left: string[] = [];
    await eventually(
      async () => {
        left = await this.leftovers().catch(notNow);
        return left.length === 0;
      },
      timeoutMs,
      () => `left behind: ${left.join(', ')}\n${this.process('felix').log().slice(-3_000)}`,
    );
  }

  get journalDirectory(): string {
    const { lib } = nodeDirectories(this.directory, this.node.name);
    return join(lib, 'felix', 'workloads');
  }

  async stop(): Promise<void> {
    for (const client of [...this.#felixes, this.api, this.ipam, this.status]) client.close();
    await Promise.all(this.#processes.map((managed) => managed.stop('SIGKILL')));
    await deleteNamespaces(await namespacesOf(this.topology.prefix));
    removeState(this.topology.prefix);
  }

  #writeState(): void {
    writeState({
      prefix: this.topology.prefix,
      mode: this.topology.mode,
      nodeCount: this.topology.nodes.length,
      runtime: 'node',
      detached: false,
      owner: identify(process.pid) as ProcessIdentity,
      processes: this.#processes.flatMap(({ pid, plan: { service, node } }) => {
        const identity = pid === undefined ? undefined : identify(pid);
        return identity === undefined ? [] : [{ ...identity, service, node }];
      }),
      pods: [],
    });
  }
}

/** Whoever is asked may be without etcd for a moment more. */
function notNow(cause: unknown): string[] {
  if (cause instanceof RpcError && cause.code === 'UNAVAILABLE') return [cause.message];
  throw cause;
}

/** The gRPC code that a call ends with, "OK" when it succeeds. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'OK';
  } catch (cause) {
    if (cause instanceof RpcError) return cause.code;
    throw cause;
  }
}

export async function failureOf(call: Promise<unknown>): Promise<RpcError> {
  try {
    await call;
  } catch (cause) {
    if (cause instanceof RpcError) return cause;
    throw cause;
  }
  throw new Error('Expected the call to fail: it succeeded');
}

function isWatch(path: string): boolean {
  try {
    return readFileSync(path, 'utf8').includes('watchedUntil');
  } catch {
    return false; // gone meanwhile
  }
}
