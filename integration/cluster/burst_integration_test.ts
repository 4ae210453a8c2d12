// Many pods per node at once on three nodes while etcd restarts: every pod gets its own address in the
// end, and all records agree. PODS_PER_NODE=20 for more. About 45 s.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, Lab, type Pod } from '../lab/mod.ts';

const PER_NODE = Number(process.env['PODS_PER_NODE'] ?? 8);
const PATIENCE_MS = 120_000;

let lab: Lab;

before(async () => {
  lab = await Lab.start({ mode: 'bgp' });
  await lab.configure();
});

after(() => lab?.stop());

/** As a runtime does: the same call again until it succeeds. */
async function addStubbornly(name: string, node: string): Promise<Pod> {
  let pod: Pod | undefined;
  let last = '';
  await eventually(
    async () => {
      pod = await lab.addPod(name, node).catch((cause: unknown) => {
        last = String(cause);
        return undefined;
      });
      return pod !== undefined;
    },
    PATIENCE_MS,
    () => `"${name}" is not added: ${last}`,
  );
  if (pod === undefined) throw new Error(last);
  return pod;
}

async function check(): Promise<string> {
  const text = await lab.calicoctlOk(['ipam', 'check', '--show-problem-ips']);
  assert.match(text, /Check complete; found 0 problems\./, text);
  return text;
}

test(`${PER_NODE} pods per node at once while etcd restarts: no address twice, none lost`, async (t) => {
  const etcd = lab.process('etcd');
  const nodes = lab.topology.nodes.map(({ name }) => name);
  const adding = nodes.flatMap((node) =>
    Array.from({ length: PER_NODE }, (_, i) => addStubbornly(`burst-${i}-${node}`, node)),
  );
  const all = Promise.all(adding);
  await Promise.race(adding);
  await etcd.stop();
  lab.startProcess(etcd);
  const pods = await all;
  assert.equal(new Set(pods.map(({ ip }) => ip)).size, pods.length);
  await eventually(
    async () => {
      const { stdout } = await lab.calicoctl(['ipam', 'check']);
      return stdout.includes(`Found ${pods.length} workload IPs.`);
    },
    30_000,
    () => 'not all endpoints are written',
  );
  assert.match(await check(), new RegExp(`IPAM blocks record ${pods.length} allocations\\.`));

  const start = performance.now();
  await Promise.all(pods.map((pod) => lab.deletePod(pod)));
  t.diagnostic(`${pods.length} removed in ${((performance.now() - start) / 1000).toFixed(1)} s`);
  assert.match(await check(), /IPAM blocks record 0 allocations\./);
});
