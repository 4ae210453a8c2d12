import type { Command } from 'commander';
import { CommandError } from '../command_error.ts';
import type { Runner, Session } from '../session.ts';

type ResetOptions = { readonly soft?: string; readonly message?: string };

/** @param where where this command can be run, for its help */
export function addReset(bgp: Command, run: Runner, where: string): void {
  bgp
    .command('reset')
    .description('end a session and start it again, or exchange its routes anew')
    .argument('<peer>', 'its address, as "bgp peers" shows it')
    .option('--soft <direction>', 'in: ask for its routes; out: tell it ours; both. It stays up')
    .option('--message <text>', "for the peer's operator, at most 255 bytes (RFC 9003)")
    .addHelpText(
      'after',
      `
Examples:
  sudo calicoctl bgp reset 192.168.80.101 --message='new cables'
  sudo calicoctl bgp reset 192.168.80.101 --soft=in
${where}`,
    )
    .action((address: string, options: ResetOptions) =>
      run((session) => resetPeer(session, address, options)),
    );
}

async function resetPeer(session: Session, peer: string, options: ResetOptions): Promise<void> {
  const { soft, message: communication = '' } = options;
  const { ResetKind } = await import('@calico/proto/bgp/v1/bgp');
  const { HARD, SOFT_IN, SOFT_OUT } = ResetKind;
  const directions = { in: [SOFT_IN], out: [SOFT_OUT], both: [SOFT_IN, SOFT_OUT] };
  if (soft !== undefined && !Object.hasOwn(directions, soft)) {
    throw new CommandError(`Cannot reset with --soft="${soft}": expected in, out or both`);
  }
  if (soft !== undefined && communication !== '') {
    throw new CommandError('Cannot reset with --message: expected none with --soft, nothing ends');
  }
  const kinds = soft === undefined ? [HARD] : directions[soft as keyof typeof directions];
  for (const kind of kinds) {
    await session.connections.ask('bgp', (client) =>
      client.resetPeer({ peer, kind, communication }),
    );
  }
  session.terminal.out(`Reset '${peer}'${soft === undefined ? '' : ` softly (${soft})`}\n`);
}
