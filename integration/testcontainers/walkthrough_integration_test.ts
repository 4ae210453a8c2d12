// The walk-through in BGP mode with containers as nodes, on a Docker Engine that this test starts.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { ROOT } from '../lab/mod.ts';
import { DockerEngine, missingInKernel, requirePrograms } from './engine.ts';
import { imageSizes, prepareImages } from './images.ts';

/** The first run makes the base images, from packages that it downloads. */
const LIMIT_MS = 1_800_000;

const missing = process.getuid?.() === 0 ? await missingInKernel() : undefined;
const skip = missing === undefined ? false : `this kernel lacks ${missing}, which containers need`;

test('the walk-through in BGP mode on containers', { skip, timeout: LIMIT_MS }, async () => {
  assert.equal(process.getuid?.(), 0, 'a Docker Engine of our own needs root');
  requirePrograms();
  const engine = await DockerEngine.start(note);
  const interrupted = (signal: NodeJS.Signals) => {
    note(`stopping on ${signal}`);
    void engine.stop().then(() => process.exit(130));
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    await prepareImages(engine, note);
    note(`sizes: ${await imageSizes(engine)}`);
    assert.equal(await walkThrough(engine), 0, 'the walk-through failed; its output is above');
  } finally {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
    await engine.stop();
  }
});

/** Past the test runner, which holds standard output back until the end. */
function note(line: string): void {
  process.stderr.write(`  ${line}\n`);
}

/** A process of its own in the engine's namespace, so that mapped ports can be reached. */
function walkThrough(engine: DockerEngine): Promise<number> {
  const file = join(import.meta.dirname, 'walkthrough.ts');
  const node = join(ROOT, 'node_modules', '.bin', 'node');
  const [program = '', ...args] = engine.inside([node, file]);
  const { NODE_TEST_CONTEXT: _, ...environment } = engine.environment;
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...environment,
      TESTCONTAINERS_HOST_OVERRIDE: '127.0.0.1',
      // Its image cannot be pulled, and the engine takes everything with it anyway.
      TESTCONTAINERS_RYUK_DISABLED: 'true',
    },
  });
  createInterface({ input: child.stdout }).on('line', note);
  return new Promise((resolve) => {
    child.once('error', () => resolve(1));
    child.once('close', (code) => resolve(code ?? 1));
  });
}
