// The underlay: namespaces joined by veth pairs to bridges that live in a namespace of their own.
import { exec, execOk } from './exec.ts';
import { CONTROL_ADDRESS, type Topology, UPLINK } from './topology.ts';

/** Creates every namespace of the topology. No default route anywhere: a stray packet dies inside. */
export async function buildFabric(topology: Topology): Promise<void> {
  const { fabric, control, nodes } = topology;
  const members = [
    { namespace: control, address: CONTROL_ADDRESS, subnet: 80 },
    ...nodes.map(({ namespace, address, subnet }) => ({ namespace, address, subnet })),
  ];
  const routed = nodes.some(({ subnet }) => subnet === 81);
  for (const namespace of [fabric, ...members.map((member) => member.namespace)]) {
    await execOk(['ip', 'netns', 'add', namespace]);
  }
  const subnets = routed ? [80, 81] : [80];
  await ipBatch(fabric, [
    'link set lo up',
    ...subnets.flatMap((subnet) => [
      `link add br${subnet} type bridge forward_delay 0 mcast_snooping 0`,
      `link set br${subnet} up`,
      ...(routed ? [`address add 192.168.${subnet}.1/24 dev br${subnet}`] : []),
    ]),
    ...members.flatMap(({ namespace, subnet }, index) => [
      `link add p${index} type veth peer name ${UPLINK} netns ${namespace}`,
      `link set p${index} master br${subnet} up`,
    ]),
  ]);
  if (routed) await execOk(inNamespace(fabric, ['sysctl', '-qw', 'net.ipv4.ip_forward=1']));
  await Promise.all(
    members.map(({ namespace, address, subnet }) =>
      ipBatch(namespace, [
        'link set lo up',
        `link set ${UPLINK} up`,
        `address add ${address}/24 dev ${UPLINK}`,
        ...(routed
          ? [`route add 192.168.${subnet === 80 ? 81 : 80}.0/24 via 192.168.${subnet}.1`]
          : []),
      ]),
    ),
  );
}

export function inNamespace(namespace: string, command: readonly string[]): string[] {
  return ['ip', 'netns', 'exec', namespace, ...command];
}

/** Runs `ip -batch` in a namespace; the first failing line throws. */
export async function ipBatch(namespace: string, lines: readonly string[]): Promise<void> {
  await execOk(['ip', '-netns', namespace, '-batch', '-'], { input: `${lines.join('\n')}\n` });
}

/** Namespaces whose name starts with the lab's prefix. */
export async function namespacesOf(prefix: string): Promise<string[]> {
  const { stdout } = await exec(['ip', 'netns', 'list']);
  return stdout
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter((name) => name.startsWith(`${prefix}-`));
}

/** Pids of everything that runs in a namespace. */
export async function processesIn(namespace: string): Promise<number[]> {
  const { stdout } = await exec(['ip', 'netns', 'pids', namespace]);
  return stdout.split('\n').filter(Boolean).map(Number);
}

export async function deleteNamespaces(names: readonly string[]): Promise<void> {
  for (const name of names) await exec(['ip', 'netns', 'delete', name]);
}
