// What a packet of a new flow costs between two pods of one node: our layout, the one that Calico's iptables mode uses
// (chains per endpoint, dispatch by prefixes of interface names, one rule after another), and no rules at all.
//
//   node integration/bench/policy_packets.ts        needs root; works in network namespaces of its own
//
// The CPU time of the sender counts, in the kernel: all hops between the two pods are made in its context. Nobody
// answers, so every packet is judged as the first of its flow. The smallest of several turns is shown.
import { randomBytes } from 'node:crypto';
import { type AnyResource, parseResource, type WorkloadEndpoint } from '@calico/model';
import { openPacketFilter } from '../../services/felix/adapters/packet_filter.ts';
import type { PolicyInputs } from '../../services/felix/ports.ts';
import { exec, execOk } from '../lab/exec.ts';

const PACKETS = 5_000;
const TURNS = 4;
const API_VERSION = 'projectcalico.org/v3';
const SILENT = { debug() {}, info() {}, warn: console.warn, error: console.error };
const prefix = `bpp${randomBytes(2).toString('hex')}`;
const [node, client, server] = ['n', 'c', 's'].map((name) => `${prefix}-${name}`) as [
  string,
  string,
  string,
];
const DEVICES = ['calia000000', 'calib000000'] as const;
const ADDRESSES = ['10.65.0.1', '10.65.0.2'] as const;

type Size = { readonly endpoints: number; readonly rules: number };
const SIZES: readonly Size[] = [
  ...[2, 100, 1000, 10_000].map((endpoints) => ({ endpoints, rules: 1 })),
  ...[10, 100, 1000].map((rules) => ({ endpoints: 2, rules })),
];

try {
  await connect();
  const none = await cost();
  const rows = [];
  for (const size of SIZES) {
    await calicoLayout(size);
    const theirs = await cost();
    await nft('flush ruleset');
    const filter = openPacketFilter({ logger: SILENT, netns: `/run/netns/${node}` });
    await filter.apply(inputs(size));
    const ours = await cost();
    filter.close();
    await nft('flush ruleset');
    rows.push({ ...size, 'no rules ns': none, 'ours ns': ours, "Calico's layout ns": theirs });
  }
  console.table(rows);
} finally {
  for (const name of [node, client, server]) await exec(['ip', 'netns', 'del', name]);
}

async function connect(): Promise<void> {
  for (const name of [node, client, server]) await execOk(['ip', 'netns', 'add', name]);
  for (const [index, pod] of [client, server].entries()) {
    const [device, address] = [DEVICES[index] ?? '', ADDRESSES[index] ?? ''];
    await batch(node, [
      `link add ${device} type veth peer name eth0 netns ${pod}`,
      `link set ${device} address ee:ee:ee:ee:ee:ee up`,
      `route add ${address} dev ${device}`,
    ]);
    await batch(pod, [
      `addr add ${address}/32 dev eth0`,
      'link set eth0 up',
      'route add 169.254.1.1 dev eth0',
      'neigh add 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev eth0',
      'route add default via 169.254.1.1 dev eth0',
    ]);
    await execOk([
      'ip',
      'netns',
      'exec',
      node,
      'sysctl',
      '-qw',
      `net.ipv4.conf.${device}.proxy_arp=1`,
    ]);
  }
  await execOk(['ip', 'netns', 'exec', node, 'sysctl', '-qw', 'net.ipv4.ip_forward=1']);
}

function batch(netns: string, commands: readonly string[]): Promise<string> {
  return execOk(['ip', '-n', netns, '-batch', '-'], { input: commands.join('\n') });
}

function run(netns: string, program: string) {
  const command = ['ip', 'netns', 'exec', netns, process.execPath, '-e', program];
  return exec(command, { timeoutMs: 30_000 });
}

/** Nanoseconds of kernel time per packet. */
async function cost(): Promise<number> {
  const sink = `require('dgram').createSocket({ type: 'udp4', recvBufferSize: 2048 }).bind(9000, () => console.log('up')); setTimeout(() => process.exit(), 60000)`;
  const send = `const s = require('dgram').createSocket('udp4'); const b = Buffer.alloc(64);
    s.connect(9000, '${ADDRESSES[1]}', () => { let left = ${PACKETS};
      const next = () => { const n = Math.min(left, 1000); left -= n; let open = n;
        for (let i = 0; i < n; i++) s.send(b, () => { if (--open === 0) left > 0 ? next() : end(); }); };
      s.send(b, () => setTimeout(() => { start = process.cpuUsage(); next(); }, 200)); let start;
      const end = () => { console.log(process.cpuUsage(start).system * 1000 / ${PACKETS}); process.exit(); }; });`;
  const stop = new AbortController();
  const receiving = exec(['ip', 'netns', 'exec', server, process.execPath, '-e', sink], {
    signal: stop.signal,
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  const results: number[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    const { stdout, stderr, code } = await run(client, send);
    if (code !== 0) throw new Error(`Cannot send packets: ${stderr}`);
    results.push(Number(stdout));
  }
  stop.abort();
  await receiving;
  return Math.round(Math.min(...results));
}

function nft(text: string): Promise<string> {
  return execOk(['ip', 'netns', 'exec', node, 'nft', '-f', '-'], { input: text });
}

function interfaces({ endpoints }: Size): string[] {
  const others = Array.from(
    { length: endpoints - 2 },
    (_, index) => `cali${(index + 2).toString(16).padStart(7, '0')}`,
  );
  return [...DEVICES, ...others];
}

function role(rule: number, { rules }: Size): string {
  return rule === rules ? 'client' : `other${rule}`;
}

function inputs(size: Size): PolicyInputs {
  const endpoints = interfaces(size).map((interfaceName, index) =>
    resource(
      'WorkloadEndpoint',
      `${prefix}-k8s-p${index}-eth0`,
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
  const ingress = Array.from({ length: size.rules }, (_, index) => ({
    action: 'Allow',
    protocol: 'UDP',
    source: { selector: `role == '${role(index + 1, size)}'` },
    destination: { ports: [index + 1 === size.rules ? 9000 : 1000 + index] },
  }));
  const policy = resource('NetworkPolicy', 'web', undefined, {
    selector: "role == 'server'",
    ingress,
  });
  return {
    node,
    inSync: true,
    localEndpoints: endpoints,
    workloadEndpoints: endpoints,
    networkPolicies: [policy] as PolicyInputs['networkPolicies'],
    globalNetworkPolicies: [],
    tiers: [],
    profiles: [],
    networkSets: [],
    globalNetworkSets: [],
    ipPools: [],
    nodes: [],
    felixConfiguration: undefined,
    hostEndpoints: [],
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
function calicoLayout(size: Size): Promise<string> {
  const names = interfaces(size);
  const lines = ['table ip calico {'];
  for (let rule = 1; rule <= size.rules; rule++) {
    const elements = rule === size.rules ? ` elements = { ${ADDRESSES[0]} };` : '';
    lines.push(`set s-${rule} { type ipv4_addr;${elements} }`);
  }
  const policy = Array.from({ length: size.rules }, (_, index) => {
    const port = index + 1 === size.rules ? 9000 : 1000 + index;
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
  return nft(lines.join('\n'));
}
