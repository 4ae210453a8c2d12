import type { ListRoutesResponse, Table } from '@calico/proto/bgp/v1/bgp';
import type { Command } from 'commander';
import { CommandError } from '../command_error.ts';
import type { Connections } from '../connections.ts';
import { type RoutePage, RouteTable, sortRoutes } from '../formats/bgp.ts';
import type { Runner, Session } from '../session.ts';
import type { Terminal } from '../terminal.ts';
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
  const pages = pagesOf(connections, { table, peer, prefix, lookup });
  if (output === 'json') return printJson(terminal, pages);
  const isWide = output === 'wide';
  const routes = new RouteTable({ isWide, isTold: name === 'out', mayReject: name === 'received' });
  for await (const page of pages) terminal.out(routes.format(page));
}

type Question = {
  readonly table: Table;
  readonly peer: string;
  readonly prefix: string;
  readonly lookup: string;
};

/** So many are seen at once, and may be all that somebody wants. */
const FIRST_PAGE = 1_000;

/** The first routes, then all others: the speaker looks at its whole table for each page. */
async function* pagesOf(
  connections: Connections,
  question: Question,
): AsyncGenerator<RoutePage, void, undefined> {
  const pageOf = (limit: number, pageToken: string) =>
    connections.ask('bgp', (client) =>
      Array.fromAsync(client.listRoutes({ ...question, limit, pageToken })),
    );
  const routes = await pageOf(FIRST_PAGE, '');
  const last = routes.at(-1);
  const pageToken = last?.nextPageToken ?? '';
  if (last !== undefined) last.nextPageToken = '';
  yield { routes, isLast: pageToken === '' };
  if (pageToken !== '') yield { routes: await pageOf(0, pageToken), isLast: true };
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

/** One list with a route a line, printed as its pages come. */
async function printJson(terminal: Terminal, pages: AsyncIterable<RoutePage>): Promise<void> {
  const { ListRoutesResponseSchema } = await import('@calico/proto/bgp/v1/bgp');
  const plain = await plainWith(ListRoutesResponseSchema);
  const lineOf = (route: ListRoutesResponse): string => JSON.stringify(plain(route));
  let isEmpty = true;
  for await (const { routes } of pages) {
    if (routes.length === 0) continue;
    terminal.out(`${isEmpty ? '[' : ','}\n${sortRoutes(routes).map(lineOf).join(',\n')}`);
    isEmpty = false;
  }
  terminal.out(isEmpty ? '[]\n' : '\n]\n');
}
