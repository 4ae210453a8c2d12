import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseResource } from '@calico/model';
import type { ClusterView } from '../ports.ts';
import { nodeMtu } from './node_mtu.ts';

const apiVersion = 'projectcalico.org/v3';

function view(...documents: readonly object[]): ClusterView {
  const resources = documents.map((each) => parseResource({ apiVersion, ...each }));
  return {
    list: (kind: string) => resources.filter((each) => each.kind === kind),
  } as unknown as ClusterView;
}

const pool = (name: string, cidr: string, spec: object) => ({
  kind: 'IPPool',
  metadata: { name },
  spec: { cidr, ...spec },
});

test('nodeMtu() is the smallest that any pool needs; a configured tunnel MTU wins', () => {
  const plain = pool('plain', '10.1.0.0/16', {});
  const ipip = pool('ipip', '10.2.0.0/16', { ipipMode: 'Always' });
  const vxlan = pool('vxlan', '10.3.0.0/16', { vxlanMode: 'CrossSubnet' });
  assert.equal(nodeMtu('n1', view(), 1500), 1500);
  assert.equal(nodeMtu('n1', view(plain), 1500), 1500);
  assert.equal(nodeMtu('n1', view(plain, ipip), 1400), 1380);
  assert.equal(nodeMtu('n1', view(ipip, vxlan), 1500), 1450);
  const settings = {
    kind: 'FelixConfiguration',
    metadata: { name: 'default' },
    spec: { ipipMTU: 1300 },
  };
  assert.equal(nodeMtu('n1', view(ipip, settings), 1500), 1300);
});
