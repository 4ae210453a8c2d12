// What pods do not notice: restarts, unrelated changes. And what must not last: changes by others.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { diff, openNftables, transactionText } from '@calico/nftables';
import * as fc from 'fast-check';
import { compile } from '../../services/felix/core/policy/compiler/compile.ts';
import { worlds } from '../../services/felix/core/policy/random/worlds.ts';
import type { PacketFilter, PolicyInputs } from '../../services/felix/ports.ts';
import { LineMonitor } from '../lab/monitor.ts';
import {
  felixConfiguration,
  globalPolicy,
  ipPool,
  networkPolicy,
  nodeResource,
  TestNode,
  tier,
} from './node_fixture.ts';

const node = new TestNode();
/** Each watch holds a thread of the runtime's pool, which has four. */
let filter: PacketFilter | undefined;

before(async () => {
  await node.up([
    { name: 'web', labels: { role: 'web' }, ports: [{ name: 'http', protocol: 'TCP', port: 80 }] },
    { name: 'client', labels: { role: 'client' } },
  ]);
  assert.equal(await node.pod('web').listen('tcp', 80), 'ok');
});
after(async () => {
  filter?.close();
  await node.down();
});

/** As a felix that has just started; the one before has ended. */
function restart(): PacketFilter {
  filter?.close();
  filter = node.openFilter();
  return filter;
}

/** Uses every kind of statement and set. */
function rich(): Partial<PolicyInputs> {
  return {
    tiers: [tier('first', { order: 1 })],
    globalNetworkPolicies: [
      globalPolicy('watch', {
        tier: 'first',
        ingress: [
          { action: 'Log', protocol: 'ICMP', icmp: { type: 3, code: 1 } },
          { action: 'Deny', source: { nets: ['198.51.100.0/24', '203.0.113.7'] } },
          { action: 'Deny', protocol: 'UDP', destination: { notPorts: [53, '8000:9000'] } },
          { action: 'Pass' },
        ],
      }),
    ],
    networkPolicies: [
      networkPolicy('web', {
        selector: "role == 'web'",
        ingress: [
          {
            action: 'Allow',
            protocol: 'TCP',
            source: { selector: "role == 'client'" },
            destination: { ports: ['http', 443] },
          },
          { action: 'Deny', ipVersion: 6, notProtocol: 'SCTP' },
        ],
      }),
    ],
    ipPools: [
      ipPool('pods', { cidr: '10.65.0.0/16', natOutgoing: true, vxlanMode: 'CrossSubnet' }),
    ],
    nodes: [nodeResource('outside', '192.0.2.9/24')],
  };
}

/** Everything that `nft monitor` prints during `work`. */
async function changesDuring(work: () => Promise<void>): Promise<string> {
  const monitor = await LineMonitor.packetFilter(node.host.namespace);
  await work();
  return (await monitor.stop()).join('\n');
}

async function eventually(check: () => Promise<boolean> | boolean, what: string): Promise<void> {
  for (let i = 0; i < 2_000; i++) {
    if (await check()) return;
    await sleep(10);
  }
  assert.fail(`not within 20 s: ${what}`);
}

test('an established connection survives unrelated changes, and the loss of its permission is kept for new ones', async () => {
  const felix = restart();
  await felix.apply(node.inputs(rich()));
  const client = node.pod('client');
  const web = node.pod('web');
  const connection = Number(
    await client.ask({ op: 'open', address: web.address, port: 80, timeoutMs: 500 }),
  );
  const exchange = (): Promise<string> =>
    client.ask({ op: 'exchange', connection, timeoutMs: 500 });
  assert.equal(await exchange(), `ok ${client.address}`);
  for (let i = 0; i < 5; i++) {
    const more = networkPolicy(`more-${i}`, {
      selector: "role == 'client'",
      egress: [{ action: 'Allow' }],
    });
    const { networkPolicies = [], ...rest } = rich();
    await felix.apply(node.inputs({ ...rest, networkPolicies: [...networkPolicies, more] }));
    assert.equal(await exchange(), `ok ${client.address}`);
  }
  await felix.apply(node.inputs({ networkPolicies: [networkPolicy('deny', { ingress: [] })] }));
  assert.equal(await exchange(), `ok ${client.address}`);
  assert.equal(await client.tcp(web, 80), 'timeout');
});

