// What a change of policy does to connections that exist: real ones, through a real kernel. Costs 10 s.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '@calico/clock';
import { openConntrack, openNetlinkIn } from '@calico/netlink';
import { KernelConnections } from '../../services/felix/adapters/connections.ts';
import { ConnectionCutter } from '../../services/felix/core/policy/connections/connection_cutter.ts';
import { filterSettings } from '../../services/felix/core/policy/meaning/settings.ts';
import type { PacketFilter, PolicyInputs } from '../../services/felix/ports.ts';
import { eventually } from '../lab/wait.ts';
import {
  felixConfiguration,
  globalPolicy,
  networkPolicy,
  type Place,
  SILENT,
  TestNode,
  tier,
} from './node_fixture.ts';

const node = new TestNode();
let filter: PacketFilter;
let cutter: ConnectionCutter;
let connections: KernelConnections;
let netlink: ReturnType<typeof openNetlinkIn>;

before(async () => {
  await node.up([
    { name: 'web', labels: { role: 'web' } },
    { name: 'client', labels: { role: 'client' } },
    { name: 'other', labels: { role: 'other' } },
  ]);
  filter = node.openFilter();
  netlink = openNetlinkIn(node.netns);
  connections = new KernelConnections(openConntrack(node.netns), netlink, SILENT);
  cutter = new ConnectionCutter({ table: connections, clock: systemClock, log: SILENT });
  filter.onCommitted((ruleset, { felixConfiguration: spec, ipPools }) => {
    cutter.committed(ruleset, filterSettings(spec, ipPools).cutBit);
  });
  for (const place of [node.pod('web'), node.host]) {
    assert.equal(await place.listen('tcp', 80), 'ok');
    assert.equal(await place.listen('udp', 53), 'ok');
  }
});
after(async () => {
  filter?.close();
  connections?.close();
  netlink?.close();
  await node.down();
});

async function apply(parts: Partial<PolicyInputs> = {}): Promise<void> {
  await filter.apply(node.inputs(parts));
  await cutter.settled();
}

/** Opens a connection that stays; the function says whether it still carries data both ways. */
async function connect(from: Place, to: Place | string): Promise<() => Promise<string>> {
  const address = typeof to === 'string' ? to : to.address;
  const connection = Number(await from.ask({ op: 'open', address, port: 80, timeoutMs: 2_000 }));
  assert.ok(connection >= 0, `no connection to ${address}`);
  return async () =>
    (await from.ask({ op: 'exchange', connection, timeoutMs: 600 })).split(' ')[0] ?? '';
}

const ingress = (...roles: readonly string[]) =>
  networkPolicy('web', {
    selector: "role == 'web'",
    ingress: roles.map((role) => ({ action: 'Allow', source: { selector: `role == '${role}'` } })),
  });

test('a change cuts what it forbids, in both families, and nothing else', async () => {
  const [web, client, other] = [node.pod('web'), node.pod('client'), node.pod('other')];
  await apply({ networkPolicies: [ingress('client', 'other')] });
  const [first, second, third, fromHost] = await Promise.all([
    connect(client, web),
    connect(client, web.address6),
    connect(other, web),
    connect(node.host, web),
  ]);
  const all = () => Promise.all([first(), second(), third(), fromHost()]);
  assert.deepEqual(await all(), ['ok', 'ok', 'ok', 'ok']);
  // Something else changes.
  const more = networkPolicy('more', { selector: "role == 'other'", ingress: [] });
  await apply({ networkPolicies: [ingress('client', 'other'), more] });
  assert.deepEqual(await all(), ['ok', 'ok', 'ok', 'ok']);
  await apply({ networkPolicies: [ingress('other')] });
  assert.deepEqual(await all(), ['timeout', 'timeout', 'ok', 'ok']);
  // What the server sends by itself is policy's "other direction"; it must not begin the connection anew.
  assert.equal(await web.ask({ op: 'push' }), 'ok');
  assert.deepEqual([await first(), await second()], ['timeout', 'timeout']);
});

