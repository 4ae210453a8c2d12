// npm test: the gate of `pnpm ok`, then every integration test, one file after the other. Only the virtual
// machine runs beside the gate: it keeps one processor busy for minutes, and so do the unit tests, in which
// nobody waits for a daemon.
import { globSync } from 'node:fs';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT, sweepAbandoned } from '../lab/mod.ts';
import {
  add,
  complaints,
  runNodeTests,
  runRows,
  runStages,
  STAGES,
  type Stage,
  summary,
} from '../ok/stages.ts';

const HELP = `npm test [-- options] [name…]

Runs format, lint, types, contracts, floors and unit tests (Node and Deno), then the integration tests.

  name…          only integration test files whose path contains one of these words
  --unit         only what needs no cluster (the same as "npm run ok")
  --integration  only the integration tests
  --list         print the integration test files

An integration test that fails is run once more; if it passes then, it is named before the closing line.
Integration tests need root: they make network namespaces with real etcd, NATS, BIRD and Docker in them.
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    help: { type: 'boolean', short: 'h' },
    unit: { type: 'boolean' },
    integration: { type: 'boolean' },
    list: { type: 'boolean' },
  },
});

const files = globSync('integration/**/*_integration_test.ts', {
  cwd: ROOT,
  exclude: (path) => path.includes('node_modules'),
})
  .filter((path) => positionals.length === 0 || positionals.some((word) => path.includes(word)))
  .toSorted();

if (values.help) {
  console.log(HELP);
} else if (values.list) {
  console.log(files.join('\n'));
} else if (positionals.length > 0 && files.length === 0) {
  console.error(
    `Cannot find an integration test for "${positionals.join(' ')}": see npm test -- --list`,
  );
  process.exitCode = 1;
} else {
  const started = performance.now();
  const gate = values.integration || positionals.length > 0 ? [] : STAGES;
  const integration = values.unit ? [] : files;
  const machine = integration.filter(isMachine).map(integrationStage);
  const others = integration.filter((path) => !isMachine(path)).map(integrationStage);
  if (!values.unit) await sweepAbandoned();
  const count = add(await runRows([gate, machine]), await runStages(others));
  for (const complaint of complaints(count)) console.log(complaint);
  console.log(`took ${((performance.now() - started) / 60_000).toFixed(1)} minutes`);
  console.log(summary(count));
  process.exitCode = count.failed === 0 ? 0 : 1;
}

function isMachine(path: string): boolean {
  return path.startsWith('integration/vm/');
}

function integrationStage(path: string): Stage {
  return {
    name: `integration: ${path.split('/').at(-2)}/${basename(path, '_integration_test.ts')}`,
    run: () => runNodeTests([path], isMachine(path)),
    isRepeatable: true,
  };
}