test('a restart with the same state changes nothing', async () => {
  await restart().apply(node.inputs(rich()));
  const second = restart();
  const changes = await changesDuring(async () => {
    await second.apply(node.inputs(rich()));
    await second.apply(node.inputs(rich()));
  });
  assert.equal(changes, '');
  const difference = await changesDuring(async () => {
    await second.apply(
      node.inputs({ ...rich(), networkPolicies: [], felixConfiguration: felixConfiguration({}) }),
    );
  });
  assert.match(difference, /delete chain inet calico policy-in\/namespaced\/default\/web/u);
  assert.doesNotMatch(difference, /nodes\/4|postrouting|forward-/u);
});

test('before the inputs are complete what is in the kernel stays; without anything pods are closed', async () => {
  const felix = restart();
  await felix.apply(node.inputs(rich()));
  const restarted = restart();
  const changes = await changesDuring(() =>
    restarted.apply({ ...node.inputs(), localEndpoints: [], inSync: false }),
  );
  assert.equal(changes, '');
  await node.nft('delete', 'table', 'inet', 'calico');
  const fresh = restart();
  await fresh.apply({ ...node.inputs(), inSync: false });
  assert.equal(await node.pod('client').tcp(node.pod('web'), 80), 'timeout');
  await fresh.apply(node.inputs());
  assert.equal((await node.pod('client').tcp(node.pod('web'), 80)).split(' ')[0], 'ok');
});

test('what somebody else changes is reported and restored, and connections survive it', async () => {
  const felix = restart();
  const details: string[] = [];
  felix.onTampered((detail) => {
    details.push(detail);
    void felix.apply(node.inputs(rich()));
  });
  await felix.apply(node.inputs(rich()));
  const expected = await node.nft('-s', 'list', 'table', 'inet', 'calico');
  const client = node.pod('client');
  const connection = Number(
    await client.ask({ op: 'open', address: node.pod('web').address, port: 80, timeoutMs: 500 }),
  );
  const vandalism = [
    ['delete', 'table', 'inet', 'calico'],
    ['flush', 'chain', 'inet', 'calico', 'pods/from'],
    ['insert', 'rule', 'inet', 'calico', 'forward-to-pods', 'accept'],
    ['flush', 'map', 'inet', 'calico', 'class/to-pod'],
    ['flush', 'ruleset'],
  ];
  for (const words of vandalism) {
    const known = details.length;
    await node.nft(...words);
    await eventually(() => details.length > known, `report of "nft ${words.join(' ')}"`);
    await eventually(
      async () => {
        const found = await node.nft('-s', 'list', 'ruleset').catch(() => '');
        return sorted(found) === sorted(expected);
      },
      `repair after "nft ${words.join(' ')}"`,
    );
    assert.match(details.at(-1) ?? '', /^table inet calico: changed by process \d+ \(nft\)$/u);
    assert.equal(
      await client.ask({ op: 'exchange', connection, timeoutMs: 500 }),
      `ok ${client.address}`,
    );
  }
  assert.equal(details.length, vandalism.length);
  await node.nft('add', 'table', 'inet', 'other');
  await node.nft('delete', 'table', 'inet', 'other');
  assert.equal(details.length, vandalism.length);
});

// The order of chains, sets and elements says nothing.
function sorted(listing: string): string {
  return listing
    .split(/[\n,{}]/u)
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .toSorted()
    .join('\n');
}

test('the kernel takes every compiled ruleset and lists it unchanged', async () => {
  filter?.close();
  await node.nft('flush', 'ruleset');
  const table = openNftables({ table: 'calico', netns: node.netns });
  try {
    await fc.assert(
      fc.asyncProperty(worlds, async (world) => {
        const desired = compile(world);
        await table.commit(diff(desired, await table.list()));
        assert.equal(transactionText('calico', diff(desired, await table.list())), '');
      }),
      { numRuns: 150 },
    );
  } finally {
    await table.close();
  }
});
