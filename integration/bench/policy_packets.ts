// What a packet of a new flow costs between two pods of one node: our layout, the one that Calico's iptables mode uses
// (chains per endpoint, dispatch by prefixes of interface names, one rule after another), and no rules at all. Of the
// rules the last one lets the packet through.
//
//   node integration/bench/policy_packets.ts [seconds]        needs root; works in network namespaces of its own
//
// All are measured in turns of a hundred packets and twenty round trips; the cheapest tenth of the turns had the CPU for
// itself, and counts. All hops between the two pods are made while the sender sends. Nobody answers the hundred packets, so
// each is judged as the first of its flow; the round trips are those of one established flow.
import { type AnyResource, parseResource, type WorkloadEndpoint } from '@calico/model';
import { openPacketFilter } from '../../services/felix/adapters/packet_filter.ts';
import { NO_INPUTS } from '../../services/felix/core/policy/sample_inputs.ts';
import type { PolicyInputs } from '../../services/felix/ports.ts';
import { circumstances, markdownTable } from './figures.ts';
import { ADDRESSES, CostedNode, DESTINATION_PORT, DEVICES, typical } from './packet_cost.ts';

const SECONDS = Number(process.argv[2] ?? 30);
const API_VERSION = 'projectcalico.org/v3';
const SILENT = { debug() {}, info() {}, warn: console.warn, error: console.error };

/** What a policy's rules differ in. */
type Shape =
  | 'selectors and ports'
  | 'selectors'
  | 'nets and ports'
  | 'nets'
  | 'ports'
  | 'exceptions';
type Size = { readonly endpoints: number; readonly rules: number; readonly shape: Shape };
const SMALLEST: Size = { endpoints: 2, rules: 1, shape: 'selectors and ports' };
const SIZES: readonly Size[] = [
  SMALLEST,
  ...[100, 10_000].map((endpoints) => ({ ...SMALLEST, endpoints })),
  ...[10, 100, 1000].map((rules) => ({ ...SMALLEST, rules })),
];
const SHAPES: readonly Shape[] = ['selectors', 'nets and ports', 'nets', 'ports', 'exceptions'];
const OURS: readonly Size[] = [
  ...SIZES,
  { ...SMALLEST, endpoints: 10_000, rules: 1000 },
  ...SHAPES.flatMap((shape) => [1, 1000].map((rules) => ({ ...SMALLEST, shape, rules }))),
];

const bare = new CostedNode();
const ours = new Map(OURS.map((size) => [size, new CostedNode()]));
const theirs = new Map(SIZES.map((size) => [size, new CostedNode()]));
const all = [bare, ...ours.values(), ...theirs.values()];
try {
  for (const node of all) await node.connect();
  for (const [size, node] of theirs) await node.nft(calicoLayout(size));
  for (const [size, node] of ours) {
    const filter = openPacketFilter({ logger: SILENT, netns: node.netns });
    await filter.apply(inputs(size, node.name));
    // Its watch would keep a thread of the pool; what it wrote stays.
    filter.close();
  }
  const end = performance.now() + SECONDS * 1000;
  while (performance.now() < end) for (const node of all) node.turn();
  for (const node of all) {
    if ((await node.missing()) > 0) throw new Error(`Packets of ${node.name} were dropped`);
  }
  const smallest = measured(ours.get(SMALLEST));
  const empty = measured(bare);
  const rows = OURS.map((size) => {
    const own = measured(ours.get(size));
    const other = measured(theirs.get(size));
    return {
      rules: size.rules,
      'that differ in': size.shape,
      endpoints: size.endpoints,
      'new flow, packets/s': rate(own.packet),
      'ns to the smallest': ratio(own.packet, smallest.packet),
      'round trip µs': (own.roundTrip / 1000).toFixed(1),
      'to no rules': ratio(own.roundTrip, empty.roundTrip),
      "Calico's layout, packets/s": rate(other.packet),
      'ns to ours': ratio(other.packet, own.packet),
      'its round trip to ours': ratio(other.roundTrip, own.roundTrip),
    };
  });
  console.log(
    `${circumstances()}; ${bare.costs.length} turns. ` +
      `No rules at all: ${rate(empty.packet)} packets/s, round trip ${(empty.roundTrip / 1000).toFixed(1)} µs.\n`,
  );
  console.log(markdownTable(rows));
} finally {
  for (const node of all) await node.remove();
}

type Measured = { readonly packet: number; readonly roundTrip: number };

/** In nanoseconds; NaN where nothing was measured. */
function measured(node: CostedNode | undefined): Measured {
  if (node === undefined) return { packet: Number.NaN, roundTrip: Number.NaN };
  return { packet: typical(node.costs), roundTrip: typical(node.roundTrips) };
}

function rate(nanoseconds: number): string {
  return Number.isNaN(nanoseconds) ? '' : String(Math.round(1e9 / nanoseconds));
}

function ratio(own: number, other: number): string {
  return Number.isNaN(own) ? '' : (own / other).toFixed(3);
}

