import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseResource, type WorkloadEndpoint } from '@calico/model';
import { ruleText } from '@calico/nftables';
import type { PolicyInputs } from '../../../ports.ts';
import { NO_INPUTS } from '../sample_inputs.ts';
import { compile } from './compile.ts';
import { dispatched, FROM_POD, TO_POD } from './dispatch.ts';
import type { Ruleset } from './ruleset.ts';

function resource(kind: string, metadata: object, spec: object): unknown {
  return parseResource({ apiVersion: 'projectcalico.org/v3', kind, metadata, spec });
}

function endpoint(
  index: number,
  labels: Record<string, string>,
  more: object = {},
): WorkloadEndpoint {
  return resource(
    'WorkloadEndpoint',
    { name: `node-k8s-pod${index}-eth0`, namespace: 'default', labels },
    {
      orchestrator: 'k8s',
      node: 'node',
      pod: `pod${index}`,
      endpoint: 'eth0',
      ipNetworks: [`10.65.0.${index}/32`],
      interfaceName: `cali${index}`,
      profiles: ['kns.default'],
      ...more,
    },
  ) as WorkloadEndpoint;
}

function inputs(parts: Readonly<Record<string, unknown>>): PolicyInputs {
  return {
    ...NO_INPUTS,
    workloadEndpoints: parts['localEndpoints'] ?? [],
    ...parts,
  } as unknown as PolicyInputs;
}

const networkPolicy = (name: string, spec: object): unknown =>
  resource('NetworkPolicy', { name, namespace: 'default' }, spec);
const globalPolicy = (name: string, spec: object): unknown =>
  resource('GlobalNetworkPolicy', { name }, spec);

/** Rules as nft would list them, without ids. */
function listing(ruleset: Ruleset, chain: string): string[] {
  return (ruleset.chains.get(chain)?.rules ?? []).map((rule) =>
    ruleText(rule).replaceAll(/\/(?:[0-9a-f]{20}|[0-9a-v]{15})\b/gu, '/*'),
  );
}

function programOf(ruleset: Ruleset, direction: 'from' | 'to', interfaceName: string): string {
  const verdict = dispatched(ruleset, direction === 'from' ? FROM_POD : TO_POD, interfaceName);
  return verdict?.split(' ')[1] ?? assert.fail(`${interfaceName} has no program`);
}

test('compile() gives every endpoint two map elements and shares all else', () => {
  const policies = [
    networkPolicy('web', { selector: "role == 'web'", ingress: [{ action: 'Allow' }] }),
  ];
  const some = [endpoint(1, { role: 'web' }), endpoint(2, { role: 'web' }), endpoint(3, {})];
  const few = compile(inputs({ localEndpoints: some, networkPolicies: policies }));
  const more = Array.from({ length: 100 }, (_, index) => endpoint(index + 4, { role: 'web' }));
  const many = compile(inputs({ localEndpoints: [...some, ...more], networkPolicies: policies }));
  assert.deepEqual([...many.chains], [...few.chains]);
  assert.deepEqual([...many.sets.keys()], [...few.sets.keys()]);
  assert.equal(programOf(few, 'to', 'cali1'), programOf(few, 'to', 'cali2'));
  assert.notEqual(programOf(few, 'to', 'cali1'), programOf(few, 'to', 'cali3'));
  assert.equal(programOf(few, 'from', 'cali1'), programOf(few, 'from', 'cali3'));
  assert.equal(many.sets.get('class/to-pod')?.elements.size, 103);
  assert.equal(many.sets.get('program/to-pod')?.elements.size, 2);
});

