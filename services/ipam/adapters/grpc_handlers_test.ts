import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import { systemClock } from '@calico/clock';
import { IpamService } from '@calico/proto/ipam/v1/ipam';
import { RpcError } from '@calico/rpc';
import { StoreUnavailable } from '@calico/store';
import * as fc from 'fast-check';
import { AddressBook } from './address_book.ts';
import { createHandlers } from './grpc_handlers.ts';
import { ProgramRunner } from './program_runner.ts';
import { RecordMapStore } from './record_map_store.ts';

type Call = (request: object) => Promise<Record<string, unknown>>;

/** Calls a method as the server does: with a whole message. */
function service(store: RecordMapStore): Record<string, Call> {
  const runner = new ProgramRunner({ store, clock: systemClock, random: Math.random });
  const handlers = createHandlers(new AddressBook(runner)) as unknown as Record<
    string,
    (request: MessageShape<DescMessage>, context: object) => Promise<Record<string, unknown>>
  >;
  const context = { peer: 'test', signal: new AbortController().signal };
  return Object.fromEntries(
    IpamService.methods.map((method) => [
      method.localName,
      async (request: object) =>
        handlers[method.localName]!(create(method.input, request as never), context),
    ]),
  );
}

function sampleStore(): RecordMapStore {
  const store = new RecordMapStore();
  store.records.put(
    '/calico/resources/v3/projectcalico.org/ippools/p',
    JSON.stringify({ spec: { cidr: '10.0.0.0/26', blockSize: 28 } }),
  );
  return store;
}

async function refuses(call: Promise<unknown>, code: string, message: RegExp): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof RpcError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

test('the methods work together', async () => {
  const ipam = service(sampleStore());
  const request = { node: 'n1', handleId: 'net.c1', ipv4Count: 1, attributes: { pod: 'a' } };
  const { addresses, shortfall } = await ipam['autoAssign']!(request);
  assert.equal(shortfall, '');
  const [assigned] = addresses as { address: string; block: string; pool: string }[];
  assert.equal(assigned?.pool, 'p');
  const found = await ipam['getAssignment']!({ address: assigned?.address });
  assert.deepEqual(
    [found['assigned'], found['handleId'], found['attributes'], found['block']],
    [true, 'net.c1', { pod: 'a' }, assigned?.block],
  );
  assert.deepEqual(await ipam['ipsByHandle']!({ handleId: 'net.c1' }), { addresses });
  const { pools } = await ipam['getUtilization']!({});
  const [use] = pools as { capacity: string; inUse: bigint; free: string }[];
  assert.deepEqual([use?.capacity, use?.inUse, use?.free], ['64', 1n, '63']);
  assert.deepEqual(await ipam['releaseByHandle']!({ handleId: 'net.c1' }), {
    released: [assigned?.address],
  });
  assert.equal((await ipam['getAssignment']!({ address: assigned?.address }))['assigned'], false);
});

test('a wrong field is named with its value and what would be accepted', async () => {
  const store = sampleStore();
  const ipam = service(store);
  const { revision } = store.records;
  const good = { node: 'n1', handleId: 'h', ipv4Count: 1 };
  const cases: [string, object, RegExp][] = [
    ['autoAssign', { ...good, node: 'A/B' }, /node "A\/B": expected a name of lower-case/],
    ['autoAssign', { ...good, handleId: '' }, /handle_id "": expected <network>\.<container id>/],
    ['autoAssign', { ...good, handleId: 'a/b' }, /handle_id "a\/b": expected/],
    ['autoAssign', { ...good, ipv4Count: 5000 }, /ipv4_count "5000": expected 0 to 4096/],
    ['autoAssign', { ...good, ipv4Count: 0 }, /ipv4_count \+ ipv6_count "0": expected at least 1/],
    ['autoAssign', { ...good, ipv4Pools: ['fd00::/64'] }, /ipv4_pools\[0\] "fd00::\/64": expected/],
    ['autoAssign', { ...good, ipv6Pools: ['x/y'] }, /ipv6_pools\[0\] "x\/y": expected a CIDR/],
    ['autoAssign', { ...good, intendedUse: 77 }, /intended_use "77": expected INTENDED_USE_WORK/],
    ['autoAssign', { ...good, namespace: '..' }, /namespace "\.\.": expected/],
    ['autoAssign', { ...good, maxBlocks: 2_000_000 }, /max_blocks "2000000": expected 0/],
    ['assignIp', { ...good, address: '10.0.0.300' }, /address "10\.0\.0\.300": expected an IPv4/],
    ['releaseIps', { releases: [{ address: '' }] }, /releases\[0\]\.address ""/],
    ['releaseByHandle', {}, /handle_id ""/],
    ['ipsByHandle', { handleId: 'a\nb' }, /handle_id/],
    ['getAssignment', { address: 'x' }, /address "x"/],
    [
      'claimAffinity',
      { cidr: '10.0.0.1/26', node: 'n1' },
      /cidr "10\.0\.0\.1\/26": expected a CIDR/,
    ],
    ['claimAffinity', { cidr: '10.0.0.0/27', node: '' }, /node ""/],
    ['claimAffinity', { cidr: '10.0.0.0/30', node: 'n1' }, /expected \/28 or wider/],
    ['releaseAffinity', { cidr: 'zz', node: 'n1' }, /cidr "zz"/],
    ['releasePoolAffinities', { pool: 'A' }, /pool "A": expected a name/],
    ['ensureBlock', { node: 'n1' }, /ipv4, ipv6 "false": expected at least one of them true/],
    ['ensureBlock', { node: 'N', ipv4: true }, /node "N": expected a name/],
    [
      'ensureBlock',
      { node: 'n1', ipv6: true, ipv6Pools: ['10.0.0.0/8'] },
      /ipv6_pools\[0\] "10\.0\.0\.0\/8": expected the name or the CIDR of an IPv6 pool/,
    ],
    ['getUtilization', { pools: ['10.0.0.0/99'] }, /pools\[0\] "10\.0\.0\.0\/99"/],
  ];
  for (const [method, request, message] of cases) {
    await refuses(ipam[method]!(request), 'INVALID_ARGUMENT', message);
  }
  assert.equal(store.records.revision, revision, 'nothing was written');
});

