import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { runCalicoctl } from './calicoctl.ts';
import { MemoryServices } from './testing/memory_services.ts';

let services: MemoryServices;

before(async () => {
  services = await MemoryServices.start();
});

after(() => services.stop());

beforeEach(() => {
  services.stored.clear();
  services.assigned.clear();
  services.releasedNodes.length = 0;
  services.progress = [];
  services.staysBehind = false;
});

async function run(args: string, input = '', environment: Record<string, string> = {}) {
  let [out, err] = ['', ''];
  let elapsed = 0;
  const code = await runCalicoctl(args.split(' '), {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    readInput: async () => input,
    environment: { ...services.environment, ...environment },
    now: () => 1_000_000,
    elapsedMs: () => (elapsed += 42),
  });
  return { code, out, err };
}

async function succeeds(args: string, input = ''): Promise<string> {
  const { code, out, err } = await run(args, input);
  assert.equal(code, 0, err);
  assert.equal(err, '');
  return out;
}

async function fails(args: string, input = ''): Promise<string> {
  const { code, err } = await run(args, input);
  assert.equal(code, 1);
  return err;
}

const POOL = `apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: default-ipv4-ippool}
spec: {cidr: 10.244.0.0/16, ipipMode: Always}
`;
const NODES = `apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: k8s-node01}
spec: {bgp: {ipv4Address: 192.168.80.101/24}}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: k8s-master}
spec: {bgp: {ipv4Address: 192.168.80.100/24}}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: k8s-node02}
spec: {bgp: {ipv4Address: 192.168.80.102/24}}
`;
const POLICY = `apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: closed}
spec: {selector: all()}
`;

test('apply writes all documents and counts them by kind', async () => {
  assert.equal(await succeeds('apply -f -', POOL), "Successfully applied 1 'IPPool' resource(s)\n");
  assert.equal(await succeeds('apply -f -', NODES), "Successfully applied 3 'Node' resource(s)\n");
  assert.equal(
    await succeeds('apply -f -', `${POOL}---\n${POLICY}`),
    'Successfully applied 2 resource(s)\n',
  );
  assert.ok(services.stored.has('NetworkPolicy/default/closed'));
});

test('apply --wait says on how many nodes and after how long', async () => {
  services.progress = [
    { nodesApplied: 1, nodesTotal: 3 },
    { nodesApplied: 3, nodesTotal: 3 },
  ];
  const out = await succeeds('apply --wait -f -', POOL);
  assert.match(
    out,
    /^Successfully applied 1 'IPPool' resource\(s\)\nin force on 3\/3 nodes in \d+ ms\n$/,
  );
  assert.deepEqual(
    services.waited.map(({ kind, revision }) => [kind, revision]),
    [['IPPool', services.revision]],
  );
});

test('apply --wait does not wait for kinds that do not travel to nodes', async () => {
  const reservation = POOL.replace('IPPool', 'IPReservation').replace(/spec:.*/, 'spec: {}');
  const out = await succeeds('apply --wait -f -', reservation);
  assert.equal(out, "Successfully applied 1 'IPReservation' resource(s)\n");
});

test('apply --wait names who is missing when the time is over', async () => {
  services.progress = [{ nodesApplied: 2, nodesTotal: 3, waitingFor: ['k8s-node02 (felix)'] }];
  services.staysBehind = true;
  assert.match(
    await fails('apply --wait --timeout 300ms -f -', POOL),
    /^Cannot confirm within 300 ms: in force on 2\/3 nodes; waiting for k8s-node02 \(felix\)\n/,
  );
});

test('a mistake in one document is reported with its place, and nothing is sent', async () => {
  const bad = POLICY.replace('selector: all()', 'selektor: all()');
  assert.equal(
    await fails('apply -f -', `${POOL}---\n${bad}`),
    `Cannot apply: standard input, document 2, line 9: NetworkPolicy "default/closed": spec.selektor: is not a known field; did you mean "selector"?
Nothing was changed. Correct the document and run the command again.
`,
  );
  assert.equal(services.stored.size, 0);
});

test('all mistakes are reported at once', async () => {
  const bad = POOL.replace('Always}', 'always, blockSize: 99}');
  const twice = `${bad}---\nkind: Node\napiVersion: v1\nmetadata: {name: A}\n`;
  const err = await fails('create -f -', twice);
  assert.match(err, /^Cannot create: \d problems\n {2}standard input, document 1, line 4: IPPool/);
  assert.match(err, /spec\.ipipMode "always": expected "Never", "Always" or "CrossSubnet"/);
  assert.match(err, /document 2, line 7: Node "A": apiVersion "v1"/);
  assert.match(err, /document 2, line 8: Node "A": metadata\.name "A"/);
});

