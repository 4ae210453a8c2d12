// The walk-through with containers as nodes, on a Docker Engine that this test starts.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { ROOT } from '../lab/mod.ts';
import { UNDERLAY } from './cluster.ts';
import { DockerEngine, SKIP } from './engine.ts';
import { prepareImages } from './images.ts';

test('the walk-through in BGP mode on containers', { skip: SKIP, timeout: 900_000 }, async () => {
  const engine = await DockerEngine.start();
  try {
    note(`Docker Engine in namespace ${engine.namespace}`);
    await prepareImages(engine, note);
    const network = ['--internal', '--subnet', UNDERLAY.subnet, '--gateway', '192.168.80.1'];
    await engine.dockerOk(['network', 'create', ...network, UNDERLAY.name]);
    assert.equal(await walkThrough(engine), 0);
  } finally {
    await engine.stop();
  }
});

/** Written past the test runner, which holds standard output back until the end. */
function note(line: string): void {
  process.stderr.write(`  ${line}\n`);
}

/** In the engine's namespace, so that the containers' addresses can be reached. */
function walkThrough(engine: DockerEngine): Promise<number> {
  const node = join(ROOT, 'node_modules/.bin/node');
  const file = join(import.meta.dirname, 'walk_through.ts');
  const child = spawn('nsenter', [`--net=/run/netns/${engine.namespace}`, node, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      DOCKER_HOST: engine.host,
      TESTCONTAINERS_RYUK_DISABLED: 'true', // its image cannot be pulled; the engine goes away anyway
      NODE_TEST_CONTEXT: '', // not a child of the test runner: its output is for people
    },
  });
  createInterface({ input: child.stdout }).on('line', note);
  return new Promise((resolve) => {
    child.once('error', () => resolve(1));
    child.once('close', (code) => resolve(code ?? 1));
  });
}
