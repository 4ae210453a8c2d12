import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { PreviewResponseSchema } from '@calico/proto/felix/v1/policy';
import { formatPreview } from './preview.ts';

test('formatPreview() lists what is taken away first, then connections', () => {
  const because = 'tier default: default action Deny';
  const node = create(PreviewResponseSchema, {
    node: 'n1',
    changes: [
      { from: 'a/x', to: 'a/web', what: 'TCP port 80', allowedAfter: true, because: 'rule 1' },
      { from: 'b/y', to: 'a/web', what: 'everything', allowedBefore: true, because },
    ],
    cut: [
      {
        from: 'b/y',
        to: 'a/web',
        flow: { protocol: 6, sourcePort: 40_000, destinationPort: 80 },
        because,
      },
    ],
  });
  assert.equal(
    formatPreview([node]),
    `2 changes of what is allowed:
  FROM   TO      TRAFFIC       NOW       THEN      BECAUSE
  b/y    a/web   everything    allowed   denied    tier default: default action Deny
  a/x    a/web   TCP port 80   denied    allowed   rule 1
1 current connection would be cut:
  NODE   FROM   TO      CONNECTION        BECAUSE
  n1     b/y    a/web   TCP 40000 -> 80   tier default: default action Deny
`,
  );
  const nothing = create(PreviewResponseSchema, { node: 'n1', cutUnknown: 'not known' });
  assert.equal(
    formatPreview([nothing]),
    'No pair of endpoints would be treated differently.\nNo current connection would be cut.\nn1: not known\n',
  );
});
