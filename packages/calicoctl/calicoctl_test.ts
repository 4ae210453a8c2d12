import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryCluster } from './testing/memory_cluster.ts';

const { services, calicoctl } = memoryCluster();

test('ipam show and release', async () => {
  services.assigned.set('10.244.58.193', 'net.1').set('10.244.58.194', 'net.2');
  assert.match(
    await calicoctl.succeeds('ipam show'),
    /\| IP Pool {2}\| 10\.244\.0\.0\/16 \| +65536 \| 2 \(0%\)/,
  );
  assert.match(
    await calicoctl.succeeds('ipam show --ip=10.244.58.193'),
    /is in use\nHandle ID: net\.1/,
  );
  assert.equal(
    await calicoctl.succeeds('ipam release --ip=10.244.58.193'),
    'Successfully released IP address 10.244.58.193\n',
  );
  assert.equal(
    await calicoctl.succeeds('ipam show --ip=10.244.58.193'),
    '10.244.58.193 is not assigned\n',
  );
  assert.match(await calicoctl.fails('ipam release --ip=10.244.58.193'), /it is not assigned/);
  assert.match(
    await calicoctl.succeeds('ipam release --handle=net.2'),
    /Released 1 IPs successfully/,
  );
  assert.match(await calicoctl.fails('ipam release'), /expected either --ip or --handle/);
});

test('ipam configure and its configuration', async () => {
  assert.match(
    await calicoctl.succeeds('ipam show --show-configuration'),
    /\| StrictAffinity +\| false \|/,
  );
  assert.equal(
    await calicoctl.succeeds('ipam configure --strictaffinity=true'),
    'Successfully set StrictAffinity to: true\n',
  );
  assert.match(
    await calicoctl.succeeds('ipam show --show-configuration'),
    /\| StrictAffinity +\| true +\|/,
  );
  assert.match(
    await calicoctl.fails('ipam configure --strictaffinity=yes'),
    /expected true or false/,
  );
});

test('version', async () => {
  assert.match(
    await calicoctl.succeeds('version'),
    /^Client Version: {4}0\.1\.0\nCluster Version: {3}0\.1\.0\n/,
  );
  assert.equal(await calicoctl.succeeds('version --client'), 'Client Version:    0.1.0\n');
});

test('a service that does not answer is named, with its address and what to do', async () => {
  const { code, err } = await calicoctl.run('get nodes', '', {
    CALICO_API_ADDRESS: 'unix:/nonexistent/x',
  });
  assert.equal(code, 1);
  assert.match(
    err,
    /^Cannot get an answer from api at "unix:\/nonexistent\/x": .*\nCheck that it runs; CALICO_API_ADDRESS/,
  );
});

test('an address that needs TLS is refused with the way out', async () => {
  const { code, err } = await calicoctl.run('get nodes', '', {
    CALICO_API_ADDRESS: '192.0.2.1:5671',
  });
  assert.equal(code, 1);
  assert.match(err, /192\.0\.2\.1.*\nSet CALICO_TLS_CA.*CALICO_INSECURE=true/s);
});

test('help has examples, mistakes have hints', async () => {
  assert.match(await calicoctl.succeeds('--help'), /Examples:\n {2}calicoctl get nodes/);
  for (const command of ['get', 'apply', 'create', 'replace', 'delete', 'patch', 'label']) {
    assert.match(
      await calicoctl.succeeds(`${command} --help`),
      /Examples?:\n {2}(cali|cat)/,
      command,
    );
  }
  for (const command of ['ipam show', 'ipam release', 'node status']) {
    assert.match(await calicoctl.succeeds(`${command} --help`), /Examples?:\n/, command);
  }
  const { code, err } = await calicoctl.run('aply -f x');
  assert.equal(code, 1);
  assert.match(err, /unknown command 'aply'\n\(Did you mean apply\?\)\nAdd --help/);
});
