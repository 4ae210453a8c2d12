import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { CommandError } from '../command_error.ts';
import { routesText } from '../formats/bgp_peers.ts';
import type { Runner, Session } from '../session.ts';

type ClientOptions = { readonly client: string };
type InjectOptions = ClientOptions & { readonly force?: boolean };
type RouteOptions = InjectOptions & {
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
    .option('--community <values...>', '64512:100, large ones 64512:1:2, or by name: no-export')
    .option('--local-pref <number>', 'for internal peers', number)
    .option('--med <number>', 'multi-exit discriminator', number)
    .option('--force', 'also a prefix inside of an IP pool that a peer tells')
    .addHelpText(
      'after',
      `
Example:
  sudo calicoctl bgp inject 198.51.100.0/24 --community 64512:100 no-export

Names of communities: graceful-shutdown, llgr-stale, no-llgr, blackhole, no-export, no-advertise,
no-export-subconfed, no-peer.
${where}`,
    )
    .action((prefixes: string[], options: RouteOptions) =>
      run((session) => inject(session, options, routesOf(prefixes, options))),
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
        terminal.out(`Withdrew ${routesText(withdrawn)} of '${client}'\n`);
      }),
    );
  bgp
    .command('load')
    .description('inject the routes of an MRT file (RFC 6396), the first path of each prefix')
    .argument('<file>', 'as "calicoctl bgp dump" and others write it')
    .option('--client <name>', 'whose routes they are', CLIENT)
    .option('--force', 'also prefixes inside of IP pools that a peer tells')
    .addHelpText('after', `\nExample:\n  sudo calicoctl bgp load table.mrt\n${where}`)
    .action((file: string, options: InjectOptions) =>
      run((session) => load(session, options, file)),
    );
}

async function inject(
  { connections, terminal }: Session,
  { client, force = false }: InjectOptions,
  routes: readonly Route[],
): Promise<void> {
  let held = 0;
  for (let at = 0; at < routes.length; at += BATCH) {
    const batch = routes.slice(at, at + BATCH);
    const answer = await connections.ask('bgp', (service) =>
      service.injectRoutes({ client, routes: batch, force }),
    );
    held = answer.held;
  }
  terminal.out(`Injected ${routesText(routes.length)}, '${client}' has ${held}\n`);
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

const MRT_HEADER = 12;
const MRT_LENGTH_AT = 8;
/** Bytes of one request, unless one record is longer. */
const PIECE = 256 * 1024;

/** The speaker reads the records; here the file is only cut between them. */
async function load(
  { connections, terminal }: Session,
  { client, force = false }: InjectOptions,
  file: string,
): Promise<void> {
  const bytes = await readFile(file).catch((cause: Error) => {
    throw new CommandError(`Cannot load "${file}": ${cause.message}`, { cause });
  });
  let held = 0;
  let leftOut = 0;
  for (let at = 0; at < bytes.length; ) {
    const end = endOfPiece(bytes, at);
    const mrt = bytes.subarray(at, end);
    try {
      const answer = await connections.ask('bgp', (service) =>
        service.injectRoutes({ client, mrt, force }),
      );
      held = answer.held;
      leftOut += answer.leftOut;
    } catch (cause) {
      // Without an answer to the first piece the file is not what is wrong.
      if (cause instanceof CommandError && at === 0) throw cause;
      const what = `Cannot load "${file}", bytes ${at} to ${end}`;
      throw notLoaded(what, cause as Error, at === 0 ? [] : [heldText(client, held)]);
    }
    at = end;
  }
  terminal.out(`Loaded '${file}', '${client}' has ${routesText(held)}\n`);
  if (leftOut === 0) return;
  terminal.out(
    `Left out ${routesText(leftOut)} inside of IP pools that peers tell: "--force" takes them in\n`,
  );
}

function notLoaded(what: string, cause: Error, notes: readonly string[]): CommandError {
  const isMalformed = (cause as { readonly code?: unknown }).code === 'INVALID_ARGUMENT';
  const advice = [
    ...(isMalformed ? [MRT_ADVICE] : []),
    ...(cause instanceof CommandError && cause.advice !== undefined ? [cause.advice] : []),
    ...notes,
  ];
  const options = advice.length === 0 ? { cause } : { cause, advice: advice.join(' ') };
  return new CommandError(`${what}: ${cause.message}`, options);
}

const MRT_ADVICE = 'An MRT file holds records of a routing table (TABLE_DUMP_V2), not compressed.';

function heldText(client: string, held: number): string {
  return `What comes before stays announced, '${client}' has ${routesText(held)}: "calicoctl bgp withdraw --client ${client}" takes all of them back.`;
}

/** Behind the last record that still fits; a record that is cut is left to the speaker to refuse. */
function endOfPiece(bytes: Buffer, from: number): number {
  let end = from;
  while (end + MRT_HEADER <= bytes.length) {
    const next = end + MRT_HEADER + bytes.readUInt32BE(end + MRT_LENGTH_AT);
    if (next - from > PIECE && end > from) return end;
    if (next > bytes.length) return bytes.length;
    end = next;
  }
  return bytes.length;
}

function numbers(text: string): number[] {
  return text.split(',').map(number);
}

function number(text: string): number {
  const value = Number(text);
  if (/^[0-9]{1,10}$/.test(text) && value <= 0xffff_ffff) return value;
  throw new InvalidArgumentError('Expected a number from 0 to 4294967295.');
}