test('documents without kind or name and empty input are refused', async () => {
  assert.match(await fails('apply -f -', 'metadata: {name: x}'), /document 1: kind is missing/);
  assert.match(await fails('apply -f -', 'kind: IPPool'), /IPPool has no metadata\.name/);
  assert.match(await fails('apply -f -', 'kind: Foo\nmetadata: {name: x}'), /find kind "Foo"/);
  assert.match(await fails('apply -f -', '---\n'), /Cannot find a resource in standard input/);
  assert.equal(
    await succeeds('apply --skip-empty -f -', ''),
    'Successfully applied 0 resource(s)\n',
  );
  assert.match(await fails('apply'), /no file is given\nGive -f FILE/);
});

test('create refuses what exists, unless told to pass over it', async () => {
  await succeeds('create -f -', POOL);
  assert.equal(
    await fails('create -f -', POOL),
    `Failed to create 'IPPool' resource: standard input, document 1: Cannot create IPPool "default-ipv4-ippool": it exists\n`,
  );
  await succeeds('create --skip-exists -f -', POOL);
});

test('a failure in the middle counts what was done', async () => {
  await succeeds('create -f -', POOL);
  const other = POOL.replace('default-ipv4-ippool', 'other').replace('10.244', '10.245');
  assert.equal(
    await fails('create -f -', `${other}---\n${POOL}`),
    `Partial success: created the first 1 out of 2 'IPPool' resources
Hit error: standard input, document 2: Cannot create IPPool "default-ipv4-ippool": it exists
`,
  );
});

test('replace needs the resource and keeps what is immutable', async () => {
  assert.match(await fails('replace -f -', POOL), /Cannot find IPPool/);
  await succeeds('create -f -', POOL);
  assert.equal(
    await succeeds('replace -f -', POOL),
    "Successfully replaced 1 'IPPool' resource(s)\n",
  );
  assert.match(await fails('replace -f -', POOL.replace('10.244', '10.9')), /cannot be changed/);
});

test('get lists, sorted, over several pages', async () => {
  await succeeds('apply -f -', NODES);
  assert.equal(
    await succeeds('get nodes'),
    'NAME         \nk8s-master   \nk8s-node01   \nk8s-node02   \n\n',
  );
  assert.equal(
    await succeeds('get nodes -o wide'),
    `NAME         ASN       IPV4                IPV6   
k8s-master   (64512)   192.168.80.100/24          
k8s-node01   (64512)   192.168.80.101/24          
k8s-node02   (64512)   192.168.80.102/24          

`,
  );
  const list = JSON.parse(await succeeds('get node -o json')) as { items: unknown[]; kind: string };
  assert.deepEqual([list.kind, list.items.length], ['NodeList', 3]);
});

test('get shows the default AS number of the cluster', async () => {
  const configuration =
    'apiVersion: projectcalico.org/v3\nkind: BGPConfiguration\nmetadata: {name: default}\nspec: {asNumber: 65000}\n';
  await succeeds('apply -f -', `${NODES}---\n${configuration}`);
  assert.match(await succeeds('get nodes -o wide'), /k8s-master {3}\(65000\)/);
});

test('get of one namespace, of all, and by name', async () => {
  await succeeds('apply -f -', POLICY);
  await succeeds('apply -n other -f -', POLICY);
  assert.equal(await succeeds('get np'), 'NAME     TIER      \nclosed   default   \n\n');
  assert.equal(
    await succeeds('get np -A'),
    `NAMESPACE   NAME     TIER      
default     closed   default   
other       closed   default   

`,
  );
  assert.match(await succeeds('get np closed -n other -o yaml'), /^ {2}namespace: other$/m);
  assert.match(await fails('get np closed -n third'), /Cannot find NetworkPolicy "closed"/);
  assert.equal(await succeeds('get np -o name'), 'networkpolicy/closed\n');
});

test('what get prints can be applied', async () => {
  await succeeds('apply -f -', NODES);
  for (const format of ['yaml', 'json']) {
    const text = await succeeds(`get nodes --export -o ${format}`);
    assert.doesNotMatch(text.replace(/"?resourceVersion"?: "\d+"/, ''), /resourceVersion/);
    assert.equal(await succeeds('apply -f -', text), "Successfully applied 3 'Node' resource(s)\n");
  }
  const one = await succeeds('get node k8s-master -o yaml');
  assert.equal(await succeeds('replace -f -', one), "Successfully replaced 1 'Node' resource(s)\n");
});

