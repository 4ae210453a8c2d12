import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '@calico/ip';
import {
  type GlobalNetworkPolicy,
  type KubernetesEndpointSlice,
  type NetworkPolicy,
  parseResource,
  type WorkloadEndpoint,
} from '@calico/model';
import { parseSelector } from '@calico/selector';
import * as fc from 'fast-check';
import type { PolicyInputs } from '../../../ports.ts';
import { compile } from '../compiler/compile.ts';
import type { Packet } from '../evaluator/packet.ts';
import { arrivals, packets } from '../random/packets.ts';
import { ruleWorlds, worlds } from '../random/worlds.ts';
import { judge } from '../reference/judge.ts';
import { NO_INPUTS } from '../sample_inputs.ts';
import { explain, explainDirections, packetOf } from './explain.ts';
import { remedies } from './remedy.ts';

const API = 'projectcalico.org/v3';

function pod(name: string, address: string, labels: Record<string, string>): WorkloadEndpoint {
  return parseResource({
    apiVersion: API,
    kind: 'WorkloadEndpoint',
    metadata: { name: `node-k8s-${name}-eth0`, namespace: 'default', labels },
    spec: {
      orchestrator: 'k8s',
      node: 'node',
      pod: name,
      endpoint: 'eth0',
      ipNetworks: [`${address}/32`],
      interfaceName: `cali${name}`,
      profiles: ['kns.default'],
    },
  }) as WorkloadEndpoint;
}

const ENDPOINTS = [
  pod('client', '10.0.0.1', { role: 'db' }),
  pod('web', '10.0.0.2', { role: 'web' }),
];

function policy(name: string, spec: object): NetworkPolicy {
  const metadata = { name, namespace: 'default' };
  return parseResource({ apiVersion: API, kind: 'NetworkPolicy', metadata, spec }) as NetworkPolicy;
}

function global(name: string, spec: object): GlobalNetworkPolicy {
  const resource = { apiVersion: API, kind: 'GlobalNetworkPolicy', metadata: { name }, spec };
  return parseResource(resource) as GlobalNetworkPolicy;
}

function cluster(parts: Partial<PolicyInputs>): PolicyInputs {
  return {
    ...NO_INPUTS,
    localEndpoints: ENDPOINTS,
    workloadEndpoints: ENDPOINTS,
    ...parts,
  };
}

const OUTSIDE = (): string => 'eth0';

function why(parts: Partial<PolicyInputs>, port = 80) {
  const inputs = cluster(parts);
  const packet = packetOf(
    inputs,
    {
      source: parseAddress('10.0.0.1'),
      destination: parseAddress('10.0.0.2'),
      protocol: 6,
      sourcePort: 40_000,
      destinationPort: port,
      icmpType: 0,
      icmpCode: 0,
    },
    OUTSIDE,
  );
  return explain(inputs, compile(inputs), packet);
}

test('a connection that a rule allows, after a profile let it out', () => {
  const ingress = [{ action: 'Allow', protocol: 'TCP', destination: { ports: [80] } }];
  const { allowed, because, directions } = why({
    networkPolicies: [policy('allow-web', { selector: "role == 'web'", ingress })],
  });
  assert.equal(allowed, true);
  assert.equal(
    because,
    'Profile kns.default rule 1 Allow, then NetworkPolicy default/allow-web rule 1 Allow',
  );
  assert.deepEqual(
    directions.map(({ direction, endpoint }) => `${direction} ${endpoint}`),
    ['egress default/client', 'ingress default/web'],
  );
});

test('a connection that a rule denies names it', () => {
  const ingress = [{ action: 'Deny', source: { selector: "role == 'db'" } }, { action: 'Allow' }];
  const { allowed, because, directions } = why({
    globalNetworkPolicies: [global('no-db', { ingress })],
  });
  assert.equal(allowed, false);
  assert.equal(because, 'GlobalNetworkPolicy no-db rule 1 Deny');
  assert.equal(directions[1]?.nearest, undefined);
});

test('a default deny names the policies and what the nearest rule lacks', () => {
  const selector = "role == 'web'";
  const frontend = { action: 'Allow', source: { selector: "role == 'frontend'" } };
  const far = { action: 'Allow', protocol: 'UDP', source: { nets: ['192.0.2.0/24'] } };
  const { because, directions } = why({
    networkPolicies: [policy('allow-web', { selector, ingress: [far, frontend] })],
  });
  assert.equal(because, 'tier default: default action Deny');
  const [, ingress] = directions;
  assert.equal(ingress?.nearest?.rule, 'NetworkPolicy default/allow-web rule 2');
  assert.deepEqual(ingress?.nearest?.mismatches, [
    {
      field: 'source.selector',
      wanted: '(projectcalico.org/namespace == "default" && role == "frontend")',
      found: 'default/client with projectcalico.org/namespace=default,role=db',
      remedy: "label role of default/client were 'frontend'",
    },
  ]);
});

