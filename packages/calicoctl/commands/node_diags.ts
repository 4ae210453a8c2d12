// `node diags`: what this node's services and kernel say, in one file.
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandPiece, type Piece, saveBundle } from '../diagnostics.ts';
import { logPieces, MOST_BYTES } from '../log_pieces.ts';
import type { CommandAdder, Session } from '../session.ts';

export const addNodeDiags: CommandAdder = (node, run) => {
  node
    .command('diags')
    .description("gather this node's sessions, routes, kernel tables and logs in one file")
    .option('--log-dir <directory>', 'logs to take along', '/var/log/calico')
    .option('--output-dir <directory>', 'where the file goes', tmpdir())
    .addHelpText(
      'after',
      `
Example:
  sudo calicoctl node diags

Run it on a node, as root. Look through the file before giving it to others: it has addresses and
names of pods, but no keys. Where the services log to the journal, add
  journalctl -u calico-felix -u calico-bgp > services.log
and for the packet filter: nft list table inet calico > nft.txt`,
    )
    .action((options: { readonly logDir: string; readonly outputDir: string }) =>
      run(async (session) => {
        const logs = await logPieces(options.logDir);
        const pieces = [...nodePieces(session), ...logs];
        await saveBundle(session, 'calico-node-diags', pieces, options.outputDir);
      }),
    );
};

const PROC = [
  'version',
  'cmdline',
  'modules',
  'meminfo',
  'loadavg',
  'net/dev',
  'net/arp',
  'net/route',
  'net/ipv6_route',
  'net/fib_trie',
  'net/if_inet6',
  'net/tcp',
  'net/tcp6',
  'net/snmp',
  'net/netstat',
  'net/sockstat',
  'sys/net/ipv4/ip_forward',
  'sys/net/ipv6/conf/all/forwarding',
  'sys/net/netfilter/nf_conntrack_count',
  'sys/net/netfilter/nf_conntrack_max',
];
const FILES = ['/etc/os-release', '/var/lib/calico/nodename', '/var/lib/calico/mtu'];

function nodePieces(session: Session): Piece[] {
  return [
    commandPiece(session, 'version.txt', 'version --client'),
    commandPiece(session, 'checksystem.txt', 'node checksystem'),
    commandPiece(session, 'node_status.txt', 'node status'),
    commandPiece(session, 'bgp_peers.txt', 'bgp peers'),
    commandPiece(session, 'bgp_routes.txt', 'bgp routes'),
    { path: 'felix.json', content: () => felixText(session) },
    ...PROC.map((name) => filePiece(`proc/${name}`, `/proc/${name}`)),
    { path: 'interfaces.txt', content: interfaceSettings },
    ...FILES.map((file) => filePiece(file.slice(1), file)),
  ];
}

async function felixText({ connections }: Session): Promise<string> {
  const info = await connections.ask('felix', (client) => client.getNodeInfo({}));
  const readiness = await connections.ask('felix', (client) => client.getReadiness({}));
  return `${JSON.stringify({ info, readiness }, withoutBigints, 2)}\n`;
}

/** JSON.stringify replacer. */
function withoutBigints(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

const SETTINGS = ['forwarding', 'rp_filter', 'proxy_arp', 'route_localnet', 'accept_local'];

/** A line per interface: what decides whether it takes and forwards packets. */
async function interfaceSettings(): Promise<string> {
  const root = '/proc/sys/net/ipv4/conf';
  const lines: string[] = [];
  for (const device of (await readdir(root)).toSorted()) {
    const values = await Promise.all(
      SETTINGS.map(async (name) => {
        const value = await readFile(join(root, device, name), 'utf8').catch(() => '?');
        return `${name}=${value.trim()}`;
      }),
    );
    lines.push(`${device} ${values.join(' ')}\n`);
  }
  return lines.join('');
}

function filePiece(path: string, file: string): Piece {
  return { path, content: async () => (await readFile(file)).subarray(-MOST_BYTES) };
}