test('get -f shows the resources of a file', async () => {
  await succeeds('apply -f -', `${NODES}---\n${POOL}`);
  assert.match(await succeeds('get -f -', POOL), /^NAME .*SELECTOR/);
  assert.match(await fails('get'), /expected either a kind or -f/);
  assert.match(await fails('get foo'), /Cannot find kind "foo": expected one of bgpconfiguration/);
  assert.match(await fails('get nodes -o xml'), /Cannot print as "xml": expected ps, wide/);
});

test('delete by name and by file', async () => {
  await succeeds('apply -f -', `${NODES}---\n${POOL}`);
  assert.equal(
    await succeeds('delete node k8s-node01 k8s-node02'),
    "Successfully deleted 2 'Node' resource(s)\n",
  );
  assert.equal(
    await succeeds('delete -f -', POOL),
    "Successfully deleted 1 'IPPool' resource(s)\n",
  );
  assert.match(await fails('delete -f -', POOL), /^Failed to delete 'IPPool' resource: /);
  await succeeds('delete --skip-not-exists -f -', POOL);
});

test('delete node has ipam delete it with what it holds', async () => {
  await succeeds('apply -f -', NODES);
  await succeeds('delete node k8s-node01');
  assert.deepEqual(services.releasedNodes, ['k8s-node01']);
  assert.match(await fails('delete node k8s-node01'), /Cannot find Node "k8s-node01"/);
});

test('patch merges', async () => {
  await succeeds('apply -f -', POOL);
  assert.equal(
    await succeeds('patch ippool default-ipv4-ippool -p {"spec":{"natOutgoing":true}}'),
    "Successfully patched 1 'IPPool' resource\n",
  );
  assert.match(await succeeds('get pool -o wide'), /10\.244\.0\.0\/16 {3}true/);
  assert.match(await fails('patch pool default-ipv4-ippool -p text'), /expected an object/);
  assert.match(await fails('patch pool default-ipv4-ippool -t x -p {}'), /expected strategic/);
});

test('label sets, changes and removes', async () => {
  await succeeds('apply -f -', NODES);
  assert.equal(
    await succeeds('label node k8s-master rack=a'),
    'Successfully set label rack on Node k8s-master\n',
  );
  assert.match(
    await fails('label node k8s-master rack=b'),
    /it has the value "a"\nUse --overwrite/,
  );
  assert.equal(
    await succeeds('label node k8s-master rack=b --overwrite'),
    'Successfully updated label rack on Node k8s-master\n',
  );
  assert.equal(
    await succeeds('label node k8s-master rack --remove'),
    'Successfully removed label rack from Node k8s-master\n',
  );
  assert.match(await fails('label node k8s-master rack --remove'), /it does not have it/);
  assert.match(await fails('label node k8s-master rack'), /expected name=value/);
});

test('ipam show and release', async () => {
  services.assigned.set('10.244.58.193', 'net.1').set('10.244.58.194', 'net.2');
  assert.match(
    await succeeds('ipam show'),
    /\| IP Pool {2}\| 10\.244\.0\.0\/16 \| +65536 \| 2 \(0%\)/,
  );
  assert.match(await succeeds('ipam show --ip=10.244.58.193'), /is in use\nHandle ID: net\.1/);
  assert.equal(
    await succeeds('ipam release --ip=10.244.58.193'),
    'Successfully released IP address 10.244.58.193\n',
  );
  assert.equal(await succeeds('ipam show --ip=10.244.58.193'), '10.244.58.193 is not assigned\n');
  assert.match(await fails('ipam release --ip=10.244.58.193'), /it is not assigned/);
  assert.match(await succeeds('ipam release --handle=net.2'), /Released 1 IPs successfully/);
  assert.match(await fails('ipam release'), /expected either --ip or --handle/);
});

test('ipam configure and its configuration', async () => {
  assert.match(await succeeds('ipam show --show-configuration'), /\| StrictAffinity +\| false \|/);
  assert.equal(
    await succeeds('ipam configure --strictaffinity=true'),
    'Successfully set StrictAffinity to: true\n',
  );
  assert.match(await succeeds('ipam show --show-configuration'), /\| StrictAffinity +\| true +\|/);
  assert.match(await fails('ipam configure --strictaffinity=yes'), /expected true or false/);
});

test('version', async () => {
  assert.match(
    await succeeds('version'),
    /^Client Version: {4}0\.1\.0\nCluster Version: {3}0\.1\.0\n/,
  );
  assert.equal(await succeeds('version --client'), 'Client Version:    0.1.0\n');
});

