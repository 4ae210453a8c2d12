import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { memoryCluster } from './testing/memory_cluster.ts';
import { MANY_ROUTES } from './testing/memory_services.ts';

const { services, calicoctl } = memoryCluster();

test('node status shows the sessions', async () => {
  const out = await calicoctl.succeeds('node status');
  assert.match(out, /^Calico process is running\.\n\nIPv4 BGP status\n\+-/);
  assert.match(out, /\| 192\.168\.80\.101 \| node-to-node mesh \| up/);
  assert.match(out, /\n\nIPv6 BGP status\nNo IPv6 peers found\.\n\nProblems\n/);
});

test('node status says when the process is not running', async () => {
  const { code, out, err } = await calicoctl.run('node status', '', {
    CALICO_RUN_DIR: '/nonexistent',
  });
  assert.deepEqual([code, out], [1, 'Calico process is not running.\n']);
  assert.match(err, /CALICO_RUN_DIR/);
});

test('node status says when the process is there and does not answer', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'calicoctl-'));
  const server = createServer(() => {}).listen(join(folder, 'bgp.sock'));
  await once(server, 'listening');
  const sockets: Socket[] = [];
  server.on('connection', (socket) => sockets.push(socket));
  try {
    const { code, out, err } = await calicoctl.run('node status', '', {
      CALICO_RUN_DIR: folder,
      CALICO_CALL_TIMEOUT: '200ms',
    });
    assert.deepEqual([code, out], [1, 'Calico process is running and does not answer.\n']);
    assert.match(err, /busy or stuck.*CALICO_CALL_TIMEOUT/);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
    await rm(folder, { recursive: true });
  }
});

test('bgp watch, reset and routes --lookup', async () => {
  assert.match(
    await calicoctl.succeeds('bgp watch'),
    /Established[^]*\n\d\d:\d\d:\d\d 192\.168\.80\.101 is no longer a peer/,
  );
  assert.match(
    await calicoctl.succeeds('bgp reset 192.168.80.101 --message cables'),
    /^Reset '192/,
  );
  assert.match(await calicoctl.succeeds('bgp reset 192.168.80.101 --soft both'), /softly \(both\)/);
  assert.match(
    await calicoctl.fails('bgp reset 192.168.80.101 --soft up'),
    /expected in, out or both/,
  );
  assert.match(
    await calicoctl.fails('bgp reset 192.168.80.101 --soft in --message x'),
    /nothing ends/,
  );
  assert.match(await calicoctl.succeeds('bgp routes --lookup 10.244.1.3'), /10\.244\.1\.0\/28/);
});

test('bgp inject, load and withdraw', async () => {
  assert.match(
    await calicoctl.succeeds(
      'bgp inject 198.51.100.0/24 203.0.113.0/24 --community 64512:1 --as-path 1,2',
    ),
    /^Injected 2 routes, 'calicoctl' has 2/,
  );
  assert.match(await calicoctl.fails('bgp inject 198.51.100.0/24 --med x'), /Expected a number/);
  assert.match(
    await calicoctl.succeeds('bgp withdraw 198.51.100.0/24'),
    /^Withdrew 1 route of 'calicoctl'/,
  );
  assert.match(await calicoctl.succeeds('bgp inject 10.244.1.0/26 --force'), /^Injected 1 route/);
  assert.match(
    await calicoctl.fails('bgp load /nowhere.mrt'),
    /Cannot load "\/nowhere\.mrt": ENOENT/,
  );
});

/** An MRT record so long that it is sent by itself. */
function mrtRecord(type: number): Buffer {
  const bytes = Buffer.alloc(200 * 1024);
  bytes.writeUInt16BE(type, 4);
  bytes.writeUInt32BE(bytes.length - 12, 8);
  return bytes;
}

