import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockContents } from './block_contents.ts';

test('blockContents() tells who holds the block, and each address with its handle and node', () => {
  const contents = blockContents({
    cidr: '10.0.0.4/30',
    affinity: 'host:n1',
    allocations: [0, null, 1, 2],
    unallocated: [1],
    attributes: [
      { handle_id: 'own', secondary: { pod: 'a' } },
      { handle_id: 'lent', secondary: { node: 'n2' } },
      { handle_id: 'cooling', releasedAt: '2026-01-01T00:00:00Z' },
    ],
  });
  assert.deepEqual(contents, {
    node: 'n1',
    addresses: [
      { address: '10.0.0.4', handleId: 'own', node: 'n1', attributes: { pod: 'a' } },
      { address: '10.0.0.6', handleId: 'lent', node: 'n2', attributes: { node: 'n2' } },
    ],
  });
});

test('blockContents() of a block that is no node’s', () => {
  const rest = { cidr: 'fd00::/126', allocations: [0], unallocated: [], attributes: [{}] };
  for (const affinity of [undefined, 'virtual:load-balancer']) {
    const { node, addresses } = blockContents(
      affinity === undefined ? rest : { ...rest, affinity },
    );
    assert.deepEqual([node, addresses[0]?.address], [undefined, 'fd00::']);
  }
});
