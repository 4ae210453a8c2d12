import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import { systemClock } from '@calico/clock';
import { NodeAddressService, Tunnel } from '@calico/proto/ipam/v1/node_addresses';
import { RpcError } from '@calico/rpc';
import { inconsistencies } from '../core/consistency.ts';
import { AddressBook } from './address_book.ts';
import { NodeAddressBook } from './node_address_book.ts';
import { createNodeAddressHandlers } from './node_address_handlers.ts';
import { ProgramRunner } from './program_runner.ts';
import { RecordMapStore } from './record_map_store.ts';

const RESOURCES = '/calico/resources/v3/projectcalico.org';
const LEASE_MS = 600_000;

type Call = (request: object) => Promise<Record<string, unknown>>;
type Leased = { address: string; sequenceNumber: bigint; retired?: boolean };

function service(warmAddressesPerNode = 0, ipCooldownSeconds = 0) {
  const store = new RecordMapStore();
  let now = 1_790_000_000_000;
  const clock = { ...systemClock, now: () => now };
  const pass = (ms: number): void => {
    now += ms;
  };
  const runner = new ProgramRunner({ store, clock, random: () => 0 });
  const book = new AddressBook(runner);
  const handlers = createNodeAddressHandlers(new NodeAddressBook(book, runner, clock));
  const anyHandlers = handlers as unknown as Record<
    string,
    (request: MessageShape<DescMessage>, context: object) => Promise<Record<string, unknown>>
  >;
  const context = { peer: 'test', signal: new AbortController().signal };
  const calls = Object.fromEntries(
    NodeAddressService.methods.map((method): [string, Call] => [
      method.localName,
      async (request) =>
        anyHandlers[method.localName]!(create(method.input, request as never), context),
    ]),
  );
  store.records.put(
    `${RESOURCES}/ipamconfigurations/default`,
    JSON.stringify({ spec: { warmAddressesPerNode, ipCooldownSeconds } }),
  );
  const pool = (name: string, spec: object): void =>
    store.records.put(`${RESOURCES}/ippools/${name}`, JSON.stringify({ spec }));
  const sound = (): void => assert.deepEqual(inconsistencies(store.records.values), []);
  return { store, pass, book, calls, pool, sound };
}

async function refuses(call: Promise<unknown>, code: string, message: RegExp): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof RpcError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

test('a tunnel has one address, of a pool that is for it, and another when that changes', async () => {
  const { calls, pool, store, sound } = service();
  const request = { node: 'n1', tunnel: Tunnel.IPIP };
  pool('plain', { cidr: '10.0.0.0/26' });
  pool('six', { cidr: 'fd00::/64', vxlanMode: 'Always' });
  await refuses(
    calls['assignTunnelAddress']!(request),
    'NOT_FOUND',
    /ipip tunnel address of node "n1": no enabled IPv4 pool with ipip selects it for use Tunnel/,
  );
  pool('ipip', { cidr: '10.1.0.0/26', ipipMode: 'CrossSubnet' });
  const first = await calls['assignTunnelAddress']!(request);
  assert.equal(first['pool'], 'ipip');
  assert.deepEqual(await calls['assignTunnelAddress']!(request), first);
  const six = await calls['assignTunnelAddress']!({ node: 'n1', tunnel: Tunnel.VXLAN_V6 });
  assert.equal(six['pool'], 'six');
  const wireguard = await calls['assignTunnelAddress']!({ node: 'n1', tunnel: Tunnel.WIREGUARD });
  assert.match(String(wireguard['pool']), /ipip|plain/);
  assert.deepEqual(
    [...store.records.values.keys()]
      .filter((key) => key.includes('/handle/'))
      .map((key) => key.split('/').at(-1)),
    ['ipip-tunnel-addr-n1', 'vxlan-v6-tunnel-addr-n1', 'wireguard-tunnel-addr-n1'],
  );
  // The pool is not for the node any more, another one is.
  pool('ipip', { cidr: '10.1.0.0/26', ipipMode: 'CrossSubnet', nodeSelector: 'has(gone)' });
  pool('other', { cidr: '10.2.0.0/26', ipipMode: 'Always' });
  const second = await calls['assignTunnelAddress']!(request);
  assert.equal(second['pool'], 'other');
  assert.deepEqual(await calls['releaseTunnelAddress']!(request), {
    released: [second['address']],
  });
  sound();
});