test('what is permitted again works again, also from the same port', async () => {
  const [web, client] = [node.pod('web'), node.pod('client')];
  const send = (): Promise<string> =>
    client.ask({ op: 'udp', address: web.address, port: 53, timeoutMs: 600, sourcePort: 5353 });
  await apply({ networkPolicies: [ingress('client')] });
  assert.equal(await send(), `ok ${client.address}`);
  await apply({ networkPolicies: [ingress('other')] });
  assert.equal(await send(), 'timeout');
  await apply({ networkPolicies: [ingress('client')] });
  assert.equal(await send(), `ok ${client.address}`);
});

test('"connections: Keep" leaves them alone', async () => {
  const keep = felixConfiguration({ connections: 'Keep' });
  await apply({ networkPolicies: [ingress('client')], felixConfiguration: keep });
  const exchange = await connect(node.pod('client'), node.pod('web'));
  await apply({ networkPolicies: [ingress('other')], felixConfiguration: keep });
  assert.equal(await exchange(), 'ok');
  assert.equal(await node.pod('client').tcp(node.pod('web'), 80), 'timeout');
  // The setting itself is a change: now all that policy forbids goes.
  await apply({ networkPolicies: [ingress('other')] });
  assert.equal(await exchange(), 'timeout');
});

test('a pod loses its connection to the host with its permission', async () => {
  const accept = felixConfiguration({ defaultEndpointToHostAction: 'Accept' });
  await apply({ felixConfiguration: accept });
  const exchange = await connect(node.pod('client'), node.host);
  assert.equal(await exchange(), 'ok');
  await apply();
  assert.equal(await exchange(), 'timeout');
});

test('forgotten addresses have no connections left', async () => {
  await apply();
  const { address } = node.pod('client');
  await connect(node.pod('client'), node.pod('web'));
  const count = (): number =>
    connections
      .list()
      .filter(({ original }) => original.source.value === BigInt(ipv4Value(address))).length;
  assert.ok(count() > 0);
  await eventually(
    () => {
      connections.forget([address]);
      // A connection of a test before may send again what was never answered, right between the two.
      return count() === 0;
    },
    5_000,
    () => `${count()} connections of ${address} are left`,
  );
});

function ipv4Value(text: string): number {
  return text.split('.').reduce((value, part) => value * 256 + Number(part), 0);
}

test('no packet is judged by half a policy while policies change under traffic', async () => {
  const [web, client, other] = [node.pod('web'), node.pod('client'), node.pod('other')];
  // Two ways to say the same: chains, sets, tiers and programs all change between them.
  const states: readonly Partial<PolicyInputs>[] = [
    { networkPolicies: [ingress('client')] },
    {
      tiers: [tier('first', { order: 1 })],
      globalNetworkPolicies: [
        globalPolicy('first', {
          tier: 'first',
          selector: "role == 'web'",
          ingress: [
            { action: 'Deny', source: { notSelector: "role == 'client'" } },
            { action: 'Pass' },
          ],
        }),
      ],
      networkPolicies: [
        networkPolicy('open', { selector: "role == 'web'", ingress: [{ action: 'Allow' }] }),
      ],
    },
  ];
  await apply(states[0]);
  const exchange = await connect(client, web);
  const end = new AbortController();
  const results = { client: [] as string[], other: [] as string[], kept: [] as string[] };
  const probe = async (from: Place, timeoutMs: number, into: string[]): Promise<void> => {
    while (!end.signal.aborted) {
      const answer = await from.ask({ op: 'tcp', address: web.address, port: 80, timeoutMs });
      into.push(answer.split(' ')[0] ?? '');
      await sleep(10);
    }
  };
  const traffic = [
    probe(client, 3_000, results.client),
    probe(other, 50, results.other),
    (async () => {
      while (!end.signal.aborted) {
        results.kept.push(await exchange());
        await sleep(10);
      }
    })(),
  ];
  for (let i = 0; i < 60; i++) {
    await filter.apply(node.inputs(states[(i + 1) % states.length]));
    await sleep(20);
  }
  await cutter.settled();
  end.abort();
  await Promise.all(traffic);
  assert.deepEqual([...new Set(results.client)], ['ok']);
  assert.deepEqual([...new Set(results.kept)], ['ok']);
  assert.deepEqual([...new Set(results.other)], ['timeout']);
});
