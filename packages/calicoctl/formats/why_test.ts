import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { ExplainResponseSchema } from '@calico/proto/felix/v1/policy';
import { WhyResponseSchema } from '@calico/proto/status/v1/policy';
import { formatWhy, protocolNumberOf } from './why.ts';

const ENDS = {
  from: { name: 'default/client', address: '10.244.58.193', node: 'k8s-node02' },
  to: { name: 'default/web', address: '10.244.85.194', node: 'k8s-node01' },
  flow: { source: '10.244.58.193', destination: '10.244.85.194', protocol: 6, destinationPort: 80 },
};
const EGRESS = {
  direction: 'egress',
  endpoint: 'default/client',
  allowed: true,
  decidedBy: 'Profile kns.default rule 1 Allow',
  profiles: [
    {
      kind: 'Profile',
      name: 'kns.default',
      outcome: 'Allow',
      rules: [{ number: 1, action: 'Allow', matched: true }],
    },
  ],
};
const MISMATCH = {
  field: 'source.selector',
  wanted: 'role == "frontend"',
  found: 'default/client with role=db',
  remedy: "label role of default/client were 'frontend'",
};

type Node = Parameters<typeof create<typeof ExplainResponseSchema>>[1];

function text(...nodes: Node[]): string {
  const all = nodes.map((node) => create(ExplainResponseSchema, node));
  return formatWhy(create(WhyResponseSchema, { ...ENDS, nodes: all }), 'both');
}

test('formatWhy() shows both nodes, every rule, and the nearest one', () => {
  const ingress = {
    direction: 'ingress',
    endpoint: 'default/web',
    allowed: false,
    decidedBy: 'tier default: default action Deny',
    tiers: [
      {
        name: 'default',
        defaultAction: 'Deny',
        outcome: 'Deny',
        byDefault: true,
        policies: [
          {
            kind: 'NetworkPolicy',
            namespace: 'default',
            name: 'allow-web',
            rules: [{ number: 1, action: 'Allow', mismatches: [MISMATCH] }],
          },
          { kind: 'GlobalNetworkPolicy', name: 'closed' },
        ],
      },
    ],
    nearest: { rule: 'NetworkPolicy default/allow-web rule 1', mismatches: [MISMATCH] },
  };
  const nodes = [
    { node: 'k8s-node02', allowed: true, directions: [EGRESS] },
    { node: 'k8s-node01', allowed: false, directions: [ingress] },
  ];
  assert.equal(
    text(...nodes),
    `default/client (10.244.58.193) -> default/web (10.244.85.194), TCP port 80: denied

On k8s-node02, egress of default/client: allowed by Profile kns.default rule 1 Allow
  Profile kns.default
    rule 1 Allow: matches

On k8s-node01, ingress of default/web: denied by tier default: default action Deny
  tier default
    NetworkPolicy default/allow-web
      rule 1 Allow: no match: source.selector wants role == "frontend", found default/client with role=db
    GlobalNetworkPolicy closed: no rules for this direction
    default action Deny: no rule above matches
  NetworkPolicy default/allow-web rule 1 would allow it if label role of default/client were 'frontend'
`,
  );
});

test('formatWhy() shows what is decided before policy, and shortens long policies', () => {
  const rules = Array.from({ length: 40 }, (_, index) => ({
    number: index + 1,
    action: 'Deny',
    matched: index === 39,
    mismatches: index === 39 ? [] : [MISMATCH],
  }));
  const policy = { kind: 'GlobalNetworkPolicy', name: 'long', outcome: 'Deny', rules };
  const direction = {
    ...EGRESS,
    allowed: false,
    decidedBy: 'GlobalNetworkPolicy long rule 40 Deny',
    profiles: [policy],
  };
  const lines = text(
    { node: 'n1', allowed: false, directions: [direction] },
    { node: 'n2', allowed: false, because: 'pods/from: VXLAN from a pod', directions: [] },
  ).split('\n');
  assert.equal(lines.filter((line) => line.includes('no match')).length, 10);
  assert.ok(lines.includes('    … 29 more rules'));
  assert.ok(lines.includes('    rule 40 Deny: matches'));
  assert.ok(lines.includes('On n2: denied: pods/from: VXLAN from a pod'));
  assert.match(text(), /: not known\n$/);
});

test('formatWhy() shows what the kernels did, beside what was predicted', () => {
  const step = { table: 'calico', chain: 'p/1', rule: 'Deny', verdict: 'drop' };
  const answer = create(WhyResponseSchema, {
    ...ENDS,
    nodes: [create(ExplainResponseSchema, { node: 'n1' })],
    traces: [{ node: 'n1', steps: [step] }, { node: 'n2' }, { node: 'n3', problem: 'no nft' }],
  });
  assert.equal(
    formatWhy(answer, 'both').split('\n\n').slice(2).join('\n\n'),
    `On n1, the packet met
  CHAIN   RULE   VERDICT
  p/1     Deny   drop

On n2, the packet was not seen

On n3, nothing was traced: no nft

The kernel dropped it; predicted: denied
`,
  );
});

test('protocolNumberOf() reads names and numbers', () => {
  assert.deepEqual(['tcp', 'UDP', 'icmpv6', '47', '256', 'nonsense'].map(protocolNumberOf), [
    6,
    17,
    58,
    47,
    undefined,
    undefined,
  ]);
});
