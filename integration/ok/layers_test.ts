import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { checkLayers, importsOf } from './layers.ts';

function violationsOf(files: Readonly<Record<string, string>>): string[] {
  const root = mkdtempSync(join(tmpdir(), 'layers-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return checkLayers(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

test('importsOf() finds static, re-exporting, bare and dynamic imports', () => {
  const source = `import { a } from 'one';\nexport * from 'two';\nimport 'three';\nconst x = await import('four');\nimport {\n  b,\n} from 'five';`;
  assert.deepEqual(importsOf(source).toSorted(), ['five', 'four', 'one', 'three', 'two']);
});

test('checkLayers() accepts an import from a floor below', () => {
  assert.deepEqual(
    violationsOf({
      'packages/netlink/package.json': '{"dependencies":{"@calico/ip":"workspace:*"}}',
      'packages/netlink/mod.ts': `import { parseAddress } from '@calico/ip';`,
    }),
    [],
  );
});

test('checkLayers() refuses an import from a floor above', () => {
  assert.match(
    violationsOf({
      'packages/ip/package.json': '{"dependencies":{"@calico/rpc":"workspace:*"}}',
      'packages/ip/mod.ts': `import { RpcError } from '@calico/rpc';`,
    }).join('\n'),
    /ip may not import rpc/,
  );
});

test('checkLayers() refuses node: in a core and an undeclared package', () => {
  const violations = violationsOf({
    'services/bgp/package.json': '{}',
    'services/bgp/core/session.ts': `import { connect } from 'node:net';\nimport { systemClock } from '@calico/clock';`,
  }).join('\n');
  assert.match(violations, /may not import node:net/);
  assert.match(violations, /@calico\/clock is not declared/);
});

test('checkLayers() refuses a relative import into another package', () => {
  assert.match(
    violationsOf({
      'packages/ip/package.json': '{}',
      'packages/ip/mod.ts': `export { x } from '../selector/mod.ts';`,
    }).join('\n'),
    /reaches into another package/,
  );
});