test('every field that keeps a rule from matching is named', () => {
  const ingress = [
    {
      action: 'Allow',
      protocol: 'TCP',
      source: { nets: ['10.1.0.0/16'], notSelector: "role == 'db'" },
      destination: { ports: ['8000:9000', 443], notNets: ['10.0.0.0/24'] },
    },
  ];
  const { directions } = why({ networkPolicies: [policy('p', { ingress })] });
  const [rule] = directions[1]?.tiers[0]?.policies[0]?.rules ?? [];
  assert.deepEqual(
    rule?.mismatches.map(({ field, remedy }) => `${field}: ${remedy}`),
    [
      'source.nets: the source address were in 10.1.0.0/16',
      "source.notSelector: label role of default/client were not 'db'",
      'destination.notNets: the destination address were not in 10.0.0.0/24',
      'destination.ports: the destination port were 8000-9000 or 443',
    ],
  );
});

test('what is decided before policy is said too', () => {
  const inputs = cluster({});
  const vxlan = packetOf(
    inputs,
    {
      source: parseAddress('10.0.0.1'),
      destination: parseAddress('192.0.2.1'),
      protocol: 17,
      sourcePort: 40_000,
      destinationPort: 4789,
      icmpType: 0,
      icmpCode: 0,
    },
    OUTSIDE,
  );
  const { allowed, because } = explain(inputs, compile(inputs), vxlan);
  assert.deepEqual([allowed, because], [false, 'pods/from: VXLAN from a pod']);
});

/** Labels as the sentences would have them. */
function follow(
  sentences: readonly string[],
  labels: Readonly<Record<string, string>>,
): Record<string, string> {
  const changed: Record<string, string> = { ...labels };
  for (const sentence of sentences) {
    const [, label = '', not, value = ''] =
      /label (\w)(?: of p were (not )?'(.*)')?$/.exec(sentence) ?? [];
    if (sentence.startsWith('p did not have')) delete changed[label];
    else if (sentence.startsWith('p had')) changed[label] ??= 'z';
    else changed[label] = not === undefined ? value : 'z';
  }
  return changed;
}

test('a service as destination is its addresses with their ports, and what it lacks is said', () => {
  const slice = parseResource({
    apiVersion: API,
    kind: 'KubernetesEndpointSlice',
    metadata: {
      name: 'web-1',
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': 'web' },
    },
    spec: {
      addressType: 'IPv4',
      endpoints: [{ addresses: ['10.0.0.2'] }],
      ports: [{ protocol: 'TCP', port: 80 }],
    },
  }) as KubernetesEndpointSlice;
  const egress = [{ action: 'Allow', destination: { services: { name: 'web' } } }];
  const parts = {
    endpointSlices: [slice],
    networkPolicies: [policy('to-web', { selector: "role == 'db'", egress })],
  };
  const allowed = why(parts);
  assert.equal(allowed.allowed, true);
  assert.match(allowed.because, /^NetworkPolicy default\/to-web rule 1 Allow, then/);
  const { allowed: isAllowed, directions } = why(parts, 443);
  assert.equal(isAllowed, false);
  assert.deepEqual(directions[0]?.nearest?.mismatches[0], {
    field: 'destination.services',
    wanted: 'default/web',
    found: '10.0.0.2 TCP port 443',
    remedy: 'an EndpointSlice of service default/web had 10.0.0.2 TCP port 443',
  });
});

test('a host endpoint is explained like a pod; failsafe ports are named', () => {
  const endpoint = parseResource({
    apiVersion: API,
    kind: 'HostEndpoint',
    metadata: { name: 'uplink', labels: { host: 'yes' } },
    spec: { node: 'node', interfaceName: 'eth0' },
  });
  const inputs = cluster({
    hostEndpoints: endpoint.kind === 'HostEndpoint' ? [endpoint] : [],
    globalNetworkPolicies: [
      global('closed', {
        selector: "host == 'yes'",
        ingress: [{ action: 'Allow', protocol: 'TCP', destination: { ports: [443] } }],
      }),
    ],
  });
  const toHost = (destinationPort: number) => {
    const flow = {
      source: parseAddress('192.0.2.9'),
      destination: parseAddress('192.0.2.1'),
      protocol: 6,
      sourcePort: 40_000,
      destinationPort,
      icmpType: 0,
      icmpCode: 0,
    };
    const device = (address: { value: bigint }): string =>
      address.value === flow.destination.value ? '' : 'eth0';
    return explain(inputs, compile(inputs), packetOf(inputs, flow, device));
  };
  const denied = toHost(80);
  assert.deepEqual([denied.allowed, denied.because], [false, 'tier default: default action Deny']);
  assert.equal(denied.directions[0]?.endpoint, 'HostEndpoint uplink');
  assert.equal(
    denied.directions[0]?.nearest?.mismatches[0]?.remedy,
    'the destination port were 443',
  );
  assert.equal(toHost(443).because, 'GlobalNetworkPolicy closed rule 1 Allow');
  assert.match(toHost(22).because, /failsafe tcp 22/);
});