test('compile() writes a policy as one chain, with sets for selectors, nets, ports', () => {
  const policy = networkPolicy('web', {
    selector: "role == 'web'",
    ingress: [
      {
        action: 'Allow',
        protocol: 'TCP',
        source: { selector: "role == 'client'" },
        destination: { ports: [80, '8000:8100', 'metrics'] },
      },
      { action: 'Deny', ipVersion: 6 },
      { action: 'Log', source: { nets: ['10.0.0.0/8', '192.168.1.1'] } },
      { action: 'Deny', protocol: 'ICMP', icmp: { type: 8, code: 0 } },
      { action: 'Allow', protocol: 'UDP', source: { notPorts: [1], ports: ['1:5'] } },
      { action: 'Allow', http: { methods: ['GET'] }, protocol: 'TCP' },
    ],
  });
  const web = endpoint(
    1,
    { role: 'web' },
    { ports: [{ name: 'metrics', protocol: 'TCP', port: 9100 }] },
  );
  const ruleset = compile(
    inputs({ localEndpoints: [web, endpoint(2, { role: 'client' })], networkPolicies: [policy] }),
  );
  const title = 'NetworkPolicy default/web ingress rule';
  assert.deepEqual(listing(ruleset, 'policy-in/namespaced/default/web'), [
    `ip saddr @endpoints4/* tcp dport @ports/80_8000-8100 counter accept comment "${title} 1 Allow"`,
    `ip saddr @endpoints4/* ip daddr . tcp dport @port4/tcp/metrics/all counter accept comment "${title} 1 Allow"`,
    `ip6 saddr @endpoints6/* tcp dport @ports/80_8000-8100 counter accept comment "${title} 1 Allow"`,
    `ip6 saddr @endpoints6/* ip6 daddr . tcp dport @port6/tcp/metrics/all counter accept comment "${title} 1 Allow"`,
    `meta nfproto ipv6 counter drop comment "${title} 2 Deny"`,
    `ip saddr @nets4/* counter log prefix "calico-packet: " comment "${title} 3 Log"`,
    `icmp type 8 icmp code 0 counter drop comment "${title} 4 Deny"`,
    `udp sport 1-5 udp sport != @ports/1 counter accept comment "${title} 5 Allow"`,
  ]);
  const contents = [...ruleset.sets]
    .filter(([name]) => /^(endpoints4|nets4|ports|port4)/u.test(name))
    .map(([name, { elements, comment }]) => [
      name.replace(/\/[0-9a-f]{20}/u, ''),
      comment,
      [...elements.keys()],
    ])
    .toSorted(([a], [b]) => ((a ?? '') < (b ?? '') ? -1 : 1));
  assert.deepEqual(contents, [
    ['endpoints4', `(projectcalico.org/namespace == "default" && role == "client")`, ['10.65.0.2']],
    ['nets4', '10.0.0.0/8,192.168.1.1/32', ['10.0.0.0/8', '192.168.1.1']],
    ['port4/tcp/metrics/all', 'tcp port metrics', ['10.65.0.1 . 9100']],
    ['ports/1', 'ports 1', ['1']],
    ['ports/80_8000-8100', 'ports 80, 8000-8100', ['80', '8000-8100']],
  ]);
});

