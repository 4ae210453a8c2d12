import type { Command } from 'commander';
import { CommandError } from '../command_error.ts';
import { formatExplanation, formatPeer, formatPeers, formatRoutes } from '../formats/bgp.ts';
import type { CommandAdder, Runner, Session } from '../session.ts';
import { dumpTable } from './bgp_dump.ts';
import { addInject } from './bgp_inject.ts';
import { addReset } from './bgp_reset.ts';

export const addBgp: CommandAdder = (parent, run) => {
  const bgp = parent
    .command('bgp')
    .description(
      "look into this node's BGP speaker: peers, routes, and why they are what they are",
    );
  bgp
    .command('peers')
    .description('sessions with the number of routes each way; of one peer also what was agreed on')
    .argument('[address]', 'only this peer, in full')
    .addHelpText(
      'after',
      `
Examples:
  sudo calicoctl bgp peers
  sudo calicoctl bgp peers 192.168.80.101
${ON_THE_NODE}`,
    )
    .action((address: string | undefined) => run((session) => showPeers(session, address)));
  addReset(bgp, run, ON_THE_NODE);
  addRoutes(bgp, run);
  addInject(bgp, run, ON_THE_NODE);
  bgp
    .command('dump')
    .description('all paths of the routing table as an MRT file (RFC 6396), for bgpdump and others')
    .requiredOption('--out <file>', 'where to; a file that is there is replaced')
    .addHelpText('after', `\nExample:\n  sudo calicoctl bgp dump --out=table.mrt\n${ON_THE_NODE}`)
    .action(({ out }: { readonly out: string }) => run((session) => dumpTable(session, out)));
  bgp
    .command('why')
    .description('why a prefix is routed as it is: best, rejected, told to whom')
    .argument('<prefix|address>', 'a prefix; or an address, for the longest match')
    .option('--peer <address>', 'only what concerns this peer')
    .addHelpText(
      'after',
      `
Examples:
  sudo calicoctl bgp why 10.244.58.193
  sudo calicoctl bgp why 10.244.58.192/26 --peer=192.168.80.101
${ON_THE_NODE}`,
    )
    .action((prefix: string, { peer = '' }: { readonly peer?: string }) =>
      run((session) => explain(session, prefix, peer)),
    );
};

const ON_THE_NODE = `
Run it on a node, as root: it asks the speaker through its socket in CALICO_RUN_DIR.`;

type RouteOptions = {
  readonly table: string;
  readonly peer?: string;
  readonly lookup?: string;
};

function addRoutes(bgp: Command, run: Runner): void {
  bgp
    .command('routes')
    .description('routes of one table')
    .argument('[prefix]', 'only routes inside this prefix')
    .option('--table <name>', 'loc: all paths; received: as a peer told them; in; out', 'loc')
    .option('--peer <address>', 'whose table, for received, in and out')
    .option('--lookup <address>', 'only the longest prefix that contains this address')
    .addHelpText(
      'after',
      `
Tables:
  loc        every path that policy let in; "*" marks the best of a prefix
  received   what --peer has told, with what was rejected ("x") and why
  in         what --peer has told and policy let in
  out        what --peer has been told

Examples:
  sudo calicoctl bgp routes 10.244.0.0/16
  sudo calicoctl bgp routes --table=out --peer=192.168.80.101
  sudo calicoctl bgp routes --lookup=10.244.58.193
${ON_THE_NODE}`,
    )
    .action((prefix: string | undefined, options: RouteOptions) =>
      run((session) => showRoutes(session, prefix ?? '', options)),
    );
}

async function showPeers({ connections, terminal }: Session, address = ''): Promise<void> {
  const { peers } = await connections.ask('bgp', (client) => client.listPeers({}));
  if (address === '') {
    terminal.out(formatPeers(peers, terminal.now()));
    return;
  }
  const found = peers.filter((peer) => peer.address === address);
  if (found.length === 0) {
    const known = peers.map((peer) => `"${peer.address}"`).join(', ') || 'none';
    throw new CommandError(`Cannot find peer "${address}": peers are ${known}`);
  }
  terminal.out(found.map((peer) => formatPeer(peer, terminal.now())).join('\n'));
}

async function showRoutes(session: Session, prefix: string, options: RouteOptions): Promise<void> {
  const { connections, terminal } = session;
  const { Table } = await import('@calico/proto/bgp/v1/bgp');
  const tables: Readonly<Record<string, (typeof Table)[keyof typeof Table]>> = {
    loc: Table.LOC_RIB,
    received: Table.ADJ_RIB_IN_BEFORE_POLICY,
    in: Table.ADJ_RIB_IN,
    out: Table.ADJ_RIB_OUT,
  };
  const table = tables[options.table];
  if (table === undefined) {
    throw new CommandError(
      `Cannot show table "${options.table}": expected loc, received, in or out`,
    );
  }
  if (table !== Table.LOC_RIB && options.peer === undefined) {
    throw new CommandError(`Cannot show table "${options.table}": expected --peer`);
  }
  const routes = await connections.ask('bgp', async (client) => {
    const all = [];
    const { peer = '', lookup = '' } = options;
    for await (const each of client.listRoutes({ table, peer, prefix, lookup })) {
      all.push(each);
    }
    return all;
  });
  terminal.out(formatRoutes(routes));
}

async function explain(session: Session, prefix: string, peer: string): Promise<void> {
  const answer = await session.connections.ask('bgp', (client) => client.explain({ prefix, peer }));
  session.terminal.out(formatExplanation(prefix, answer));
}
