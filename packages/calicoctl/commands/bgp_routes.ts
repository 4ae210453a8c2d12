import type { ListRoutesResponse } from '@calico/proto/bgp/v1/bgp';
import type { Command } from 'commander';
import { CommandError } from '../command_error.ts';
import { formatRoutes, sortRoutes } from '../formats/bgp.ts';
import type { Runner, Session } from '../session.ts';
import { checkOutput, plainWith } from './bgp_output.ts';

type RouteOptions = {
  readonly table?: string;
  readonly peer?: string;
  readonly lookup?: string;
  readonly output: string;
};

/** @param where where this command can be run, for its help */
export function addRoutes(bgp: Command, run: Runner, where: string): void {
  bgp
    .command('routes')
    .description('routes of one table')
    .argument(
      '[prefix|address]',
      'only routes inside this prefix; or the longest prefix that contains this address',
    )
    .option('--table <name>', 'loc, received, in or out (default: loc; with --peer in)')
    .option('--peer <peer>', 'whose table, for received, in and out')
    .option('--lookup <address>', 'as the address alone')
    .option('-o, --output <format>', 'text, wide or json', 'text')
    .addHelpText(
      'after',
      `
Tables:
  loc        every path that policy let in; "*" marks the best of a prefix,
             "=" those that are used beside it
  received   what --peer has told, with what was rejected ("x") and why
  in         what --peer has told and policy let in
  out        what --peer has been told

"s" marks routes that their peer has not repeated since it was away. With -o wide also origin, who brought a
reflected route into the AS, the clusters that reflected it, who aggregated it, and who injected it.

Examples:
  sudo calicoctl bgp routes 10.244.0.0/16
  sudo calicoctl bgp routes 10.244.58.193
  sudo calicoctl bgp routes --table=out --peer=192.168.80.101
  sudo calicoctl bgp routes -o json | jq -r '.[] | select(.best) | .prefix'
${where}`,
    )
    .action((about: string | undefined, options: RouteOptions) =>
      run((session) => showRoutes(session, about ?? '', options)),
    );
}

async function showRoutes(session: Session, about: string, options: RouteOptions): Promise<void> {
  const { peer = '', output } = options;
  const { connections, terminal } = session;
  checkOutput(output, ['text', 'wide', 'json']);
  const { name, table } = await tableOf(options);
  // An address alone is looked up, as by "bgp why".
  const isPrefix = about.includes('/');
  const prefix = isPrefix || options.lookup !== undefined ? about : '';
  const lookup = options.lookup ?? (isPrefix ? '' : about);
  const routes = await connections.ask('bgp', async (client) => {
    const all = [];
    for await (const each of client.listRoutes({ table, peer, prefix, lookup })) all.push(each);
    return all;
  });
  if (output === 'json') return terminal.out(await jsonOf(routes));
  terminal.out(formatRoutes(routes, { isWide: output === 'wide', isTold: name === 'out' }));
}

async function tableOf({ table: asked, peer }: RouteOptions) {
  const { Table } = await import('@calico/proto/bgp/v1/bgp');
  const tables: Readonly<Record<string, (typeof Table)[keyof typeof Table]>> = {
    loc: Table.LOC_RIB,
    received: Table.ADJ_RIB_IN_BEFORE_POLICY,
    in: Table.ADJ_RIB_IN,
    out: Table.ADJ_RIB_OUT,
  };
  const name = asked ?? (peer === undefined ? 'loc' : 'in');
  const table = tables[name];
  if (table === undefined) {
    throw new CommandError(`Cannot show table "${name}": expected loc, received, in or out`);
  }
  if (table !== Table.LOC_RIB && peer === undefined) {
    throw new CommandError(`Cannot show table "${name}": expected --peer`);
  }
  if (table === Table.LOC_RIB && peer !== undefined) {
    throw new CommandError(
      `Cannot show table "loc" of peer "${peer}": it is the node's, expected received, in or out`,
    );
  }
  return { name, table };
}

/** A list with a route a line: there may be very many. */
async function jsonOf(routes: readonly ListRoutesResponse[]): Promise<string> {
  const { ListRoutesResponseSchema } = await import('@calico/proto/bgp/v1/bgp');
  const plain = await plainWith(ListRoutesResponseSchema);
  const lines = sortRoutes(routes).map((route) => JSON.stringify(plain(route)));
  return lines.length === 0 ? '[]\n' : `[\n${lines.join(',\n')}\n]\n`;
}
