// Look-ups whose elements selectors find, followed change by change.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AnyResource, parseResource, type WorkloadEndpoint } from '@calico/model';
import { carriedOut, diff } from '@calico/nftables';
import type { PolicyInputs } from '../../../ports.ts';
import { compile } from '../compiler/compile.ts';
import type { NamedSet, Ruleset } from '../compiler/ruleset.ts';
import { NO_INPUTS } from '../sample_inputs.ts';
import { PolicyGraph } from './policy_graph.ts';

function resource(kind: string, name: string, spec: object, labels = {}): AnyResource {
  const metadata = { name, namespace: 'default', labels };
  return parseResource({ apiVersion: 'projectcalico.org/v3', kind, metadata, spec });
}

function pod(index: number, labels: Record<string, string>): WorkloadEndpoint {
  const spec = {
    orchestrator: 'k8s',
    node: index === 0 ? 'here' : 'there',
    pod: `p${index}`,
    endpoint: 'eth0',
    ipNetworks: [`10.65.${index >> 8}.${index & 255}/32`],
    interfaceName: `cali${index}`,
    profiles: [],
  };
  const name = `${spec.node}-k8s-p${index}-eth0`;
  return resource('WorkloadEndpoint', name, spec, labels) as WorkloadEndpoint;
}

/** Rule `n` lets those with label "n" to port 1000 + n, or to any. */
function policy(rules: readonly number[], hasPorts = true): AnyResource {
  const ingress = rules.map((rule) => ({
    action: 'Allow',
    source: { selector: `has(n${rule})` },
    ...(hasPorts ? { protocol: 'TCP', destination: { ports: [1000 + rule] } } : {}),
  }));
  return resource('NetworkPolicy', 'web', { selector: 'all()', ingress });
}

function inputs(pods: readonly WorkloadEndpoint[], one: AnyResource): PolicyInputs {
  return {
    ...NO_INPUTS,
    node: 'here',
    localEndpoints: pods.filter(({ spec }) => spec.node === 'here'),
    workloadEndpoints: pods,
    networkPolicies: [one] as PolicyInputs['networkPolicies'],
  };
}

const RULES = [1, 2, 3, 4, 5, 6, 7];
const self = pod(0, {});

function lookupOf({ sets }: Ruleset): NamedSet {
  const found = [...sets].find(
    ([, { kind, key }]) => kind === 'counter-map' && key[0] === 'ipv4_addr',
  );
  return found?.[1] ?? assert.fail('there is no look-up');
}

/** Element and number of the rule that it leads to. */
function ownersIn(set: NamedSet): Record<string, string> {
  const owners = [...set.elements].map(([element, value]) => [element, value?.split('/').at(-1)]);
  return Object.fromEntries(owners) as Record<string, string>;
}

test('one label changes the elements of its address, in a small transaction', () => {
  const graph = new PolicyGraph();
  const both = pod(1, { n1: '', n2: '' });
  const first = graph.update(inputs([self, both, pod(2, { n2: '' })], policy(RULES)));
  assert.deepEqual(ownersIn(lookupOf(first.ruleset)), {
    '10.65.0.1 . 1001': '1',
    '10.65.0.1 . 1002': '2',
    '10.65.0.2 . 1002': '2',
  });
  const second = graph.update(
    inputs([self, pod(1, { n1: '' }), pod(2, { n2: '' })], policy(RULES)),
  );
  const commands = diff(second.after, second.before);
  assert.deepEqual(
    commands.map((command) => [command.kind, 'elements' in command && command.elements.length]),
    [['delete-elements', 1]],
  );
});

test('of two rules for one element the first counts, whichever come and go', () => {
  const graph = new PolicyGraph();
  const owner = (labels: Record<string, string>): string | undefined => {
    const state = inputs([self, pod(1, labels)], policy(RULES, false));
    const { ruleset } = graph.update(state);
    assert.deepEqual(ownersIn(lookupOf(ruleset)), ownersIn(lookupOf(compile(state))));
    return ownersIn(lookupOf(ruleset))['10.65.0.1'];
  };
  assert.equal(owner({ n3: '', n5: '' }), '3');
  assert.equal(owner({ n5: '' }), '5');
  assert.equal(owner({ n1: '', n5: '' }), '1');
  assert.equal(owner({}), undefined);
});

test('one rule more or less is one counter and its elements; the map stays', () => {
  const graph = new PolicyGraph();
  const pods = [self, ...RULES.map((rule) => pod(rule, { [`n${rule}`]: '' }))];
  const first = graph.update(inputs(pods, policy(RULES)));
  const second = graph.update(inputs(pods, policy([...RULES, 1])));
  const commands = diff(second.after, second.before);
  // Of both families. The eighth rule has no port of its own, and so no element: the first counts.
  assert.deepEqual(
    commands.map(({ kind }) => kind),
    ['add-counter', 'add-counter'],
  );
  assert.deepEqual(diff(second.ruleset, carriedOut(commands, first.ruleset)), []);
});

test('a selector that comes to find too much gets a set of its own, and comes back', () => {
  const graph = new PolicyGraph();
  const crowd = Array.from({ length: 1100 }, (_, index) => pod(index + 1, { n3: '' }));
  for (const count of [1, 8, 9, 63, 64, 65, 66, 64, 1023, 1025, 1024, 1]) {
    const state = inputs([self, ...crowd.slice(0, count)], policy(RULES));
    const { ruleset } = graph.update(state);
    const expected = compile(state);
    assert.deepEqual(diff(expected, ruleset), [], `${count} pods`);
    const isSet = [...ruleset.sets.keys()].some((name) => name.startsWith('endpoints4/'));
    assert.equal(isSet, count > 1024, `${count} pods`);
  }
});
