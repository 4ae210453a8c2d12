// A cluster of network namespaces on this machine: etcd, NATS and the control services in one, felix
// and bgp in one per node. A library for tests, the engine of the demo and of `npm run lab`.
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { IpamService } from '@calico/proto/ipam/v1/ipam';
import { connectRpc } from '@calico/rpc';
import { type Certificate, certificateOf, makeAuthority, makeCertificate } from './certificates.ts';
import { type ExecOptions, exec, type Result } from './exec.ts';
import { buildFabric, inNamespace } from './fabric.ts';
import { ManagedProcess } from './managed_process.ts';
import { nodesManifest, poolManifest } from './manifests.ts';
import { connects } from './ping.ts';
import { createPod, type Pod, planPod, removePod } from './pods.ts';
import {
  clientEnvironment,
  controlPlans,
  nodeDirectories,
  nodePlans,
  PORTS,
  type Runtime,
  runtimeCommand,
} from './processes.ts';
import {
  identify,
  type LabState,
  labDirectory,
  type ProcessIdentity,
  writeState,
} from './state.ts';
import { sweepAbandoned, takeDown } from './sweep.ts';
import {
  CONTROL_ADDRESS,
  type Mode,
  type NodePlan,
  planTopology,
  type Topology,
} from './topology.ts';
import { eventually, PATIENCE, patient, WAIT_FLAGS } from './wait.ts';

export type LabOptions = {
  readonly mode?: Mode;
  readonly nodes?: number;
  readonly runtime?: Runtime;
  /** Survive this process. */
  readonly keep?: boolean;
  /** Nodes on which our services are not started (something else runs there). */
  readonly foreignNodes?: readonly string[];
  /** Mutual TLS between everything that is not on one node: gRPC, etcd and NATS. */
  readonly tls?: boolean;
  readonly log?: (line: string) => void;
  /** Takes the lab down, also while it starts. */
  readonly signal?: AbortSignal;
};

export class Lab {
  readonly topology: Topology;
  readonly directory: string;
  readonly pods = new Map<string, Pod>();
  readonly #options: LabOptions;
  readonly #processes: readonly ManagedProcess[];
  #starting: Promise<void> = Promise.resolve();
  #stopping: Promise<void> | undefined;