test('a service that does not answer is named, with its address and what to do', async () => {
  const { code, err } = await run('get nodes', '', { CALICO_API_ADDRESS: 'unix:/nonexistent/x' });
  assert.equal(code, 1);
  assert.match(
    err,
    /^Cannot get an answer from api at "unix:\/nonexistent\/x": .*\nCheck that it runs; CALICO_API_ADDRESS/,
  );
});

test('an address that needs TLS is refused with the way out', async () => {
  const { code, err } = await run('get nodes', '', { CALICO_API_ADDRESS: '192.0.2.1:5671' });
  assert.equal(code, 1);
  assert.match(err, /192\.0\.2\.1.*\nSet CALICO_TLS_CA.*CALICO_INSECURE=true/s);
});

test('node status shows the sessions', async () => {
  const out = await succeeds('node status');
  assert.match(out, /^Calico process is running\.\n\nIPv4 BGP status\n\+-/);
  assert.match(out, /\| 192\.168\.80\.101 \| node-to-node mesh \| up/);
  assert.match(out, /\n\nIPv6 BGP status\nNo IPv6 peers found\.\n$/);
});

test('node status says when the process is not running', async () => {
  const { code, out, err } = await run('node status', '', { CALICO_RUN_DIR: '/nonexistent' });
  assert.deepEqual([code, out], [1, 'Calico process is not running.\n']);
  assert.match(err, /CALICO_RUN_DIR/);
});

test('help has examples, mistakes have hints', async () => {
  assert.match(await succeeds('--help'), /Examples:\n {2}calicoctl get nodes/);
  for (const command of ['get', 'apply', 'create', 'replace', 'delete', 'patch', 'label']) {
    assert.match(await succeeds(`${command} --help`), /Examples?:\n {2}(cali|cat)/, command);
  }
  for (const command of ['ipam show', 'ipam release', 'node status']) {
    assert.match(await succeeds(`${command} --help`), /Examples?:\n/, command);
  }
  const { code, err } = await run('aply -f x');
  assert.equal(code, 1);
  assert.match(err, /unknown command 'aply'\n\(Did you mean apply\?\)\nAdd --help/);
});

test('bgp watch, reset and routes --lookup', async () => {
  assert.match(
    await succeeds('bgp watch'),
    /Established[^]*\n192\.168\.80\.101 is no longer a peer/,
  );
  assert.match(await succeeds('bgp reset 192.168.80.101 --message cables'), /^Reset '192/);
  assert.match(await succeeds('bgp reset 192.168.80.101 --soft both'), /softly \(both\)/);
  assert.match(await fails('bgp reset 192.168.80.101 --soft up'), /expected in, out or both/);
  assert.match(await fails('bgp reset 192.168.80.101 --soft in --message x'), /nothing ends/);
  assert.match(await succeeds('bgp routes --lookup 10.244.1.3'), /10\.244\.1\.0\/28/);
});

test('bgp inject, load and withdraw', async () => {
  assert.match(
    await succeeds('bgp inject 198.51.100.0/24 203.0.113.0/24 --community 64512:1 --as-path 1,2'),
    /^Injected 2 routes, 'calicoctl' has 2/,
  );
  assert.match(await fails('bgp inject 198.51.100.0/24 --med x'), /Expected a number/);
  assert.match(await succeeds('bgp withdraw 198.51.100.0/24'), /^Withdrew 1 routes of 'calicoctl'/);
  assert.match(await fails('bgp load /nowhere.mrt'), /Cannot load "\/nowhere\.mrt": ENOENT/);
});

test('bgp peers, routes and why ask the speaker of this node', async () => {
  assert.match(await succeeds('bgp peers'), /^PEER .*\n192\.168\.80\.101 +- +0 +Established/);
  assert.match(
    await succeeds('bgp peers 192.168.80.101'),
    /^Peer +192.168.80.101\n[^]*State +Established/,
  );
  assert.match(await fails('bgp peers 192.0.2.1'), /peers are "192.168.80.101"/);
  assert.match(await succeeds('bgp routes'), /\n\* +10\.244\.1\.0\/26 +192\.168\.80\.101/);
  assert.match(
    await succeeds('bgp routes 10.9.0.0/16 --table=out --peer=192.168.80.101'),
    /\n +10\.9\.0\.0\/16/,
  );
  assert.match(await succeeds('bgp why 10.244.1.7'), /^10\.244\.1\.0\/26\n[^]*Kernel: it is there/);
  assert.match(await succeeds('bgp why 10.9.9.9'), /a route to 10\.9\.9\.9/);
  assert.match(await fails('bgp routes --table=x'), /expected loc, received, in or out/);
  assert.match(await fails('bgp routes --table=in'), /expected --peer/);
});
