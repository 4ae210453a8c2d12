// The cluster as containers, through testcontainers: etcd, NATS, api, ipam, status and the nodes, on one
// network with the addresses of the walk-through and the compose file. The network is not "internal", since
// such a one publishes no ports; the engine's namespace has no way out anyway.
import {
  GenericContainer,
  getContainerRuntimeClient,
  type StartedTestContainer,
  type StartupCheckStrategy,
  Wait,
  type WaitStrategy,
} from 'testcontainers';
import { IMAGES } from './images.ts';

export const UNDERLAY = { name: 'calico-underlay', subnet: '192.168.80.0/24' } as const;

export const ADDRESSES = {
  etcd: '192.168.80.10',
  nats: '192.168.80.11',
  api: '192.168.80.12',
  ipam: '192.168.80.13',
  status: '192.168.80.14',
} as const;

export const NODES = [
  { name: 'k8s-master', address: '192.168.80.100', block: '10.244.235.192/26' },
  { name: 'k8s-node01', address: '192.168.80.101', block: '10.244.85.192/26' },
  { name: 'k8s-node02', address: '192.168.80.102', block: '10.244.58.192/26' },
] as const;

export type NodeName = (typeof NODES)[number]['name'];

const CLIENT_ENVIRONMENT = {
  NATS_URL: `nats://${ADDRESSES.nats}:4222`,
  CALICO_API_ADDRESS: `${ADDRESSES.api}:5671`,
  CALICO_IPAM_ADDRESS: `${ADDRESSES.ipam}:5672`,
  CALICO_STATUS_ADDRESS: `${ADDRESSES.status}:5673`,
  // The network is the test's own, without a way in or out.
  CALICO_INSECURE: 'true',
};

/** A container with an address of our choice, which testcontainers has no method for. */
class AddressedContainer extends GenericContainer {
  withAddress(address: string): this {
    this.withNetworkMode(UNDERLAY.name);
    this.createOpts.NetworkingConfig = {
      EndpointsConfig: { [UNDERLAY.name]: { IPAMConfig: { IPv4Address: address } } },
    };
    return this;
  }

  /** May program its network and make network namespaces, which the default profiles refuse. */
  withNetworkAdministration(): this {
    this.withAddedCapabilities('NET_ADMIN', 'NET_RAW', 'SYS_ADMIN');
    this.hostConfig.SecurityOpt = ['seccomp=unconfined', 'apparmor=unconfined'];
    return this;
  }
}

type Plan = {
  readonly image: string;
  readonly name: string;
  readonly address: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  readonly wait: WaitStrategy | StartupCheckStrategy;
  /** Ports that are mapped, so that the test's clients reach them. */
  readonly ports?: readonly number[];
  readonly isNode?: boolean;
};

export const PORTS = { api: 5671, ipam: 5672, status: 5673, felix: 5674, bgp: 5675 } as const;

export class ContainerCluster {
  readonly #containers = new Map<string, StartedTestContainer>();
  readonly #logs = new Map<string, string[]>();

  #removeNetwork = async (): Promise<void> => {};