test('a lease is filled to the configured number, renewed, adopted from and returned', async () => {
  const { calls, pool, book, sound, pass } = service(3);
  pool('p', { cidr: '10.0.0.0/28', blockSize: 29 });
  const lease = async () => {
    const answer = await calls['leaseAddresses']!({ node: 'n1', ipv4: true });
    sound();
    return answer as { addresses: Leased[]; leaseSeconds: number; count: number };
  };
  const { addresses, leaseSeconds, count } = await lease();
  assert.deepEqual([addresses.length, leaseSeconds, count], [3, 600, 3]);
  pass(LEASE_MS / 2);
  assert.deepEqual((await lease()).addresses, addresses, 'the same, for longer');

  // An assignment of the same workload whose answer was lost goes along.
  await book.autoAssign(workload('net.a'));
  const adoption = {
    node: 'n1',
    handleId: 'net.a',
    attributes: { pod: 'a' },
    addresses: [{ address: addresses[0]?.address, sequenceNumber: addresses[0]?.sequenceNumber }],
  };
  await calls['adoptAddresses']!(adoption);
  await calls['adoptAddresses']!(adoption);
  sound();
  assert.deepEqual(
    (await book.addressesOfHandle('net.a')).map(({ address }) => address),
    [addresses[0]?.address],
  );
  assert.equal((await lease()).addresses.length, 3, 'filled up again');
  const one = await calls['returnAddresses']!({ node: 'n1', addresses: [addresses[1]?.address] });
  assert.deepEqual(one, { returned: [addresses[1]?.address] });
  assert.equal(((await calls['returnAddresses']!({ node: 'n1' }))['returned'] as []).length, 2);
  assert.deepEqual(await calls['returnAddresses']!({ node: 'n1' }), { returned: [] });
  sound();
});

test('a node that was declared gone cannot adopt, and nobody gets its addresses before the end', async () => {
  const { calls, pool, book, sound, pass } = service(4);
  pool('p', { cidr: '10.0.0.0/30', blockSize: 30 });
  const answer = await calls['leaseAddresses']!({ node: 'n1', ipv4: true });
  const [first] = answer['addresses'] as Leased[];
  await book.releaseByHandle('warm-addr-n1', {});
  await book.releaseAffinity('n1', undefined, true);
  sound();
  await refuses(
    calls['adoptAddresses']!({ node: 'n1', handleId: 'net.a', addresses: [first] }),
    'NOT_FOUND',
    /it is not leased to node "n1" any more/,
  );
  pass(LEASE_MS);
  await assert.rejects(book.autoAssign(workload('net.b')), /No IPs available/);
  pass(31_000);
  assert.equal((await book.autoAssign(workload('net.b'))).addresses.length, 1);
  sound();
});

test('what a pod had cools down when it is returned, and no longer; the rest is free at once', async () => {
  const { calls, pool, book, sound, pass } = service(4, 60);
  pool('p', { cidr: '10.0.0.0/30', blockSize: 30 });
  const answer = await calls['leaseAddresses']!({ node: 'n1', ipv4: true });
  const [first, second] = (answer['addresses'] as Leased[]).map(({ address }) => address);
  await calls['returnAddresses']!({ node: 'n1', addresses: [first], used: true });
  await assert.rejects(book.autoAssign(workload('net.a')), /No IPs available/);
  await calls['returnAddresses']!({ node: 'n1', addresses: [second] });
  const free = await book.autoAssign(workload('net.b'));
  assert.deepEqual(
    free.addresses.map(({ address }) => address),
    [second],
  );
  pass(62_000);
  const cool = await book.autoAssign(workload('net.c'));
  assert.deepEqual(
    cool.addresses.map(({ address }) => address),
    [first],
  );
  sound();
});