test('bgp load says what was wrong with which piece, and what stays announced', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'calicoctl-load-'));
  t.after(() => rm(directory, { recursive: true }));
  const file = join(directory, 'table.mrt');
  const load = async (...types: readonly number[]): Promise<string> => {
    await writeFile(file, Buffer.concat(types.map(mrtRecord)));
    return (await calicoctl.fails(`bgp load ${file} --client a`)).replace(file, 'FILE');
  };
  const table = 'An MRT file holds records of a routing table (TABLE_DUMP_V2), not compressed.';
  const kept =
    'What comes before stays announced, \'a\' has 7 routes: "calicoctl bgp withdraw --client a" takes all of them back.';
  assert.equal(await load(0), `Cannot load "FILE", bytes 0 to 204800: no table\n${table}\n`);
  assert.equal(await load(1), 'Cannot load "FILE", bytes 0 to 204800: too many routes\n');
  assert.equal(
    await load(13, 0),
    `Cannot load "FILE", bytes 204800 to 409600: no table\n${table} ${kept}\n`,
  );
  assert.equal(
    await load(13, 1),
    `Cannot load "FILE", bytes 204800 to 409600: too many routes\n${kept}\n`,
  );
});

test('bgp load says how many routes were left out, of all pieces', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'calicoctl-load-'));
  t.after(() => rm(directory, { recursive: true }));
  const file = join(directory, 'table.mrt');
  await writeFile(file, Buffer.concat([13, 13].map(mrtRecord)));
  const text = await calicoctl.succeeds(`bgp load ${file}`);
  assert.equal(
    text.replace(file, 'FILE'),
    `Loaded 'FILE', 'calicoctl' has 7 routes\nLeft out 4 routes inside of IP pools that peers tell: "--force" takes them in\n`,
  );
  assert.match(await calicoctl.succeeds(`bgp load ${file} --force`), /has 9 routes\n$/);
});

test('bgp peers, routes and why ask the speaker of this node', async () => {
  assert.match(
    await calicoctl.succeeds('bgp peers'),
    /^PEER .*\n192\.168\.80\.101 +- +64512 +Established/,
  );
  assert.match(
    await calicoctl.succeeds('bgp peers 192.168.80.101'),
    /^Peer +192.168.80.101\n[^]*State +Established/,
  );
  assert.match(await calicoctl.fails('bgp peers 192.0.2.1'), /peers are "192.168.80.101"/);
  assert.match(
    await calicoctl.succeeds('bgp routes'),
    /\n\* +10\.244\.1\.0\/26 +192\.168\.80\.101/,
  );
  assert.match(
    await calicoctl.succeeds('bgp routes 10.9.0.0/16 --table=out --peer=192.168.80.101'),
    /^PREFIX .*\n10\.9\.0\.0\/16/,
  );
  assert.match(
    await calicoctl.succeeds('bgp why 10.244.1.7'),
    /^10\.244\.1\.0\/26\n[^]*Kernel: it is there/,
  );
  assert.match(await calicoctl.succeeds('bgp why 10.9.9.9'), /a route to 10\.9\.9\.9/);
  assert.match(await calicoctl.fails('bgp routes --table=x'), /expected loc, received, in or out/);
  assert.match(await calicoctl.fails('bgp routes --table=in'), /expected --peer/);
  assert.match(
    await calicoctl.fails('bgp routes --table=loc --peer=192.168.80.101'),
    /Cannot show table "loc" of peer "192\.168\.80\.101"/,
  );
  // An address alone is looked up; a peer alone means what it has told.
  assert.match(await calicoctl.succeeds('bgp routes 10.244.1.3'), /10\.244\.1\.0\/28/);
  assert.match(
    await calicoctl.succeeds('bgp routes --peer=192.168.80.101'),
    /\n +10\.244\.1\.0\/26/,
  );
});

test('bgp peers --node asks status, from anywhere', async () => {
  assert.match(
    await calicoctl.succeeds('bgp peers --node k8s-node02'),
    /^PEER .*\n192\.168\.80\.99 .*Established[^]*\n\nProblems\n {2}B is missing\n$/,
  );
  const json = await calicoctl.succeeds('bgp peers 192.168.80.99 --node k8s-node02 -o json');
  const { speaker, peers } = JSON.parse(json);
  assert.deepEqual(
    [speaker.node, speaker.ready, speaker.appliedRevision, peers[0].state],
    ['k8s-node02', true, '7', 'Established'],
  );
  assert.equal(
    await calicoctl.succeeds('bgp peers --node k8s-node03'),
    'No peers found.\n\nProblems\n  has never reported\n',
  );
  assert.match(await calicoctl.fails('bgp peers --node nowhere'), /Cannot find node "nowhere"/);
});