function interfaces({ endpoints }: Size): string[] {
  const others = Array.from(
    { length: endpoints - 2 },
    (_, index) => `cali${(index + 2).toString(16).padStart(7, '0')}`,
  );
  return [...DEVICES, ...others];
}

/** A rule of ours, the last of which matches. */
function ruleOf(index: number, { rules, shape }: Size): object {
  const isLast = index + 1 === rules;
  const action = shape === 'exceptions' && index % 2 === 0 && !isLast ? 'Deny' : 'Allow';
  const port = isLast ? DESTINATION_PORT : 1000 + index;
  const net = isLast
    ? '10.65.0.0/24'
    : `10.${66 + (index >> 9)}.${(index >> 1) & 255}.${(index & 1) * 128}/25`;
  // Every second rule has an exception before it.
  const pair = index % 2 === 0 ? net : `10.${66 + (index >> 9)}.${(index >> 1) & 255}.0/24`;
  const source = {
    'selectors and ports': { selector: `role == '${role(index + 1, rules)}'` },
    selectors: { selector: `role == '${role(index + 1, rules)}'` },
    'nets and ports': { nets: [net] },
    nets: { nets: [net] },
    ports: {},
    exceptions: { nets: [isLast ? net : pair] },
  }[shape];
  const ports = shape.includes('ports') ? port : DESTINATION_PORT;
  return { action, protocol: 'UDP', source, destination: { ports: [ports] } };
}

function role(rule: number, rules: number): string {
  return rule === rules ? 'client' : `other${rule}`;
}

function inputs(size: Size, node: string): PolicyInputs {
  const endpoints = interfaces(size).map((interfaceName, index) =>
    resource(
      'WorkloadEndpoint',
      `${node}-k8s-p${index}-eth0`,
      { role: index === 0 ? 'client' : 'server' },
      {
        orchestrator: 'k8s',
        node,
        pod: `p${index}`,
        endpoint: 'eth0',
        ipNetworks: [`10.65.${index >> 8}.${(index & 255) + 1}/32`.replace('.256/', '.0/')],
        interfaceName,
        profiles: ['kns.default'],
      },
    ),
  ) as WorkloadEndpoint[];
  const ingress = Array.from({ length: size.rules }, (_, index) => ruleOf(index, size));
  const policy = resource('NetworkPolicy', 'web', undefined, {
    selector: "role == 'server'",
    ingress,
  });
  return {
    ...NO_INPUTS,
    node,
    localEndpoints: endpoints,
    workloadEndpoints: endpoints,
    networkPolicies: [policy] as PolicyInputs['networkPolicies'],
  };
}

function resource(
  kind: string,
  name: string,
  labels: object | undefined,
  spec: object,
): AnyResource {
  const metadata = { name, namespace: 'default', ...(labels ? { labels } : {}) };
  return parseResource({ apiVersion: API_VERSION, kind, metadata, spec });
}

/** The same policies as `iptables-save` of Calico has them, in the words of nft. */
function calicoLayout(size: Size): string {
  const names = interfaces(size);
  const lines = ['table ip calico {'];
  for (let rule = 1; rule <= size.rules; rule++) {
    const elements = rule === size.rules ? ` elements = { ${ADDRESSES[0]} };` : '';
    lines.push(`set s-${rule} { type ipv4_addr;${elements} }`);
  }
  const policy = Array.from({ length: size.rules }, (_, index) => {
    const port = index + 1 === size.rules ? DESTINATION_PORT : 1000 + index;
    return `meta l4proto udp ip saddr @s-${index + 1} udp dport ${port} meta mark set meta mark or 0x10000
      meta mark and 0x10000 == 0x10000 return`;
  });
  lines.push(`chain pi-web { ${policy.join('\n')}\n }`);
  lines.push('chain pro-default { meta mark set meta mark or 0x10000; }');
  for (const name of names) {
    const chain = (to: string, rules: string): string => `chain ${to}-${name} {
      ct state established,related accept
      ct state invalid drop
      meta mark set meta mark and 0xfffeffff
      ${rules}
      meta mark and 0x10000 == 0x10000 return
      drop
    }`;
    lines.push(chain('fw', 'jump pro-default'), chain('tw', 'jump pi-web'));
  }
  for (const side of ['fw', 'tw'] as const) {
    const field = side === 'fw' ? 'iifname' : 'oifname';
    const groups = Map.groupBy(names, (name) => name.slice(0, 7));
    for (const [start, members] of groups) {
      const rules = members.map((name) => `${field} "${name}" goto ${side}-${name}`);
      lines.push(`chain d-${side}-${start} { ${rules.join('\n')}\n drop\n }`);
    }
    const rules = [...groups.keys()].map((start) => `${field} "${start}*" goto d-${side}-${start}`);
    lines.push(`chain dispatch-${side} { ${rules.join('\n')}\n drop\n }`);
  }
  lines.push(
    `chain cali-forward { type filter hook forward priority 0;
    iifname "cali*" jump dispatch-fw
    oifname "cali*" jump dispatch-tw
    meta mark and 0x10000 == 0x10000 accept
  }`,
    '}',
  );
  return lines.join('\n');
}