test('compile() orders tiers and policies, passes on, and ends tiers', () => {
  const ruleset = compile(
    inputs({
      localEndpoints: [endpoint(1, {})],
      tiers: [
        resource('Tier', { name: 'security' }, { order: 10 }),
        resource('Tier', { name: 'audit' }, { order: 20, defaultAction: 'Pass' }),
      ],
      globalNetworkPolicies: [
        globalPolicy('last', { tier: 'security', ingress: [{ action: 'Deny', protocol: 'UDP' }] }),
        globalPolicy('first', { tier: 'security', order: 1, ingress: [{ action: 'Pass' }] }),
        globalPolicy('seen', { tier: 'audit', ingress: [{ action: 'Log' }] }),
      ],
      networkPolicies: [
        networkPolicy('b', { ingress: [{ action: 'Allow' }] }),
        networkPolicy('a', { order: 5, ingress: [] }),
        networkPolicy('other', { selector: 'has(x)', ingress: [] }),
        networkPolicy('out', { egress: [], types: ['Egress'] }),
      ],
    }),
  );
  const program = programOf(ruleset, 'to', 'cali1');
  assert.deepEqual(listing(ruleset, program), [
    'jump policy-in/global/first comment "tier security: GlobalNetworkPolicy first"',
    'meta mark & 0x00010000 == 0x00010000 goto program-in/* comment "tier security: passed"',
    'jump policy-in/global/last comment "tier security: GlobalNetworkPolicy last"',
    'counter drop comment "tier security: default action Deny"',
  ]);
  assert.deepEqual(listing(ruleset, 'policy-in/global/first'), [
    'counter meta mark set meta mark | 0x00010000 return comment "GlobalNetworkPolicy first ingress rule 1 Pass"',
  ]);
  const passed = ruleset.chains.get(program)?.rules[1]?.statements.at(-1);
  const rest = passed?.kind === 'verdict' ? (passed.verdict.split(' ')[1] ?? '') : '';
  assert.deepEqual(listing(ruleset, rest), [
    'meta mark set meta mark & 0xfffeffff comment "next tier"',
    'jump policy-in/global/seen comment "tier audit: GlobalNetworkPolicy seen"',
    'jump policy-in/namespaced/default/a comment "tier default: NetworkPolicy default/a"',
    'jump policy-in/namespaced/default/b comment "tier default: NetworkPolicy default/b"',
    'counter drop comment "tier default: default action Deny"',
  ]);
  assert.deepEqual(listing(ruleset, programOf(ruleset, 'from', 'cali1')), [
    'jump policy-out/namespaced/default/out comment "tier default: NetworkPolicy default/out"',
    'counter drop comment "tier default: default action Deny"',
  ]);
});

test('compile() ends with profiles; a namespace without one allows all, another missing one closes', () => {
  const ruleset = compile(
    inputs({
      localEndpoints: [
        endpoint(1, {}, { profiles: ['kns.default', 'ksa.default.x'] }),
        endpoint(2, {}, { profiles: ['web', 'gone', 'kns.default'] }),
        endpoint(3, {}, { profiles: [] }),
      ],
      profiles: [
        resource('Profile', { name: 'web' }, { ingress: [{ action: 'Allow', protocol: 'TCP' }] }),
      ],
    }),
  );
  const ending = 'counter drop comment "no profile of the endpoint allows this ingress"';
  assert.deepEqual(listing(ruleset, programOf(ruleset, 'to', 'cali1')), [
    'jump profile-in/kns.default comment "Profile kns.default"',
    ending,
  ]);
  assert.deepEqual(listing(ruleset, programOf(ruleset, 'to', 'cali2')), [
    'jump profile-in/web comment "Profile web"',
    'counter drop comment "Profile gone does not exist or cannot be read"',
    'jump profile-in/kns.default comment "Profile kns.default"',
    ending,
  ]);
  assert.deepEqual(listing(ruleset, programOf(ruleset, 'to', 'cali3')), [ending]);
});

test('compile() translates what leaves the pools and guards tunnels when pools ask for it', () => {
  const plain = compile(inputs({}));
  assert.equal(plain.chains.has('postrouting-nat'), false);
  const ruleset = compile(
    inputs({
      ipPools: [
        resource(
          'IPPool',
          { name: 'a' },
          { cidr: '10.244.0.0/16', natOutgoing: true, vxlanMode: 'Always' },
        ),
        resource('IPPool', { name: 'b' }, { cidr: '10.245.0.0/16' }),
      ],
      nodes: [resource('Node', { name: 'n1' }, { bgp: { ipv4Address: '192.168.80.100/24' } })],
      felixConfiguration: resource(
        'FelixConfiguration',
        { name: 'default' },
        { externalNodesList: ['172.16.0.0/12'] },
      ),
    }),
  );
  assert.deepEqual(listing(ruleset, 'postrouting-nat'), [
    'ip saddr @pools/nat-outgoing4 ip daddr != @pools/all4 masquerade comment "natOutgoing: leaves the pools"',
    `oifname "vxlan.calico" fib saddr . oif type != local fib saddr type local masquerade comment "the host's own packets into vxlan.calico"`,
  ]);
  assert.deepEqual(listing(ruleset, 'input-to-host').slice(0, 2), [
    'ip saddr @nodes/4 udp dport 4789 fib daddr type local accept comment "VXLAN from a node"',
    'udp dport 4789 fib daddr type local counter drop comment "VXLAN from elsewhere"',
  ]);
  const elements = (name: string): string[] => [...(ruleset.sets.get(name)?.elements.keys() ?? [])];
  assert.deepEqual(elements('nodes/4'), ['172.16.0.0/12', '192.168.80.100']);
  assert.deepEqual(elements('pools/all4'), ['10.244.0.0/15']);
  assert.deepEqual(elements('pools/nat-outgoing4'), ['10.244.0.0/16']);
});

