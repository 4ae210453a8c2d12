// Two nodes with pods and a host outside; and beside them a way as long as the longest between those, without any
// policy: a packet on it arrives after all that were sent before it.
//
//   pod1 pod2 pod3          pod4 pod5
//      \  |  /                 \  |
//      node-a ──── eth0 ────── node-b           quay ── lock-1 ── lock-2 ── harbour
//         └── outside
import { randomBytes } from 'node:crypto';
import { exec, execOk } from '../../lab/exec.ts';

export type PlaceName =
  | 'pod1'
  | 'pod2'
  | 'pod3'
  | 'pod4'
  | 'pod5'
  | 'outside'
  | 'node-a'
  | 'node-b';

export type CanalName = 'quay' | 'lock-1' | 'lock-2' | 'harbour';

export type PlaceFacts = {
  readonly address4: string;
  readonly address6: string;
  /** The node that a pod is on; a node is on itself. */
  readonly node: 'node-a' | 'node-b' | undefined;
  /** On that node, towards the pod. */
  readonly device: string;
};

const pod = (index: number, node: 'node-a' | 'node-b'): PlaceFacts => ({
  address4: `10.65.0.${index}`,
  address6: `fd00:65::${index}`,
  node,
  device: `cali${index}`,
});

export const PLACES: Readonly<Record<PlaceName, PlaceFacts>> = {
  pod1: pod(1, 'node-a'),
  pod2: pod(2, 'node-a'),
  pod3: pod(3, 'node-a'),
  pod4: pod(4, 'node-b'),
  pod5: pod(5, 'node-b'),
  outside: { address4: '192.0.2.9', address6: '2001:db8::9', node: undefined, device: 'eth1' },
  'node-a': { address4: '10.99.0.1', address6: 'fd00:99::1', node: 'node-a', device: '' },
  'node-b': { address4: '10.99.0.2', address6: 'fd00:99::2', node: 'node-b', device: '' },
};

/** In order; each is joined to the next. */
const CANAL: readonly CanalName[] = ['quay', 'lock-1', 'lock-2', 'harbour'];
export const CANAL_ENDS = { quay: '10.98.0.1', harbour: '10.98.2.2' } as const;

const MAC = 'ee:ee:ee:ee:ee:ee';
/** Of every device but the host ends of pods. */
const OTHER_MAC = '02:00:00:00:00:01';

const ALL = [...(Object.keys(PLACES) as PlaceName[]), ...CANAL];

const ROUTER = [
  'net.ipv4.ip_forward=1',
  'net.ipv6.conf.all.forwarding=1',
  'net.ipv4.conf.all.rp_filter=0',
  'net.ipv4.conf.default.rp_filter=0',
] as const;

/** Namespaces of a run, by place. */
export class DifferentialNetwork {
  readonly #prefix = `dif${randomBytes(2).toString('hex')}`;

  namespace(place: PlaceName | CanalName): string {
    return `${this.#prefix}-${place}`;
  }

  netns(place: PlaceName | CanalName): string {
    return `/run/netns/${this.namespace(place)}`;
  }

  async up(): Promise<void> {
    for (const place of ALL) {
      const namespace = this.namespace(place);
      await execOk(['ip', 'netns', 'add', namespace]);
      await execOk(['ip', '-n', namespace, 'link', 'set', 'lo', 'up']);
    }
    for (const node of ['node-a', 'node-b', 'lock-1', 'lock-2'] as const) {
      const enter = ['ip', 'netns', 'exec', this.namespace(node)];
      await execOk([...enter, 'sysctl', '-q', '-w', ...ROUTER]);
    }
    await this.#joinNodes();
    for (const [place, { node }] of Object.entries(PLACES)) {
      if (place !== node) await this.#join(place as PlaceName);
    }
    await this.#digCanal();
  }

  async down(): Promise<void> {
    for (const place of ALL) {
      await exec(['ip', 'netns', 'del', this.namespace(place)]);
    }
  }

