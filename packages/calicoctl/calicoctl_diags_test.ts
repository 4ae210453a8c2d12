import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { memoryCluster } from './testing/memory_cluster.ts';
import { NODES } from './testing/sample_documents.ts';

let folder: string;
const { calicoctl } = memoryCluster();

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'calicoctl-diags-'));
});

after(async () => {
  await rm(folder, { recursive: true });
});

/** Text of a file of the only bundle in a directory. */
async function bundled(directory: string, path: string): Promise<string> {
  const [name = ''] = await readdir(directory);
  const inside = `${name.replace(/\.tar\.gz$/, '')}/${path}`;
  const { stdout, stderr } = spawnSync('tar', ['-xzOf', join(directory, name), inside], {
    encoding: 'utf8',
  });
  assert.equal(stderr, '');
  return stdout;
}

test('cluster diags has every kind of resource and what the services say', async () => {
  await calicoctl.succeeds('apply -f -', NODES);
  const directory = join(folder, 'cluster');
  const out = await calicoctl.succeeds(['cluster', 'diags', '--output-dir', directory]);
  assert.match(out, /\nDiags saved to .*\/calico-cluster-diags-19700101T001640Z\.tar\.gz\n$/);
  assert.match(await bundled(directory, 'resources/nodes.yaml'), /name: k8s-master\n/);
  assert.match(await bundled(directory, 'ipam/show.txt'), /\| IP Pool {2}\| 10\.244/);
  assert.match(await bundled(directory, 'status/nodes.json'), /^\{/);
});

test('node diags goes on when services do not answer, and takes logs along', async () => {
  const [logs, directory] = [join(folder, 'logs'), join(folder, 'node')];
  await mkdir(join(logs, 'cni'), { recursive: true });
  await writeFile(join(logs, 'cni', 'cni.log'), 'a line\n');
  await writeFile(join(logs, 'ü.log'), 'another\n');
  const words = ['node', 'diags', '--log-dir', `${logs}/`, '--output-dir', directory];
  await calicoctl.succeeds(words);
  assert.match(await bundled(directory, 'node_status.txt'), /192\.168\.80\.101/);
  assert.match(
    await bundled(directory, 'felix.json'),
    /^Cannot collect: Cannot get an answer from felix/,
  );
  assert.match(await bundled(directory, 'proc/version'), /^Linux/);
  assert.match(await bundled(directory, 'interfaces.txt'), /^all forwarding=\d rp_filter=/m);
  assert.equal(await bundled(directory, 'logs/cni/cni.log'), 'a line\n');
  assert.equal(await bundled(directory, 'logs/%C3%BC.log'), 'another\n');
});

test('a bundle that cannot be written says where, and what to do', async () => {
  assert.match(
    await calicoctl.fails('cluster diags --output-dir /proc/nowhere'),
    /^Cannot write "\/proc\/nowhere\/.*": ENOENT.*\nChoose a directory .* --output-dir/s,
  );
});

test('a bundle is not written over what is there, nor through a link', async () => {
  const directory = join(folder, 'linked');
  const [target, name] = [join(folder, 'target'), 'calico-cluster-diags-19700101T001640Z.tar.gz'];
  await mkdir(directory);
  await writeFile(target, 'kept');
  await symlink(target, join(directory, name));
  assert.equal(
    await calicoctl.fails(['cluster', 'diags', '--output-dir', directory]),
    `Cannot write "${join(directory, name)}": it exists already\nChoose a directory that may be written with --output-dir.\n`,
  );
  assert.equal(await readFile(target, 'utf8'), 'kept');
});

test('node run says what runs a node here, whatever it is given', async () => {
  assert.match(
    await calicoctl.fails('node run --ip 192.0.2.1 --backend=bird'),
    /^Cannot run a node: .*\nStart them with the units in deploy\/systemd/,
  );
});

test('node checksystem looks at this machine', async () => {
  const { out } = await calicoctl.run('node checksystem');
  assert.match(out, /^Checking the system of this node\.\.\.\n {2}kernel \d/);
});
