import type { Command } from 'commander';
import { CommandError } from '../command_error.ts';
import type { Connections } from '../connections.ts';
import {
  formatChange,
  formatPeer,
  formatPeerChange,
  formatPeers,
  formatProblems,
  formatSpeaker,
  keyOf,
} from '../formats/bgp_peers.ts';
import type { Runner, Session } from '../session.ts';
import { checkOutput, jsonText, plainWith } from './bgp_output.ts';
import { reportedPeers } from './reported_peers.ts';

type OutputOption = { readonly output: string };
type PeersOptions = OutputOption & { readonly node?: string };

const FORMATS = ['text', 'json'];

/** @param where where these commands can be run, for their help */
export function addPeers(bgp: Command, run: Runner, where: string): void {
  bgp
    .command('peers')
    .description(
      'sessions with the number of routes each way; of one peer also what was agreed on, and messages',
    )
    .argument('[peer]', 'only this peer, in full: its address, as the list shows it')
    .option('--node <name>', 'of this node, as it has told status; from anywhere')
    .option('-o, --output <format>', 'text or json', 'text')
    .addHelpText(
      'after',
      `
RECEIVED counts what policy has let in; INFO says what was rejected, what is kept though the peer has not repeated
it ("stale"), and why a session is not established. What is wrong with the speaker itself follows the sessions.

Examples:
  sudo calicoctl bgp peers
  sudo calicoctl bgp peers 192.168.80.101
  sudo calicoctl bgp peers -o json
  calicoctl bgp peers --node=k8s-node02
${where}`,
    )
    .action((peer: string | undefined, options: PeersOptions) =>
      run((session) => showPeers(session, peer ?? '', options)),
    );
  bgp
    .command('watch')
    .description('sessions, then every one that changes, until interrupted')
    .argument('[peer]', 'only this one')
    .option('-o, --output <format>', 'text, or json: one object a line', 'text')
    .addHelpText('after', `\nExample:\n  sudo calicoctl bgp watch\n${where}`)
    .action((peer: string | undefined, { output }: OutputOption) =>
      run((session) => watch(session, peer ?? '', output)),
    );
  bgp
    .command('speaker')
    .description(
      'what the speaker is: node, AS number, router id, route reflector; and what is wrong with it',
    )
    .option('-o, --output <format>', 'text or json', 'text')
    .addHelpText('after', `\nExample:\n  sudo calicoctl bgp speaker\n${where}`)
    .action(({ output }: OutputOption) => run((session) => showSpeaker(session, output)));
}

async function showPeers(
  { connections, terminal }: Session,
  wanted: string,
  { output, node }: PeersOptions,
): Promise<void> {
  checkOutput(output, FORMATS);
  const [all, speaker] = await (node === undefined
    ? ownPeers(connections)
    : reportedPeers(connections, node));
  const isMeant = ({ address, key }: (typeof all)[number]): boolean =>
    address === wanted || key === wanted;
  const peers = wanted === '' ? all : all.filter(isMeant);
  if (peers.length === 0 && wanted !== '') {
    const known = all.map((peer) => `"${keyOf(peer)}"`).join(', ') || 'none';
    throw new CommandError(`Cannot find peer "${wanted}": peers are ${known}`);
  }
  if (output === 'json') {
    const { BgpPeerStatusSchema } = await import('@calico/proto/events/v1/events');
    const { GetSpeakerResponseSchema } = await import('@calico/proto/bgp/v1/bgp');
    const plainSpeaker = await plainWith(GetSpeakerResponseSchema);
    const plainPeer = await plainWith(BgpPeerStatusSchema);
    terminal.out(jsonText({ speaker: plainSpeaker(speaker), peers: peers.map(plainPeer) }));
    return;
  }
  const now = terminal.now();
  if (wanted !== '') return terminal.out(peers.map((peer) => formatPeer(peer, now)).join('\n'));
  terminal.out(`${formatPeers(peers, now)}${formatProblems(speaker.problems)}`);
}

async function ownPeers(connections: Connections) {
  const [{ peers }, speaker] = await connections.ask('bgp', (client) =>
    Promise.all([client.listPeers({}), client.getSpeaker({})]),
  );
  return [peers, speaker] as const;
}

async function watch(session: Session, peer: string, output: string): Promise<void> {
  checkOutput(output, FORMATS);
  const { connections, terminal } = session;
  const { WatchPeersResponseSchema } = await import('@calico/proto/bgp/v1/bgp');
  const plain = await plainWith(WatchPeersResponseSchema);
  await connections.ask('bgp', async (client) => {
    let isFirst = true;
    for await (const news of client.watchPeers({ peer })) {
      const now = terminal.now();
      if (output === 'json') {
        const time = new Date(now).toISOString();
        terminal.out(`${JSON.stringify({ time, ...(plain(news) as object) })}\n`);
      } else if (isFirst) {
        terminal.out(formatPeers(news.peers, now));
      } else {
        for (const each of news.peers) terminal.out(formatPeerChange(each, now));
        for (const key of news.removed) {
          terminal.out(formatChange(now, `${key} is no longer a peer`));
        }
      }
      isFirst = false;
    }
  });
}

async function showSpeaker({ connections, terminal }: Session, output: string): Promise<void> {
  checkOutput(output, FORMATS);
  const speaker = await connections.ask('bgp', (client) => client.getSpeaker({}));
  if (output !== 'json') return terminal.out(formatSpeaker(speaker));
  const { GetSpeakerResponseSchema } = await import('@calico/proto/bgp/v1/bgp');
  terminal.out(jsonText((await plainWith(GetSpeakerResponseSchema))(speaker)));
}