  async #joinNodes(): Promise<void> {
    const peer = `peer name eth0 address ${OTHER_MAC} netns ${this.namespace('node-b')}`;
    await this.#batch('node-a', [
      `link add eth0 address ${OTHER_MAC} type veth ${peer}`,
      ...this.#underlay('node-a', 'node-b'),
    ]);
    await this.#batch('node-b', this.#underlay('node-b', 'node-a'));
    await this.#batch('node-a', routesTo('node-b'));
    await this.#batch('node-b', routesTo('node-a'));
  }

  #underlay(own: PlaceName, other: PlaceName): string[] {
    return [
      `addr add ${PLACES[own].address4}/24 dev eth0`,
      `addr add ${PLACES[own].address6}/64 dev eth0 nodad`,
      'link set eth0 up',
      `neigh add ${PLACES[other].address4} lladdr ${OTHER_MAC} dev eth0`,
      `neigh add ${PLACES[other].address6} lladdr ${OTHER_MAC} dev eth0`,
    ];
  }

  /** As Calico connects pods. No neighbour is ever asked for: that would let packets wait. */
  async #join(place: PlaceName): Promise<void> {
    const { address4, address6, device, node = 'node-a' } = PLACES[place];
    await this.#batch(node, [
      `link add ${device} address ${MAC} type veth peer name eth0 address ${OTHER_MAC} netns ${this.namespace(place)}`,
      `addr add fe80::1/64 dev ${device} nodad`,
      `link set ${device} up`,
      `route add ${address4}/32 dev ${device} scope link`,
      `route add ${address6}/128 dev ${device}`,
      `neigh add ${address4} lladdr ${OTHER_MAC} dev ${device}`,
      `neigh add ${address6} lladdr ${OTHER_MAC} dev ${device}`,
    ]);
    await this.#batch(place, [
      `addr add ${address4}/32 dev eth0`,
      `addr add ${address6}/128 dev eth0 nodad`,
      'link set eth0 up',
      'route add 169.254.1.1 dev eth0 scope link',
      `neigh add 169.254.1.1 lladdr ${MAC} dev eth0`,
      `neigh add fe80::1 lladdr ${MAC} dev eth0`,
      'route add default via 169.254.1.1 dev eth0',
      'route add default via fe80::1 dev eth0',
    ]);
  }

  async #digCanal(): Promise<void> {
    for (const [index, place] of CANAL.entries()) {
      const next = CANAL[index + 1];
      const [left, right] = [`10.98.${index - 1}`, `10.98.${index}`];
      if (next !== undefined) {
        const peer = `peer name left address ${OTHER_MAC} netns ${this.namespace(next)}`;
        await this.#batch(place, [
          `link add right address ${OTHER_MAC} type veth ${peer}`,
          `addr add ${right}.1/24 dev right`,
          'link set right up',
          `neigh add ${right}.2 lladdr ${OTHER_MAC} dev right`,
          ...(next === 'harbour' ? [] : [`route add ${CANAL_ENDS.harbour}/32 via ${right}.2`]),
        ]);
      }
      if (index > 0) {
        await this.#batch(place, [
          `addr add ${left}.2/24 dev left`,
          'link set left up',
          `neigh add ${left}.1 lladdr ${OTHER_MAC} dev left`,
          ...(index === 1 ? [] : [`route add ${CANAL_ENDS.quay}/32 via ${left}.1`]),
        ]);
      }
    }
  }

  async #batch(place: PlaceName | CanalName, lines: readonly string[]): Promise<void> {
    await execOk(['ip', '-n', this.namespace(place), '-batch', '-'], { input: lines.join('\n') });
  }
}

/** To what is behind the other node. */
function routesTo(node: 'node-a' | 'node-b'): string[] {
  return Object.values(PLACES)
    .filter((place) => (place.node ?? 'node-a') === node && place.device !== '')
    .flatMap(({ address4, address6 }) => [
      `route add ${address4}/32 via ${PLACES[node].address4}`,
      `route add ${address6}/128 via ${PLACES[node].address6}`,
    ]);
}