test('bgp answers as JSON', async () => {
  const json = async (words: string) => JSON.parse(await calicoctl.succeeds(words));
  const { speaker, peers } = await json('bgp peers -o json');
  assert.deepEqual([speaker.node, peers[0].key], ['k8s-node01', '192.168.80.101']);
  assert.deepEqual((await json('bgp speaker -o json')).problems, ['A is missing']);
  const [route] = await json('bgp routes -o json');
  assert.deepEqual([route.prefix, route.best], ['10.244.1.0/26', true]);
  assert.equal((await json('bgp why 10.244.1.7 -o json')).kernel, 'it is there');
  const lines = (await calicoctl.succeeds('bgp watch -o json')).trim().split('\n');
  assert.deepEqual(JSON.parse(lines[1] ?? '').removed, ['192.168.80.101']);
  assert.match(
    await calicoctl.fails('bgp peers -o wide'),
    /Cannot print as "wide": expected text or json/,
  );
});

/** Fields that JSON has whatever they hold; a contract may get more of them. */
const ALWAYS = {
  speaker: 'appliedRevision asn clusterId inSync node problems ready reflector routerId version',
  peer: 'address agreed key lastError losses port prefixesAdvertised prefixesReceived prefixesRejected prefixesStale remoteAsn remoteNode state type',
  route:
    'aggregator asPath asPathText atomicAggregate best client clusterList communities extendedCommunities largeCommunities learnedFrom multipath nextHop origin originatorId prefix rejectedBecause stale',
  why: 'exports kernel paths prefix services',
};

function lacks(value: object, names: string): string[] {
  return names.split(' ').filter((name) => !Object.hasOwn(value, name));
}

test('JSON has the same fields whatever they hold, but for optional ones', async () => {
  const json = async (words: string) => JSON.parse(await calicoctl.succeeds(words));
  const whole = await json('bgp peers -o json');
  assert.deepEqual(Object.keys(whole), ['speaker', 'peers']);
  assert.deepEqual(lacks(whole.speaker, ALWAYS.speaker), []);
  assert.deepEqual(lacks(await json('bgp speaker -o json'), ALWAYS.speaker), []);
  assert.deepEqual(lacks(whole.peers[0], ALWAYS.peer), []);
  const [route] = await json('bgp routes -o json');
  const optional = 'localPreference multiExitDiscriminator';
  assert.deepEqual(lacks(route, `${ALWAYS.route} ${optional}`), optional.split(' '));
  assert.deepEqual(lacks(await json('bgp why 10.244.1.7 -o json'), ALWAYS.why), []);
  const [line = ''] = (await calicoctl.succeeds('bgp watch -o json')).split('\n');
  assert.deepEqual(Object.keys(JSON.parse(line)).toSorted(), ['peers', 'removed', 'time']);
});

test('bgp peers, speaker and node status name what is wrong with the speaker', async () => {
  for (const words of ['bgp peers', 'bgp speaker', 'node status']) {
    assert.match(await calicoctl.succeeds(words), /\n\nProblems\n {2}A is missing\n$/);
  }
});

test('bgp routes puts pages together', async () => {
  const lines = (await calicoctl.succeeds('bgp routes 10.0.0.0/8')).trimEnd().split('\n');
  assert.equal(lines.length, 1 + MANY_ROUTES);
  assert.match(lines[0] ?? '', /PREFIX/);
  assert.match(lines.at(-1) ?? '', /^\* +10\.11\.183\.0\/24 /);
  const routes = JSON.parse(await calicoctl.succeeds('bgp routes 10.0.0.0/8 -o json'));
  assert.equal(routes.length, MANY_ROUTES);
  assert.deepEqual([routes[999].prefix, routes[999].nextPageToken], ['10.3.231.0/24', '']);
});

test('a reader that has seen enough is no error', async () => {
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  const child = spawn(process.execPath, [main, 'bgp', 'routes', '10.0.0.0/8'], {
    env: { ...process.env, ...services.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let complaints = '';
  child.stderr.on('data', (text) => {
    complaints += text;
  });
  child.stdout.once('data', () => child.stdout.destroy());
  const [code] = await once(child, 'close');
  assert.deepEqual([code, complaints], [0, '']);
});
