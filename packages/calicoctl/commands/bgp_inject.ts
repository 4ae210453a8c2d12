import { readFile } from 'node:fs/promises';
import {
  decodeMrt,
  formatCommunity,
  formatLargeCommunity,
  type MrtEntry,
  MrtError,
} from '@calico/bgp-wire';
import { formatAddress, formatPrefix } from '@calico/ip';
import { type Command, InvalidArgumentError } from 'commander';
import { CommandError } from '../command_error.ts';
import type { Runner, Session } from '../session.ts';

type ClientOptions = { readonly client: string };
type RouteOptions = ClientOptions & {
  readonly nextHop?: string;
  readonly asPath?: readonly number[];
  readonly community?: readonly string[];
  readonly localPref?: number;
  readonly med?: number;
};

/** As calico.bgp.v1.InjectedRoute. */
type Route = {
  readonly prefix: string;
  readonly nextHop: string;
  readonly asPath: number[];
  readonly communities: string[];
  readonly localPreference?: number;
  readonly multiExitDiscriminator?: number;
};

const CLIENT = 'calicoctl';
/** Routes of one request: far below the size that a message may have. */
const BATCH = 1_000;

export function addInject(bgp: Command, run: Runner, where: string): void {
  bgp
    .command('inject')
    .description('announce routes until they are withdrawn or the speaker stops')
    .argument('<prefix...>', 'what to announce')
    .option('--client <name>', 'whose routes they are', CLIENT)
    .option('--next-hop <address>', 'default: this node')
    .option('--as-path <numbers>', 'comma-separated, the nearest first', numbers)
    .option('--community <values...>', '64512:100, or large ones 64512:1:2')
    .option('--local-pref <number>', 'for internal peers', number)
    .option('--med <number>', 'multi-exit discriminator', number)
    .addHelpText(
      'after',
      `
Example:
  sudo calicoctl bgp inject 198.51.100.0/24 --community 64512:100
${where}`,
    )
    .action((prefixes: string[], options: RouteOptions) =>
      run((session) => inject(session, options.client, routesOf(prefixes, options))),
    );
  bgp
    .command('withdraw')
    .description('take injected routes back')
    .argument('[prefix...]', 'default: all of the client')
    .option('--client <name>', 'whose routes they are', CLIENT)
    .addHelpText('after', `\nExample:\n  sudo calicoctl bgp withdraw 198.51.100.0/24\n${where}`)
    .action((prefixes: string[], { client }: ClientOptions) =>
      run(async ({ connections, terminal }) => {
        const { withdrawn } = await connections.ask('bgp', (service) =>
          service.withdrawRoutes({ client, prefixes }),
        );
        terminal.out(`Withdrew ${withdrawn} routes of '${client}'\n`);
      }),
    );
  bgp
    .command('load')
    .description('inject the routes of an MRT file (RFC 6396), the first path of each prefix')
    .argument('<file>', 'as "calicoctl bgp dump" and others write it')
    .option('--client <name>', 'whose routes they are', CLIENT)
    .addHelpText('after', `\nExample:\n  sudo calicoctl bgp load table.mrt\n${where}`)
    .action((file: string, { client }: ClientOptions) =>
      run(async (session) => inject(session, client, await readRoutes(file))),
    );
}

async function inject(session: Session, client: string, routes: readonly Route[]): Promise<void> {
  const { connections, terminal } = session;
  let held = 0;
  for (let at = 0; at < routes.length; at += BATCH) {
    const batch = routes.slice(at, at + BATCH);
    const answer = await connections.ask('bgp', (service) =>
      service.injectRoutes({ client, routes: batch }),
    );
    held = answer.held;
  }
  terminal.out(`Injected ${routes.length} routes, '${client}' has ${held}\n`);
}

function routesOf(prefixes: readonly string[], options: RouteOptions): Route[] {
  const { nextHop = '', asPath = [], community = [], localPref, med } = options;
  return prefixes.map((prefix) => ({
    prefix,
    nextHop,
    asPath: [...asPath],
    communities: [...community],
    ...(localPref === undefined ? {} : { localPreference: localPref }),
    ...(med === undefined ? {} : { multiExitDiscriminator: med }),
  }));
}

async function readRoutes(file: string): Promise<Route[]> {
  const routes: Route[] = [];
  try {
    for (const record of decodeMrt(await readFile(file))) {
      const entry = record.kind === 'routes' ? record.entries[0] : undefined;
      if (record.kind !== 'routes' || entry === undefined) continue;
      routes.push(routeOf(formatPrefix(record.prefix), entry));
    }
  } catch (cause) {
    const isExpected = cause instanceof MrtError || (cause instanceof Error && 'syscall' in cause);
    if (!isExpected) throw cause;
    throw new CommandError(`Cannot load "${file}": ${cause.message}`, { cause });
  }
  return routes;
}

/** AS sets count as sequences; a next hop of nowhere is the one that loads. */
function routeOf(prefix: string, { attributes, nextHop }: MrtEntry): Route {
  const { asPath = [], communities = [], largeCommunities = [], ...rest } = attributes;
  const { localPreference, multiExitDiscriminator } = rest;
  const isHere = nextHop === undefined || nextHop.value === 0n;
  return {
    prefix,
    nextHop: isHere ? '' : formatAddress(nextHop),
    asPath: asPath.flatMap(({ asns }) => [...asns]),
    communities: [
      ...communities.map(formatCommunity),
      ...largeCommunities.map(formatLargeCommunity),
    ],
    ...(localPreference === undefined ? {} : { localPreference }),
    ...(multiExitDiscriminator === undefined ? {} : { multiExitDiscriminator }),
  };
}

function numbers(text: string): number[] {
  return text.split(',').map(number);
}

function number(text: string): number {
  const value = Number(text);
  if (/^[0-9]{1,10}$/.test(text) && value <= 0xffff_ffff) return value;
  throw new InvalidArgumentError('Expected a number from 0 to 4294967295.');
}
