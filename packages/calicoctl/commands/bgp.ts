import type { Command } from 'commander';
import { formatExplanation } from '../formats/bgp.ts';
import type { CommandAdder, Runner, Session } from '../session.ts';
import { dumpTable } from './bgp_dump.ts';
import { addInject } from './bgp_inject.ts';
import { checkOutput, jsonText, plainWith } from './bgp_output.ts';
import { addPeers } from './bgp_peers.ts';
import { addReset } from './bgp_reset.ts';
import { addRoutes } from './bgp_routes.ts';

export const addBgp: CommandAdder = (parent, run) => {
  const bgp = parent
    .command('bgp')
    .description(
      "look into this node's BGP speaker: peers, routes, and why they are what they are",
    );
  addPeers(bgp, run, ON_THE_NODE);
  addReset(bgp, run, ON_THE_NODE);
  addRoutes(bgp, run, ON_THE_NODE);
  addExplain(bgp, run);
  addInject(bgp, run, ON_THE_NODE);
  bgp
    .command('dump')
    .description('all paths of the routing table as an MRT file (RFC 6396), for bgpdump and others')
    .requiredOption('--out <file>', 'where to; a file that is there is replaced')
    .addHelpText('after', `\nExample:\n  sudo calicoctl bgp dump --out=table.mrt\n${ON_THE_NODE}`)
    .action(({ out }: { readonly out: string }) => run((session) => dumpTable(session, out)));
};

const ON_THE_NODE = `
Run it on a node, as root: it asks the speaker through its socket in CALICO_RUN_DIR.`;

type ExplainOptions = { readonly peer?: string; readonly output: string };

function addExplain(bgp: Command, run: Runner): void {
  bgp
    .command('why')
    .description('why a prefix is routed as it is: best, rejected, told to whom')
    .argument('<prefix|address>', 'a prefix; or an address, for the longest match')
    .option('--peer <peer>', 'only what concerns this peer')
    .option('-o, --output <format>', 'text or json', 'text')
    .addHelpText(
      'after',
      `
Examples:
  sudo calicoctl bgp why 10.244.58.193
  sudo calicoctl bgp why 10.244.58.192/26 --peer=192.168.80.101
${ON_THE_NODE}`,
    )
    .action((prefix: string, options: ExplainOptions) =>
      run((session) => explain(session, prefix, options)),
    );
}

async function explain(session: Session, prefix: string, options: ExplainOptions): Promise<void> {
  const { peer = '', output } = options;
  const { connections, terminal } = session;
  checkOutput(output, ['text', 'json']);
  const answer = await connections.ask('bgp', (client) => client.explain({ prefix, peer }));
  if (output !== 'json') return terminal.out(formatExplanation(prefix, answer));
  const { ExplainResponseSchema } = await import('@calico/proto/bgp/v1/bgp');
  terminal.out(jsonText((await plainWith(ExplainResponseSchema))(answer)));
}