test('garbage on every method is answered with a status and writes nothing', async () => {
  const texts = fc.oneof(fc.string(), fc.constantFrom('10.0.0.1', 'h', 'fd00::/64', '__proto__'));
  // Now and then a string is a good name ("ref"), with which something may well be assigned.
  const nodes = fc.string({ unit: 'binary' }).filter((text) => !/^[a-z0-9.-]+$/.test(text));
  const requests = fc.record(
    {
      node: fc.oneof(nodes, fc.constantFrom('', '../x', 'A')),
      handleId: texts,
      address: fc.string(),
      cidr: fc.string(),
      ipv4Count: fc.nat(10),
      ipv6Count: fc.nat(2 ** 31),
      ipv4Pools: fc.array(texts, { maxLength: 3 }),
      namespace: texts,
      intendedUse: fc.nat(9),
      pools: fc.array(texts, { maxLength: 3 }),
      attributes: fc.dictionary(fc.string(), fc.string()),
      releases: fc.array(fc.record({ address: texts, handleId: texts }), { maxLength: 3 }),
    },
    { requiredKeys: ['node'] },
  );
  const store = sampleStore();
  const ipam = service(store);
  const { revision } = store.records;
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...IpamService.methods), requests, async (method, request) => {
      const known = Object.fromEntries(
        Object.entries(request).filter(([name]) => name in method.input.field),
      );
      try {
        await ipam[method.localName]!(known);
      } catch (error) {
        assert.ok(error instanceof RpcError, String(error));
        assert.ok(error.code === 'INVALID_ARGUMENT' || error.code === 'NOT_FOUND', error.code);
      }
      assert.equal(store.records.revision, revision);
    }),
    { numRuns: 500 },
  );
});

test('outcomes have the codes of the contract', async () => {
  const store = sampleStore();
  const ipam = service(store);
  const assign = (address: string, handleId: string, node = 'n1') =>
    ipam['assignIp']!({ address, handleId, node });
  await assign('10.0.0.5', 'h');
  await refuses(assign('10.0.0.5', 'x'), 'ALREADY_EXISTS', /assigned to "h"/);
  await refuses(assign('10.9.0.5', 'x'), 'NOT_FOUND', /in no pool/);
  await refuses(
    ipam['autoAssign']!({ node: 'n1', handleId: 'y', ipv6Count: 1 }),
    'NOT_FOUND',
    /no enabled pool/,
  );
  await refuses(
    ipam['releaseAffinity']!({ node: 'n1', mustBeEmpty: true }),
    'FAILED_PRECONDITION',
    /in use in 10\.0\.0\.0\/28/,
  );
  await ipam['autoAssign']!({ node: 'n1', handleId: 'all', ipv4Count: 63 });
  await refuses(
    ipam['autoAssign']!({ node: 'n1', handleId: 'more', ipv4Count: 1 }),
    'RESOURCE_EXHAUSTED',
    /Assigned 0 out of 1 requested IPv4 addresses/,
  );
  store.beforeAnswer = () => {
    throw new StoreUnavailable('nothing-changed', 'Cannot reach etcd');
  };
  await refuses(assign('10.0.0.6', 'z'), 'UNAVAILABLE', /nothing was changed\); repeat the call/);
});

test('a node has a block before its first address, and a pool takes its blocks back', async () => {
  const ipam = service(sampleStore());
  const ensure = { node: 'n1', ipv4: true };
  const { ipv4Block, ipv6Block } = await ipam['ensureBlock']!(ensure);
  assert.match(String(ipv4Block), /^10\.0\.0\.\d+\/28$/);
  assert.equal(ipv6Block, '');
  assert.deepEqual(await ipam['ensureBlock']!(ensure), { ipv4Block, ipv6Block }, 'the same again');
  const { addresses } = await ipam['autoAssign']!({ node: 'n1', handleId: 'h', ipv4Count: 16 });
  assert.equal((addresses as { block: string }[])[0]?.block, ipv4Block);
  const next = await ipam['ensureBlock']!(ensure);
  assert.notEqual(next['ipv4Block'], ipv4Block, 'the first one is full');
  await refuses(ipam['ensureBlock']!({ node: 'n1', ipv6: true }), 'NOT_FOUND', /no enabled pool/);
  const { released } = await ipam['releasePoolAffinities']!({ pool: 'p' });
  assert.deepEqual(new Set(released as string[]), new Set([ipv4Block, next['ipv4Block']]));
  const { pools } = await ipam['getUtilization']!({});
  const [use] = pools as { inUse: bigint; blocks: { affinity: string }[] }[];
  assert.deepEqual([use?.inUse, use?.blocks.map(({ affinity }) => affinity)], [16n, ['']]);
});