  async startControl(): Promise<void> {
    const { network } = await getContainerRuntimeClient();
    const created = await network.create({
      Name: UNDERLAY.name,
      IPAM: { Driver: 'default', Config: [{ Subnet: UNDERLAY.subnet, Gateway: '192.168.80.1' }] },
    });
    this.#removeNetwork = () => network.remove(created);
    await Promise.all([
      this.#start({
        image: IMAGES.etcd,
        name: 'etcd',
        address: ADDRESSES.etcd,
        command: [
          'etcd',
          '--name=etcd',
          '--data-dir=/tmp/etcd',
          '--listen-client-urls=http://0.0.0.0:2379',
          `--advertise-client-urls=http://${ADDRESSES.etcd}:2379`,
        ],
        wait: Wait.forLogMessage(/ready to serve client requests/),
      }),
      this.#start({
        image: IMAGES.nats,
        name: 'nats',
        address: ADDRESSES.nats,
        command: ['-js', '-sd', '/tmp/nats'],
        wait: Wait.forLogMessage(/Server is ready/),
      }),
    ]);
    await Promise.all(
      (['api', 'ipam', 'status'] as const).map((name) =>
        this.#start({
          image: IMAGES[name],
          name,
          address: ADDRESSES[name],
          environment: {
            ...CLIENT_ENVIRONMENT,
            ETCD_ENDPOINTS: `http://${ADDRESSES.etcd}:2379`,
            CALICO_LISTEN: `0.0.0.0:${PORTS[name]}`,
          },
          ports: [PORTS[name]],
          wait: Wait.forLogMessage(/"started"/),
        }),
      ),
    );
  }

  async startNodes(): Promise<void> {
    await Promise.all(
      NODES.map(({ name, address }) =>
        this.#start({
          image: IMAGES.node,
          name,
          address,
          environment: {
            ...CLIENT_ENVIRONMENT,
            CALICO_NODENAME: name,
            IP: 'autodetect',
            IP_AUTODETECTION_METHOD: `cidr=${UNDERLAY.subnet}`,
            NO_DEFAULT_POOLS: 'true',
            CALICO_FELIX_LISTEN: `unix:/var/run/calico/felix.sock,0.0.0.0:${PORTS.felix}`,
            CALICO_BGP_LISTEN: `unix:/var/run/calico/bgp.sock,0.0.0.0:${PORTS.bgp}`,
          },
          ports: [PORTS.felix, PORTS.bgp],
          wait: Wait.forSuccessfulCommand(
            `bash -c ': </dev/tcp/127.0.0.1/${PORTS.felix} && : </dev/tcp/127.0.0.1/${PORTS.bgp}'`,
          ),
          isNode: true,
        }),
      ),
    );
  }

  /** Runs a command in a container and answers what it printed. @throws Error when it fails */
  async run(
    name: string,
    command: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const { exitCode, output } = await this.try(name, command, environment);
    if (exitCode === 0) return output;
    throw new Error(`Cannot run "${command.join(' ')}" in ${name}: exit ${exitCode}: ${output}`);
  }

  /** Where a service is reached from here: "127.0.0.1:49153". */
  target(name: string, service: keyof typeof PORTS): string {
    return `127.0.0.1:${this.#container(name).getMappedPort(PORTS[service])}`;
  }

  /** As "docker stop" does. */
  async stopOne(name: string): Promise<{ exitCode: number; elapsedMs: number }> {
    const started = performance.now();
    const id = this.#container(name).getId();
    const { container } = await getContainerRuntimeClient();
    await container.stop(container.getById(id), { timeout: 60_000 });
    const { State } = await container.inspect(container.getById(id));
    return { exitCode: State.ExitCode, elapsedMs: performance.now() - started };
  }

  /** Like run(), but a failure is an answer. */
  async try(
    name: string,
    command: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<{ exitCode: number; output: string }> {
    return this.#container(name).exec([...command], { env: { ...environment } });
  }

  #container(name: string): StartedTestContainer {
    const container = this.#containers.get(name);
    if (container === undefined) throw new RangeError(`Cannot find container "${name}"`);
    return container;
  }

  /** The last lines that a container printed. */
  logTail(name: string, lines = 20): string {
    return (this.#logs.get(name) ?? []).slice(-lines).join('');
  }

  get names(): string[] {
    return [...this.#logs.keys()];
  }

  async stop(): Promise<void> {
    await Promise.all(
      [...this.#containers.values()].map((container) => container.stop({ timeout: 0 })),
    );
    await this.#removeNetwork();
  }

  async #start(plan: Plan): Promise<void> {
    const log: string[] = [];
    this.#logs.set(plan.name, log);
    const container = new AddressedContainer(plan.image)
      .withName(plan.name)
      .withEnvironment({ ...plan.environment })
      .withAddress(plan.address)
      .withLogConsumer((stream) =>
        stream.on('data', (line: Buffer | string) => log.push(line.toString())),
      )
      .withWaitStrategy(plan.wait)
      .withStartupTimeout(300_000);
    if (plan.ports !== undefined) container.withExposedPorts(...plan.ports);
    if (plan.command !== undefined) container.withCommand([...plan.command]);
    if (plan.isNode === true) container.withNetworkAdministration();
    try {
      this.#containers.set(plan.name, await container.start());
    } catch (cause) {
      throw new Error(`Cannot start container "${plan.name}": ${this.logTail(plan.name)}`, {
        cause,
      });
    }
  }
}
