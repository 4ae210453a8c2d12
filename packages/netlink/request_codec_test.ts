import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageWriter } from './message_writer.ts';
import { writeRequest } from './request_codec.ts';
import type { Request, Route } from './types.ts';

const address = (a: number, b: number, c: number, d: number) =>
  ({ family: 4, value: BigInt(((a << 24) | (b << 16) | (c << 8) | d) >>> 0) }) as const;
const prefix = (a: number, b: number, c: number, d: number, length: number) => ({
  ...address(a, b, c, d),
  length,
});

const blockRoute: Route = {
  destination: prefix(10, 244, 85, 192, 26),
  type: 'unicast',
  table: 254,
  protocol: 12,
  scope: 'global',
  nextHops: [{ gateway: address(192, 168, 80, 101), interfaceIndex: 7, onlink: true }],
};

function hexOf(request: Request): string {
  const writer = new MessageWriter(16);
  writeRequest(writer, request, 1);
  return Buffer.from(writer.bytes).toString('hex');
}

test('writeRequest() writes a route with gateway, device and onlink flag', () => {
  assert.equal(
    hexOf({ kind: 'route', action: 'replace', route: blockRoute }),
    [
      '34000000180001050100000000000000',
      '021a0000fe0c000104000000',
      '080001000af455c0',
      '0800040007000000',
      '08000500c0a85065',
    ].join(''),
  );
});

test('writeRequest() writes a blackhole without a next hop', () => {
  const route: Route = {
    ...blockRoute,
    destination: prefix(10, 244, 58, 192, 26),
    type: 'blackhole',
    nextHops: [],
  };
  assert.equal(
    hexOf({ kind: 'route', action: 'add', route }),
    ['24000000180001060100000000000000', '021a0000fe0c000600000000', '080001000af43ac0'].join(''),
  );
});

test('writeRequest() puts a table beyond 255 and the metrics into attributes', () => {
  const route: Route = { ...blockRoute, table: 1000, metric: 512, mtu: 1450 };
  assert.equal(
    hexOf({ kind: 'route', action: 'delete', route }),
    [
      '50000000190001000100000000000000',
      '021a0000000c000104000000',
      '080001000af455c0',
      '08000f00e8030000',
      '0800040007000000',
      '08000500c0a85065',
      '0800060000020000',
      '0c00080008000200aa050000',
    ].join(''),
  );
});

test('writeRequest() writes several next hops with their weights', () => {
  const route: Route = {
    ...blockRoute,
    nextHops: [
      { gateway: address(192, 168, 80, 101), interfaceIndex: 7 },
      { gateway: address(192, 168, 80, 102), interfaceIndex: 7, weight: 3, onlink: true },
    ],
  };
  assert.equal(
    hexOf({ kind: 'route', action: 'append', route }),
    [
      '480000001800010c0100000000000000',
      '021a0000fe0c000100000000',
      '080001000af455c0',
      '24000900',
      '100000000700000008000500c0a85065',
      '100004020700000008000500c0a85066',
    ].join(''),
  );
});

test('writeRequest() creates the peer of a veth pair in its namespace', () => {
  const hex = hexOf({
    kind: 'link-add',
    link: {
      kind: 'veth',
      name: 'cali1',
      mac: 'ee:ee:ee:ee:ee:ee',
      mtu: 1480,
      up: true,
      peer: { name: 'eth0', mtu: 1480, netnsFd: 9 },
    },
  });
  assert.equal(
    hex,
    [
      '84000000100001060100000000000000',
      '00000000000000000100000001000000',
      '0a00030063616c6931000000',
      '08000400c8050000',
      '0a000100eeeeeeeeeeee0000',
      '44001200',
      '090001007665746800000000',
      '34000200',
      '30000100',
      '00000000000000000000000000000000',
      '090003006574683000000000',
      '08000400c8050000',
      '08001c0009000000',
    ].join(''),
  );
});

test('writeRequest() appends a forwarding entry for unknown destinations and replaces others', () => {
  const entry = { interfaceIndex: 4, destination: address(192, 168, 80, 101) };
  const flags = (mac: string): string =>
    hexOf({ kind: 'fdb', action: 'replace', entry: { ...entry, mac } }).slice(12, 16);
  assert.equal(flags('00:00:00:00:00:00'), '010c');
  assert.equal(flags('66:11:22:33:44:55'), '0105');
});

test('writeRequest() refuses a MAC that is none', () => {
  const neighbour = {
    interfaceIndex: 1,
    address: address(1, 2, 3, 4),
    mac: 'ee:ee',
    permanent: true,
  };
  assert.throws(() => hexOf({ kind: 'neighbour', action: 'replace', neighbour }), RangeError);
});