test('leased addresses are retired while their pool gives no more', async () => {
  const { calls, pool, sound } = service(2);
  const lease = async () => {
    const answer = await calls['leaseAddresses']!({ node: 'n1', ipv4: true });
    return (answer['addresses'] as Leased[]).map(({ retired }) => retired);
  };
  pool('p', { cidr: '10.0.0.0/28', blockSize: 29 });
  assert.deepEqual(await lease(), [false, false]);
  pool('p', { cidr: '10.0.0.0/28', blockSize: 29, disabled: true });
  assert.deepEqual(await lease(), [true, true]);
  pool('other', { cidr: '10.9.0.0/28', blockSize: 29 });
  assert.deepEqual(await lease(), [true, true]);
  await calls['returnAddresses']!({ node: 'n1' });
  assert.deepEqual(await lease(), [false, false], 'out of the other pool');
  pool('other', { cidr: '10.9.0.0/28', blockSize: 29, nodeSelector: "x == 'y'" });
  assert.deepEqual(await lease(), [true, true]);
  sound();
});

test('nothing is leased when it is turned off, and less where there is less', async () => {
  const off = service(0);
  off.pool('p', { cidr: '10.0.0.0/28' });
  const none = await off.calls['leaseAddresses']!({ node: 'n1', ipv4: true });
  assert.deepEqual([none['addresses'], none['count']], [[], 0]);
  const small = service(16);
  small.pool('p', { cidr: '10.0.0.0/30', blockSize: 30 });
  const some = await small.calls['leaseAddresses']!({ node: 'n1', ipv4: true, ipv6: true });
  assert.equal((some['addresses'] as Leased[]).length, 4);
  small.sound();
});

test('a wrong field is named with its value and what would be accepted', async () => {
  const { calls, store } = service(1);
  const { revision } = store.records;
  const addresses = [{ address: '10.0.0.1' }];
  const cases: [string, object, RegExp][] = [
    ['assignTunnelAddress', { node: 'n1' }, /tunnel "0": expected one of IPIP, VXLAN, VXLAN_V6/],
    ['assignTunnelAddress', { node: 'N', tunnel: 1 }, /node "N": expected a name/],
    ['releaseTunnelAddress', { node: 'n1', tunnel: 9 }, /tunnel "9": expected one of/],
    ['leaseAddresses', { node: 'n1' }, /ipv4, ipv6 "false": expected at least one/],
    ['leaseAddresses', { node: '', ipv4: true }, /node "": expected/],
    ['adoptAddresses', { node: 'n1', handleId: '', addresses }, /handle_id "": expected/],
    ['adoptAddresses', { node: 'n1', handleId: 'h' }, /addresses "0 entries": expected at least 1/],
    [
      'adoptAddresses',
      { node: 'n1', handleId: 'h', addresses: [{ address: 'x' }] },
      /addresses\[0\]\.address "x": expected an IPv4/,
    ],
    [
      'returnAddresses',
      { node: 'n1', addresses: ['10.0.0.0/8'] },
      /addresses\[0\] "10\.0\.0\.0\/8"/,
    ],
  ];
  for (const [method, request, message] of cases) {
    await refuses(calls[method]!(request), 'INVALID_ARGUMENT', message);
  }
  assert.equal(store.records.revision, revision);
});

function workload(handleId: string) {
  return {
    node: 'n2',
    owner: { handleId, secondary: {} },
    namespace: '',
    use: 'Workload' as const,
    wanted: { 4: { count: 1, pools: [] }, 6: { count: 0, pools: [] } },
    maxBlocks: 0,
  };
}
