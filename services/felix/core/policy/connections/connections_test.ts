import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '@calico/ip';
import * as fc from 'fast-check';
import { compile } from '../compiler/compile.ts';
import type { Ruleset } from '../compiler/ruleset.ts';
import type { Packet } from '../evaluator/packet.ts';
import { packets } from '../random/packets.ts';
import { worlds } from '../random/worlds.ts';
import { judge } from '../reference/judge.ts';
import { firstPacket, type TrackedConnection } from './connection.ts';
import { connectionJudge } from './forbidden.ts';
import { mayForbid } from './may_forbid.ts';

const CUT = 0x10000;
function connection(parts: Partial<TrackedConnection> = {}): TrackedConnection {
  const [source, destination] = [parseAddress('10.65.0.1'), parseAddress('10.65.0.2')];
  return {
    original: {
      source,
      destination,
      protocol: 6,
      ports: { source: 40000, destination: 80 },
      icmp: undefined,
    },
    reply: {
      source: destination,
      destination: source,
      protocol: 6,
      ports: { source: 80, destination: 40000 },
      icmp: undefined,
    },
    status: 0,
    mark: 0,
    zone: 0,
    id: 1,
    ...parts,
  };
}

test('firstPacket() is judged after the translation of its destination and before that of its source', () => {
  const { original } = connection();
  const translated = connection({
    original: { ...original, destination: parseAddress('10.96.0.1') },
    reply: {
      ...original,
      source: parseAddress('10.65.0.2'),
      destination: parseAddress('192.0.2.1'),
      ports: { source: 8080, destination: 1234 },
    },
  });
  const packet = firstPacket(translated, ({ value }) => (value === 0x0a410001n ? 'cali1' : 'eth0'));
  assert.deepEqual(packet, {
    inputInterface: 'cali1',
    outputInterface: 'eth0',
    source: parseAddress('10.65.0.1'),
    destination: parseAddress('10.65.0.2'),
    protocol: 6,
    sourcePort: 40000,
    destinationPort: 8080,
    icmpType: 0,
    icmpCode: 0,
    state: 'new',
    dialled: { destination: parseAddress('10.96.0.1'), port: 80 },
  });
});

/** The entry of a connection that began with this packet. */
function entryOf(packet: Packet, id: number): TrackedConnection {
  const { source, destination, protocol, sourcePort, destinationPort } = packet;
  const hasPorts = [6, 17, 132].includes(protocol);
  const isIcmp = protocol === 1 || protocol === 58;
  const icmp = isIcmp ? { id, type: packet.icmpType, code: packet.icmpCode } : undefined;
  const ports = (a: number, b: number) => (hasPorts ? { source: a, destination: b } : undefined);
  return {
    original: { source, destination, protocol, ports: ports(sourcePort, destinationPort), icmp },
    reply: {
      source: destination,
      destination: source,
      protocol,
      ports: ports(destinationPort, sourcePort),
      icmp,
    },
    status: 0,
    mark: 0,
    zone: 0,
    id,
  };
}

const beginnings = packets.map((packet) => ({
  ...packet,
  state: 'new' as const,
  isCut: false,
  dialled: undefined,
}));

test('a change cuts exactly what it forbids, and mayForbid() is false only when that is nothing', () => {
  const counts = { cut: 0, kept: 0, spared: 0 };
  fc.assert(
    fc.property(
      worlds,
      worlds,
      fc.boolean(),
      fc.array(beginnings, { minLength: 10, maxLength: 20 }),
      (one, other, isSmall, some) => {
        // The same endpoints; small changes leave all but one kind of resource alone.
        const { localEndpoints, workloadEndpoints, networkSets, globalNetworkSets } = one;
        const next = isSmall
          ? { ...one, networkSets: other.networkSets, globalNetworkSets: other.globalNetworkSets }
          : { ...other, localEndpoints, workloadEndpoints, networkSets, globalNetworkSets };
        const [before, after] = [compile(one), compile(next)];
        const permitted = some.filter((packet) => judge(one, packet) === 'accept');
        const interfaceOf = new Map(
          permitted.flatMap((packet) => [
            [packet.source.value, packet.inputInterface],
            [packet.destination.value, packet.outputInterface],
          ]),
        );
        const connections = permitted
          .filter(
            ({ source, destination, inputInterface, outputInterface }) =>
              interfaceOf.get(source.value) === inputInterface &&
              interfaceOf.get(destination.value) === outputInterface,
          )
          .map(entryOf);
        const judged = connectionJudge({
          before,
          after,
          interfaceOf: ({ value }) => interfaceOf.get(value) ?? '',
          cutBit: CUT,
        });
        const { cut, freed } = judged(connections);
        const expected = connections.filter(
          (entry) =>
            judge(
              next,
              firstPacket(entry, ({ value }) => interfaceOf.get(value) ?? ''),
            ) === 'drop',
        );
        assert.deepEqual(cut, expected);
        assert.deepEqual(freed, []);
        if (!mayForbid(before, after)) {
          assert.deepEqual(cut, []);
          counts.spared += 1;
        }
        counts.cut += cut.length;
        counts.kept += connections.length - cut.length;
      },
    ),
    { numRuns: 300 },
  );
  // Far below the usual 200, 1500 and 90: some worlds have little to cut.
  assert.ok(counts.cut > 20 && counts.kept > 100 && counts.spared > 10, JSON.stringify(counts));
});

test('what was cut and is permitted again is freed; what another connection announced is left alone', () => {
  const [open, closed] = (['accept', 'drop'] as const).map((policy): Ruleset => {
    const base = { type: 'filter', hook: 'forward', priority: 0, policy } as const;
    return { chains: new Map([['forward', { base, rules: [] }]]), sets: new Map() };
  });
  assert.ok(open && closed);
  const [cut, announced] = [connection({ mark: CUT | 5 }), connection({ status: 1 })];
  const judged = (from: Ruleset | undefined, to: Ruleset, ...connections: TrackedConnection[]) =>
    connectionJudge({ before: from, after: to, interfaceOf: () => 'eth0', cutBit: CUT })(
      connections,
    );
  assert.deepEqual(judged(closed, open, cut, announced), { cut: [], freed: [cut] });
  assert.deepEqual(judged(open, closed, cut, announced), { cut: [], freed: [] });
  const plain = connection();
  assert.deepEqual(judged(undefined, closed, plain), { cut: [plain], freed: [] });
});