test('remedies() make the selector match', () => {
  const label = fc.constantFrom('a', 'b');
  const value = fc.constantFrom('x', 'y');
  const leaf = fc.oneof(
    fc.tuple(label, value).map(([l, v]) => `${l} == '${v}'`),
    fc.tuple(label, value).map(([l, v]) => `${l} != '${v}'`),
    label.map((l) => `has(${l})`),
    fc.tuple(label, value).map(([l, v]) => `${l} in {'${v}'}`),
  );
  const { tree } = fc.letrec<{ tree: string }>((tie) => ({
    tree: fc.oneof(
      { weight: 3, arbitrary: leaf },
      tie('tree').map((one) => `!(${one})`),
      fc.tuple(tie('tree'), tie('tree')).map(([one, other]) => `(${one} && ${other})`),
      fc.tuple(tie('tree'), tie('tree')).map(([one, other]) => `(${one} || ${other})`),
    ),
  }));
  const labels = fc.dictionary(label, value, { noNullPrototype: true });
  fc.assert(
    fc.property(tree, labels, (text, own) => {
      const selector = parseSelector(text);
      const found = remedies(selector.expression, own, 'p');
      assert.equal(found?.length === 0, selector.matches(own));
      // Changes of one label twice do not read well one after the other.
      const touched = (found ?? []).map((one) => /label (\w)/.exec(one)?.[1]);
      if (found === undefined || new Set(touched).size < found.length) return;
      assert.ok(selector.matches(follow(found, own)), `${text}: ${found.join()}`);
    }),
    { numRuns: 1000 },
  );
});

for (const [name, world, some, numRuns] of [
  ['any rule', ruleWorlds, arrivals, 150],
  ['any world', worlds, packets, 100],
] as const) {
  test(`explanation, ruleset and policies agree in ${name}`, () => {
    fc.assert(
      fc.property(world, fc.array(some, { minLength: 10, maxLength: 20 }), (inputs, all) => {
        const ruleset = compile(inputs);
        for (const packet of all) {
          const { allowed } = explain(inputs, ruleset, packet);
          assert.equal(allowed, judge(inputs, packet) === 'accept');
          if (!isForPolicy(inputs, packet)) continue;
          const isAllowed = explainDirections(inputs, packet).every((each) => each.allowed);
          assert.equal(isAllowed, allowed);
        }
      }),
      { numRuns },
    );
  });
}

/** Whether nothing but normal policies of pods and host endpoints can decide. */
function isForPolicy(inputs: PolicyInputs, packet: Packet): boolean {
  const { inputInterface, outputInterface, protocol, destinationPort, dialled } = packet;
  if (packet.state !== 'new' || packet.isCut || dialled !== undefined) return false;
  // Tunnels from pods.
  if (protocol === 4 || destinationPort === 4789) return false;
  const isAtHost = inputInterface === '' || outputInterface === '';
  const isPodToHost = outputInterface === '' && inputInterface.startsWith('cali');
  // Failsafe ports, and what IPv6 needs on the link.
  const isFailsafe = isAtHost && (protocol === 58 || ![80, 443].includes(destinationPort));
  const hasEarly =
    inputs.hostEndpoints.length > 0 &&
    inputs.globalNetworkPolicies.some(({ spec }) => spec.doNotTrack || spec.preDNAT);
  return !isPodToHost && !isFailsafe && !hasEarly && !isOdd(inputs, packet);
}

/** Interfaces that nobody has, and addresses that are not the sender's, are dropped before policy. */
function isOdd(inputs: PolicyInputs, packet: Packet): boolean {
  const known = inputs.localEndpoints.map(({ spec }) => spec.interfaceName);
  const { inputInterface, outputInterface } = packet;
  const isKnown = [inputInterface, outputInterface].every(
    (device) => !device.startsWith('cali') || known.includes(device),
  );
  const sender = inputs.localEndpoints.find(({ spec }) => spec.interfaceName === inputInterface);
  const isSpoofed =
    sender !== undefined && packetOf(inputs, packet, OUTSIDE).inputInterface !== inputInterface;
  return !isKnown || isSpoofed;
}
