import type { WhyResponse } from '@calico/proto/status/v1/policy';
import { CommandError } from '../command_error.ts';
import { formatWhy, protocolNumberOf, type ShownDirection } from '../formats/why.ts';
import type { CommandAdder, Session } from '../session.ts';
import { refuseProblems } from './node_problems.ts';

type WhyOptions = {
  readonly protocol: string;
  readonly port: string;
  readonly sourcePort?: string;
  readonly icmpType?: string;
  readonly icmpCode?: string;
  readonly ipVersion?: string;
  readonly direction: string;
  readonly trace?: boolean;
  readonly output: string;
};

export const addWhy: CommandAdder = (parent, run) => {
  parent
    .command('why')
    .description('why a connection is allowed or denied: every policy that is consulted on its way')
    .argument('<from>', 'namespace/pod, a node, or an address')
    .argument('<to>', 'namespace/pod, a node, or an address')
    .option('--protocol <name>', 'tcp, udp, sctp, icmp, icmpv6, udplite, or a number', 'tcp')
    .option('--port <number>', 'port at the destination', '80')
    .option('--source-port <number>', 'port at the source (default: 40000)')
    .option('--icmp-type <number>', 'default: an echo request')
    .option('--icmp-code <number>', 'default: 0')
    .option('--ip-version <version>', '4 or 6 (default: 4 when both have it)')
    .option('--direction <direction>', 'what to show: egress, ingress or both', 'both')
    .option('--trace', 'also send a packet from the pod and show what the kernels do with it')
    .option('-o, --output <format>', 'text or json', 'text')
    .addHelpText(
      'after',
      `
Asks the felix of the nodes of both ends what they enforce now. Only with --trace something is sent: the first
packet of such a connection, from the pod's own interface, with source port 40000 unless --source-port says another.

Examples:
  calicoctl why default/client default/web --port 8080
  calicoctl why production/web 192.0.2.10 --protocol udp --port 53
  calicoctl why 10.244.58.193 default/web --direction ingress -o json
  calicoctl why default/client default/web --trace`,
    )
    .action((from: string, to: string, options: WhyOptions) =>
      run((session) => why(session, from, to, options)),
    );
};

async function why(session: Session, from: string, to: string, options: WhyOptions): Promise<void> {
  const { connections, terminal } = session;
  const direction = directionOf(options.direction);
  checkFormat(options.output);
  const icmpType = numberOf('--icmp-type', options.icmpType, 255);
  const question = {
    from,
    to,
    protocol: protocolOf(options.protocol),
    destinationPort: numberOf('--port', options.port, 65_535) ?? 0,
    sourcePort: numberOf('--source-port', options.sourcePort, 65_535) ?? 0,
    ...(icmpType === undefined ? {} : { icmpType }),
    icmpCode: numberOf('--icmp-code', options.icmpCode, 255) ?? 0,
    ipVersion: numberOf('--ip-version', options.ipVersion, 6) ?? 0,
    trace: options.trace === true,
  };
  const answer = await connections.ask('policy', (client) => client.why(question));
  terminal.out(options.output === 'json' ? await jsonOf(answer) : formatWhy(answer, direction));
  refuseProblems(answer.problems);
}

async function jsonOf(answer: WhyResponse): Promise<string> {
  const { toJson } = await import('@bufbuild/protobuf');
  const { WhyResponseSchema } = await import('@calico/proto/status/v1/policy');
  const options = { alwaysEmitImplicit: true };
  return `${JSON.stringify(toJson(WhyResponseSchema, answer, options), undefined, 2)}\n`;
}

function protocolOf(text: string): number {
  const number = protocolNumberOf(text);
  if (number !== undefined) return number;
  throw new CommandError(
    `Cannot use --protocol "${text}": expected tcp, udp, sctp, icmp, icmpv6, udplite or 0 to 255`,
  );
}

function directionOf(text: string): ShownDirection {
  if (text === 'both' || text === 'egress' || text === 'ingress') return text;
  throw new CommandError(`Cannot show direction "${text}": expected egress, ingress or both`);
}

export function checkFormat(text: string): void {
  if (text === 'text' || text === 'json') return;
  throw new CommandError(`Cannot print format "${text}": expected text or json`);
}

function numberOf(option: string, text: string | undefined, most: number): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (/^\d+$/.test(text) && number <= most) return number;
  throw new CommandError(`Cannot use ${option} "${text}": expected a number from 0 to ${most}`);
}