  private constructor(options: LabOptions) {
    const prefix = `cal${randomBytes(3).toString('hex')}`;
    const { mode = 'bgp', nodes = 3, runtime = 'node', keep = false, foreignNodes = [] } = options;
    const { tls = false } = options;
    this.topology = planTopology(prefix, mode, nodes);
    this.directory = labDirectory(prefix);
    this.#options = options;
    this.#processes = [
      ...controlPlans(this.topology, this.directory, runtime, keep, tls),
      ...this.topology.nodes
        .filter(({ name }) => !foreignNodes.includes(name))
        .flatMap((node) => nodePlans(node, this.directory, runtime, keep, tls)),
    ].map((plan) => new ManagedProcess(plan));
  }

  /** Builds the underlay and starts every process; resolves when all of them answer. */
  static async start(options: LabOptions = {}): Promise<Lab> {
    await sweepAbandoned();
    const lab = new Lab(options);
    options.signal?.addEventListener('abort', () => void lab.stop(), { once: true });
    lab.#writeState();
    lab.#starting = lab.#start();
    try {
      await lab.#starting;
    } catch (cause) {
      await lab.stop();
      throw cause;
    }
    return lab;
  }

  async #start(): Promise<void> {
    const { log = () => {} } = this.#options;
    const nodes = ['control', ...this.topology.nodes.map(({ name }) => name)];
    for (const node of nodes) {
      const { run, lib, log: logs } = nodeDirectories(this.directory, node);
      for (const directory of [run, lib, logs]) mkdirSync(directory, { recursive: true });
    }
    if (this.#options.tls) await this.#makeCertificates();
    log(`underlay: ${this.topology.nodes.length} nodes and control on 192.168.80.0/24`);
    await buildFabric(this.topology);
    log('processes: etcd, NATS, api, ipam, status; felix and bgp on every node');
    if (PATIENCE > 1) await this.#startInTurn(log);
    else for (const managed of this.#processes) managed.start();
    this.#writeState();
    await this.ready();
  }

  /** A slow machine is not made faster by starting everything at once; it says how far it is. */
  async #startInTurn(log: (line: string) => void): Promise<void> {
    for (const [index, managed] of this.#processes.entries()) {
      const started = performance.now();
      managed.start();
      this.#writeState();
      await this.ready(undefined, [managed]);
      const { service, node } = managed.plan;
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      log(`${index + 1}/${this.#processes.length} ${service} on ${node}: started in ${seconds} s`);
    }
  }

  async #makeCertificates(): Promise<void> {
    await makeAuthority(this.directory);
    const owners = [{ name: 'control', address: CONTROL_ADDRESS }, ...this.topology.nodes];
    for (const { name, address } of owners) await makeCertificate(this.directory, name, [address]);
  }

  #certificate(node: string): Certificate | undefined {
    return this.#options.tls ? certificateOf(this.directory, node) : undefined;
  }

  /** Resolves when every server and service accepts connections; fails with the end of its log. */
  async ready(timeoutMs = 30_000, processes = this.#processes): Promise<void> {
    await Promise.all(
      processes.map(async (managed) => {
        const { service, node } = managed.plan;
        await eventually(
          () => managed.running && this.#accepts(managed),
          timeoutMs,
          () =>
            `Cannot start ${service} on ${node}: no answer; its log ends with\n${tail(managed.log())}`,
          () => !managed.running || this.#stopping !== undefined,
        );
      }),
    );
  }

  #accepts({ plan: { service, node, namespace } }: ManagedProcess): Promise<boolean> {
    if (service === 'etcd' || service === 'nats')
      return connects(namespace, CONTROL_ADDRESS, PORTS[service]);
    return accepts(join(nodeDirectories(this.directory, node).run, `${service}.sock`));
  }

  /** Applies pool, BGP configuration and nodes, gives the nodes the article's blocks, and waits for the routes. */
  async configure(): Promise<void> {
    await this.calicoctlOk(['apply', '-f', '-'], { input: poolManifest(this.topology) });
    await this.claimBlocks();
    // A foreign node reports nothing, so there is no waiting for all of them.
    const wait = this.#options.foreignNodes?.length ? [] : WAIT_FLAGS;
    await this.calicoctlOk(['apply', ...wait, '-f', '-'], { input: nodesManifest(this.topology) });
    await this.routed();
  }

  /** Resolves when every node of ours has a route to the block of every other one. */
  async routed(timeoutMs = 30_000): Promise<void> {
    const { foreignNodes = [] } = this.#options;
    const ours = this.topology.nodes.filter(({ name }) => !foreignNodes.includes(name));
    await Promise.all(
      ours.map(async ({ name }) => {
        const others = ours.filter((other) => other.name !== name);
        let routes = '';
        await eventually(
          async () => {
            routes = (await this.exec(name, ['ip', 'route'])).stdout;
            return others.every(({ block = '' }) => routes.includes(block));
          },
          timeoutMs,
          () => `Cannot see a route to every other node on ${name}:\n${routes}`,
          () => this.#stopping !== undefined,
        );
      }),
    );
  }

  async claimBlocks(): Promise<void> {
    const ipam = connectRpc(
      IpamService,
      `unix:${join(nodeDirectories(this.directory, 'control').run, 'ipam.sock')}`,
      { timeoutMs: patient(10_000) },
    );
    try {
      for (const { name, block } of this.topology.nodes) {
        if (block !== undefined) await ipam.claimAffinity({ cidr: block, node: name });
      }
    } finally {
      ipam.close();
    }
  }

  node(name: string): NodePlan {
    const found = this.topology.nodes.find((node) => node.name === name);
    if (found === undefined) {
      const names = this.topology.nodes.map((node) => node.name).join(', ');
      throw new RangeError(`Cannot find node "${name}": this lab has ${names}`);
    }
    return found;
  }

  /** A process by service ("felix", "etcd" …) and node (default "control"). */
  process(service: string, node = 'control'): ManagedProcess {
    const found = this.#processes.find(
      ({ plan }) => plan.service === service && plan.node === node,
    );
    if (found === undefined)
      throw new RangeError(`Cannot find process "${service}" on "${node}": not in this lab`);
    return found;
  }

  get processes(): readonly ManagedProcess[] {
    return this.#processes;
  }

  /** Starts a process again after it was stopped, and records its pid. */
  startProcess(managed: ManagedProcess, extraEnv: Readonly<Record<string, string>> = {}): void {
    managed.start(extraEnv);
    this.#writeState();
  }

  /** Runs a command in a node's namespace ("control" is one too). */
  exec(node: string, command: readonly string[], options: ExecOptions = {}): Promise<Result> {
    const namespace = node === 'control' ? this.topology.control : this.node(node).namespace;
    return exec(inNamespace(namespace, command), options);
  }

  podExec(pod: Pod, command: readonly string[], options: ExecOptions = {}): Promise<Result> {
    return exec(inNamespace(pod.netns, command), options);
  }

  /** Runs calicoctl in the control namespace, or on a node for `node status`. */
  calicoctl(
    args: readonly string[],
    options: ExecOptions & { readonly node?: string } = {},
  ): Promise<Result> {
    const { node = 'control', ...rest } = options;
    const env = {
      ...stringEnvironment(),
      ...clientEnvironment(nodeDirectories(this.directory, node).run, this.#certificate(node)),
    };
    return this.exec(node, [...runtimeCommand('node', 'packages/calicoctl/main.ts'), ...args], {
      env,
      ...rest,
    });
  }

  async calicoctlOk(
    args: readonly string[],
    options: ExecOptions & { readonly node?: string } = {},
  ): Promise<string> {
    const { code, stdout, stderr } = await this.calicoctl(args, options);
    if (code !== 0)
      throw new Error(`calicoctl ${args.join(' ')}: exit ${code}: ${stdout}${stderr}`.trim());
    return stdout;
  }

  async addPod(
    name: string,
    nodeName: string,
    {
      namespace = 'default',
      labels = {},
    }: { namespace?: string; labels?: Record<string, string> } = {},
  ): Promise<Pod> {
    const plan = planPod(this.topology.prefix, this.node(nodeName), name, namespace, labels);
    const pod = await createPod(this.directory, plan);
    this.pods.set(`${namespace}/${name}`, pod);
    this.#writeState();
    return pod;
  }

  async deletePod(pod: Pod): Promise<void> {
    await removePod(this.directory, pod);
    this.pods.delete(`${pod.namespace}/${pod.name}`);
    this.#writeState();
  }

  /** Stops every process, deletes every namespace and file of this lab. Once is enough. */
  stop(): Promise<void> {
    this.#stopping ??= this.#takeDown();
    return this.#stopping;
  }

  async #takeDown(): Promise<void> {
    await this.#starting.catch(() => {}); // what is half built cannot be listed
    await Promise.all(this.#processes.map((managed) => managed.stop()));
    await takeDown(this.state());
  }

  state(): LabState {
    const { prefix, mode, nodes } = this.topology;
    const { runtime = 'node', keep = false } = this.#options;
    return {
      prefix,
      mode,
      nodeCount: nodes.length,
      runtime,
      detached: keep,
      owner: identify(process.pid) as ProcessIdentity,
      processes: this.#processes.flatMap(({ pid, plan }) => {
        const identity = pid === undefined ? undefined : identify(pid);
        return identity === undefined
          ? []
          : [{ ...identity, service: plan.service, node: plan.node }];
      }),
      pods: [...this.pods.values()],
    };
  }

  #writeState(): void {
    writeState(this.state());
    const { name } = this.topology.nodes[0] as NodePlan;
    const { run } = nodeDirectories(this.directory, name);
    const env = clientEnvironment(run, this.#certificate(name));
    const lines = Object.entries(env).map(([key, value]) => `export ${key}=${value}`);
    writeFileSync(join(this.directory, 'environment'), `${lines.join('\n')}\n`);
  }
}

function stringEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  );
}

function tail(text: string): string {
  return text.trimEnd().split('\n').slice(-15).join('\n');
}

async function accepts(socketPath: string): Promise<boolean> {
  const { connect } = await import('node:net');
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
