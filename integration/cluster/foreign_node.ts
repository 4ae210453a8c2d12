// A node that runs stock BIRD instead of our services, set up as an upstream node would be.
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  eventually,
  exec,
  execOk,
  inNamespace,
  ipBatch,
  type Lab,
  ManagedProcess,
  type NodePlan,
} from '../lab/mod.ts';

/** From a slow mirror. */
const DOWNLOAD_MS = 600_000;

export type BirdVersion = '1.6' | '2';

/**
 * Path of the daemon; BIRD 1.6 excludes BIRD 2 as a package, so it is unpacked into a cache.
 * @param family what it speaks of: BIRD 1.6 is a program for each
 */
export async function birdProgram(version: BirdVersion, family: 4 | 6 = 4): Promise<string> {
  if (version === '2') return '/usr/sbin/bird';
  const cache = join(
    process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
    'calico-ts',
    'bird-1.6',
  );
  const program = join(cache, 'usr', 'sbin', family === 4 ? 'bird' : 'bird6');
  if (existsSync(program)) return program;
  mkdirSync(dirname(cache), { recursive: true });
  const directory = mkdtempSync(`${cache}-`);
  const options = { cwd: directory, timeoutMs: DOWNLOAD_MS };
  try {
    const download = await exec(['apt-get', 'download', 'bird'], options);
    if (download.code !== 0) {
      await execOk(['apt-get', 'update', '-qq'], options);
      await execOk(['apt-get', 'download', 'bird'], options);
    }
    await execOk(['sh', '-c', `dpkg -x ${directory}/bird_*.deb ${directory}/unpacked`]);
    // All of it or nothing, also when this run is ended meanwhile.
    rmSync(cache, { recursive: true, force: true });
    renameSync(join(directory, 'unpacked'), cache);
  } finally {
    rmSync(directory, { recursive: true });
  }
  return program;
}

/** Starts BIRD on the node, with the mesh of the lab and the node's block. */
export async function startBird(
  lab: Lab,
  node: NodePlan,
  version: BirdVersion,
): Promise<ManagedProcess> {
  const directory = join(lab.directory, node.name);
  const config = join(directory, 'bird.conf');
  const peers = lab.topology.nodes.filter(({ name }) => name !== node.name);
  writeFileSync(config, version === '2' ? bird2(node, peers) : bird16(node, peers));
  const program = await birdProgram(version);
  const bird = new ManagedProcess({
    service: 'bird',
    node: node.name,
    namespace: node.namespace,
    command: [
      program,
      version === '2' ? '-f' : '-d',
      '-c',
      config,
      '-s',
      join(directory, 'bird.ctl'),
    ],
    env: {},
    logFile: join(directory, 'log', 'bird.log'),
    detached: false,
  });
  await execOk(inNamespace(node.namespace, ['sysctl', '-qw', 'net.ipv4.ip_forward=1']));
  bird.start();
  await eventually(
    () => existsSync(join(directory, 'bird.ctl')),
    5000,
    () => `BIRD ${version} does not start: ${bird.log()}`,
    () => !bird.running,
  );
  return bird;
}

/** A pod on that node, by hand: what Felix would have done. Answers its namespace. */
export async function handMadePod(lab: Lab, node: NodePlan, address: string): Promise<string> {
  const namespace = `${lab.topology.prefix}-hand`;
  await execOk(['ip', 'netns', 'add', namespace]);
  await ipBatch(node.namespace, [
    `link add calihand type veth peer name eth0 netns ${namespace}`,
    'link set calihand address ee:ee:ee:ee:ee:ee up',
    `route add ${address}/32 dev calihand scope link`,
  ]);
  await ipBatch(namespace, [
    'link set eth0 up',
    `address add ${address}/32 dev eth0`,
    'route add 169.254.1.1 dev eth0 scope link',
    'route add default via 169.254.1.1 dev eth0',
    'neigh replace 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev eth0 nud permanent',
  ]);
  return namespace;
}

function neighbours(node: NodePlan, peers: readonly NodePlan[]): string {
  // Upstream's rule of who waits: the end whose address is smaller as text.
  return peers
    .map(
      ({ address }) => `protocol bgp Mesh_${address.replaceAll('.', '_')} from bgp_template {
  neighbor ${address} as 64512;${address > node.address ? '\n  passive on;' : ''}
}`,
    )
    .join('\n');
}

const EXPORT_FILTER = (block: string | undefined): string => `filter calico_export_to_bgp_peers {
  if (net = ${block}) then accept;
  if (net ~ ${block}) then reject;
  if (net ~ 10.244.0.0/16) then accept;
  reject;
}`;

function bird2(node: NodePlan, peers: readonly NodePlan[]): string {
  return `router id ${node.address};
log stderr all;
${EXPORT_FILTER(node.block)}
protocol device { scan time 2; }
protocol direct { ipv4; interface -"cali*", "*"; }
protocol kernel {
  learn; persist; scan time 2; merge paths on; graceful restart; debug { routes };
  ipv4 { import all; export filter { if source ~ [ RTS_BGP, RTS_STATIC ] then accept; reject; }; };
}
protocol static { ipv4; route ${node.block} blackhole; }
template bgp bgp_template {
  local ${node.address} as 64512;
  multihop;
  debug { states, routes, events };
  graceful restart;
  connect delay time 2; connect retry time 5; error wait time 5,30;
  ipv4 { gateway recursive; import all; export filter calico_export_to_bgp_peers; add paths on; next hop self; };
}
${neighbours(node, peers)}
`;
}

function bird16(node: NodePlan, peers: readonly NodePlan[]): string {
  return `router id ${node.address};
log stderr all;
${EXPORT_FILTER(node.block)}
protocol device { scan time 2; }
protocol direct { interface -"cali*", "*"; }
protocol kernel {
  learn; persist; scan time 2; merge paths on; graceful restart; debug { routes };
  import all; export filter { if source ~ [ RTS_BGP, RTS_STATIC ] then accept; reject; };
}
protocol static { route ${node.block} blackhole; }
template bgp bgp_template {
  local as 64512;
  source address ${node.address};
  multihop;
  gateway recursive;
  import all;
  export filter calico_export_to_bgp_peers;
  next hop self;
  add paths on;
  debug { states, routes, events };
  graceful restart;
  connect delay time 2; connect retry time 5; error wait time 5,30;
}
${neighbours(node, peers)}
`;
}
