// Fields of rules and settings that the other tests do not feel: service accounts, negations, ICMP codes, protocols by
// number, look-ups, translation to chosen addresses and ports. Costs 9 s.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { diff, openNftables, openRuleCounters } from '@calico/nftables';
import { compile } from '../../services/felix/core/policy/compiler/compile.ts';
import { RuleTotals } from '../../services/felix/core/policy/explain/rule_totals.ts';
import type { PacketFilter, PolicyInputs } from '../../services/felix/ports.ts';
import { felixConfiguration, ipPool, networkPolicy, TestNode } from './node_fixture.ts';

const node = new TestNode();
let filter: PacketFilter;
const [OK, TIMEOUT] = ['ok', 'timeout'];

before(async () => {
  await node.up([
    { name: 'web', labels: { role: 'web' } },
    {
      name: 'client',
      labels: { role: 'client' },
      profiles: ['kns.default', 'ksa.default.shop'],
      serviceAccount: 'shop',
    },
    { name: 'blue', labels: { role: 'client' }, namespace: 'blue' },
  ]);
  filter = node.openFilter();
  assert.equal(await node.pod('web').listen('tcp', 80), 'ok');
  assert.equal(await node.pod('web').listen('udp', 53), 'ok');
  assert.equal(await node.outside.listen('tcp', 80), 'ok');
});
after(async () => {
  filter?.close();
  await node.down();
});

function apply(parts: Partial<PolicyInputs>): Promise<void> {
  return filter.apply(node.inputs(parts));
}

/** What the client pod and the one of namespace blue get of the web pod by TCP, and the client by UDP and ping. */
async function reached(rule: object): Promise<string[]> {
  const policy = networkPolicy('rule', { selector: "role == 'web'", ingress: [rule] });
  await apply({ networkPolicies: [policy] });
  const [web, client, blue] = [node.pod('web'), node.pod('client'), node.pod('blue')];
  const [first, second, udp, ping] = await Promise.all([
    client.tcp(web, 80),
    blue.tcp(web, 80),
    client.udp(web, 53),
    client.ping(web),
  ]);
  return [first, second, udp, ping ? OK : TIMEOUT].map((text) => text.split(' ')[0] ?? '');
}

test('service accounts by name and by the labels that they lend', async () => {
  const source = { serviceAccounts: { names: ['shop'] } };
  assert.deepEqual(await reached({ action: 'Allow', source }), [OK, TIMEOUT, OK, OK]);
  const none = { serviceAccounts: { names: ['other'] } };
  assert.deepEqual(await reached({ action: 'Allow', source: none }), [
    TIMEOUT,
    TIMEOUT,
    TIMEOUT,
    TIMEOUT,
  ]);
});

const rule = (source: object) => ({ action: 'Allow', source });

test('namespaceSelector, and every negation', async () => {
  const [all, none] = [
    [OK, OK, OK, OK],
    [TIMEOUT, TIMEOUT, TIMEOUT, TIMEOUT],
  ];
  assert.deepEqual(await reached(rule({ namespaceSelector: 'all()' })), all);
  assert.deepEqual(await reached(rule({ namespaceSelector: 'global()' })), none);
  const blue = { namespaceSelector: "projectcalico.org/name == 'blue'" };
  assert.deepEqual(await reached(rule(blue)), [TIMEOUT, OK, TIMEOUT, TIMEOUT]);
  assert.deepEqual(await reached(rule({ notNets: [`${node.pod('blue').address}/32`] })), [
    OK,
    TIMEOUT,
    OK,
    OK,
  ]);
  assert.deepEqual(await reached(rule({ notSelector: "role == 'client'" })), none);
  assert.deepEqual(await reached({ action: 'Allow', notProtocol: 'UDP' }), [OK, OK, TIMEOUT, OK]);
  assert.deepEqual(
    await reached({ action: 'Allow', protocol: 'TCP', destination: { notPorts: [80] } }),
    none,
  );
});

test('protocols by number, the family, ICMP by type and code', async () => {
  assert.deepEqual(await reached({ action: 'Allow', protocol: 17 }), [
    TIMEOUT,
    TIMEOUT,
    OK,
    TIMEOUT,
  ]);
  assert.deepEqual(await reached({ action: 'Allow', ipVersion: 6 }), [
    TIMEOUT,
    TIMEOUT,
    TIMEOUT,
    TIMEOUT,
  ]);
  const icmp = (terms: object) => reached({ action: 'Allow', protocol: 'ICMP', ...terms });
  const [no, yes] = [
    [TIMEOUT, TIMEOUT, TIMEOUT, TIMEOUT],
    [TIMEOUT, TIMEOUT, TIMEOUT, OK],
  ];
  assert.deepEqual(await icmp({ icmp: { type: 8, code: 0 } }), yes);
  assert.deepEqual(await icmp({ icmp: { type: 8, code: 1 } }), no);
  assert.deepEqual(await icmp({ notICMP: { type: 8 } }), no);
  assert.deepEqual(await icmp({ notICMP: { type: 8, code: 1 } }), yes);
});

test('rules that come in numbers are look-ups, and each still counts what it decides', async () => {
  const { address } = node.pod('client');
  const ingress = Array.from({ length: 12 }, (_, index) => ({
    action: 'Allow',
    protocol: 'TCP',
    source: { nets: [index === 6 ? `${address}/32` : `10.200.${index}.0/24`] },
    destination: { ports: [index === 6 ? 80 : 1000 + index] },
  }));
  const policy = networkPolicy('rule', { selector: "role == 'web'", ingress });
  await apply({ networkPolicies: [policy] });
  const [web, client, blue] = [node.pod('web'), node.pod('client'), node.pod('blue')];
  assert.match(await client.tcp(web, 80), /^ok/u);
  assert.equal(await blue.tcp(web, 80), TIMEOUT);
  const ruleset = compile(node.inputs({ networkPolicies: [policy] }));
  const counters = openRuleCounters({ table: 'calico', netns: node.netns });
  const totals = new RuleTotals();
  totals.update(ruleset, counters.read());
  counters.close();
  const counted = totals.stats.filter(
    ({ kind, packets }) => kind === 'NetworkPolicy' && packets > 0n,
  );
  assert.deepEqual(
    counted.map(({ rule: number, action }) => [number, action]),
    [[7, 'Allow']],
  );
  // What the kernel lists is what was wanted, so that a restart changes nothing.
  const table = openNftables({ table: 'calico', netns: node.netns });
  assert.deepEqual(diff(ruleset, await table.list()), []);
  await table.close();
});

test('natOutgoing takes the address and the ports that are configured', async () => {
  await node.exec('ip', 'addr', 'add', '192.0.2.77/24', 'dev', 'eth0');
  await apply({
    ipPools: [ipPool('pods', { cidr: '10.65.0.0/16', natOutgoing: true })],
    felixConfiguration: felixConfiguration({
      natOutgoingAddress: '192.0.2.77',
      natPortRange: '50000:50009',
    }),
  });
  assert.equal(await node.pod('client').tcp(node.outside, 80), 'ok 192.0.2.77');
  const entries = await node.exec('conntrack', '-L', '-p', 'tcp', '-d', node.outside.address);
  assert.match(entries, /dst=192\.0\.2\.77 sport=80 dport=5000\d /);
  assert.equal(await node.pod('client').ping(node.outside), true);
});
