// The three-node lab with every service started by Deno.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, Lab, ping } from '../lab/mod.ts';

test('every service on Deno: pods on three nodes reach each other', async () => {
  const lab = await Lab.start({ mode: 'bgp', runtime: 'deno' });
  try {
    await lab.configure();
    const pods = await Promise.all(
      lab.topology.nodes.map(({ name }) => lab.addPod(`pod-${name}`, name)),
    );
    for (const from of pods) {
      for (const to of pods) {
        if (from === to) continue;
        await eventually(
          async () => (await ping(from.netns, to.ip, { count: 2 })).received === 2,
          20_000,
          () => `${from.name} cannot reach ${to.name}`,
        );
      }
    }
    for (const managed of lab.processes)
      assert.ok(managed.running, `${managed.plan.service} has ended`);
  } finally {
    await lab.stop();
  }
});