test('compile() guards VXLAN in the IP versions of the pools that use it', () => {
  const pools = ['fd00:10:244::/56', '10.244.0.0/16'].map((cidr, index) =>
    resource('IPPool', { name: `p${index}` }, { cidr, vxlanMode: 'CrossSubnet' }),
  );
  const guards = (ipPools: typeof pools): string[] => {
    const ruleset = compile(inputs({ ipPools }));
    return ['input-to-host', 'postrouting-nat']
      .flatMap((chain) => listing(ruleset, chain))
      .filter((line) => /vxlan/i.test(line))
      .map((line) => line.split(' fib ')[0] ?? '');
  };
  const fromV6 = 'ip6 saddr @nodes/6 udp dport 4789';
  const others = 'udp dport 4789';
  const ownV6 = 'oifname "vxlan-v6.calico"';
  assert.deepEqual(guards(pools.slice(0, 1)), [fromV6, others, ownV6]);
  assert.deepEqual(guards(pools), [
    'ip saddr @nodes/4 udp dport 4789',
    fromV6,
    others,
    'oifname "vxlan.calico"',
    ownV6,
  ]);
});

test('compile() translates to natOutgoingAddress and natPortRange, each family for itself', () => {
  const ruleset = compile(
    inputs({
      ipPools: ['10.244.0.0/16', 'fd00::/64'].map((cidr) =>
        resource('IPPool', { name: cidr.replaceAll(/\W/gu, '') }, { cidr, natOutgoing: true }),
      ),
      felixConfiguration: resource(
        'FelixConfiguration',
        { name: 'default' },
        { natOutgoingAddress: '192.0.2.7', natPortRange: '40000:49999' },
      ),
    }),
  );
  const [four, six] = [
    'ip saddr @pools/nat-outgoing4 ip daddr != @pools/all4',
    'ip6 saddr @pools/nat-outgoing6 ip6 daddr != @pools/all6',
  ];
  const comment = 'comment "natOutgoing: leaves the pools"';
  assert.deepEqual(listing(ruleset, 'postrouting-nat'), [
    ...[6, 17, 132].map(
      (protocol) => `${four} meta l4proto ${protocol} snat ip to 192.0.2.7:40000-49999 ${comment}`,
    ),
    `${four} snat ip to 192.0.2.7 ${comment}`,
    ...[6, 17, 132].map(
      (protocol) => `${six} meta l4proto ${protocol} masquerade to :40000-49999 ${comment}`,
    ),
    `${six} masquerade ${comment}`,
  ]);
});

test('compile() leaves out what it cannot read, and nothing else', () => {
  const bad = networkPolicy('bad', { ingress: [] }) as { spec: object };
  const broken = { ...bad, spec: { ...bad.spec, selector: 'role = x' } };
  const good = networkPolicy('good', { ingress: [] });
  const ruleset = compile(
    inputs({ localEndpoints: [endpoint(1, {})], networkPolicies: [broken, good] }),
  );
  assert.ok(ruleset.chains.has('policy-in/namespaced/default/good'));
  assert.ok(!ruleset.chains.has('policy-in/namespaced/default/bad'));
});
