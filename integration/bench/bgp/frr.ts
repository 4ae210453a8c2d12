import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../../lab/mod.ts';
import type { Daemon } from './daemon.ts';
import { type PeerPlan, SPEAKER, type World } from './world.ts';

const PROGRAMS = '/usr/lib/frr';
const PATIENCE_MS = 20_000;

/** bgpd and zebra, which installs the routes and tells of next hops. */
export const frr: Daemon = {
  name: 'FRR',
  hasKernel: true,
  async start(arena, world) {
    const directory = join(arena.directory, 'frr');
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory);
    // It drops its rights, and then wants to write there.
    chmodSync(arena.directory, 0o711);
    execFileSync('chown', ['frr:frr', directory]);
    const file = (name: string): string => join(directory, name);
    writeFileSync(file('zebra.conf'), 'hostname bench\n');
    writeFileSync(file('bgpd.conf'), configuration(world));
    const common = `-z ${file('zserv.api')} --vty_socket ${directory} -P 0`;
    const zebra = arena.start(
      `${PROGRAMS}/zebra -f ${file('zebra.conf')} -i ${file('zebra.pid')} ${common}`.split(' '),
    );
    // bgpd would try again only after ten seconds.
    await eventually(
      () => existsSync(file('zserv.api')),
      PATIENCE_MS,
      () => 'zebra does not listen',
    );
    const noKernel = world.hasKernel ? '' : ' -n';
    const bgpd = arena.start(
      `${PROGRAMS}/bgpd -f ${file('bgpd.conf')} -i ${file('bgpd.pid')} ${common}${noKernel}`.split(
        ' ',
      ),
    );
    const processes = [bgpd, zebra];
    return {
      processes,
      stop: async () => {
        await Promise.all(processes.map((each) => arena.stop(each, 'SIGKILL')));
      },
    };
  },
};

// Its coalescing timer would hold the first routes for fresh peers back for up to 10 s.
function configuration({ peers, isReflector }: World): string {
  return `frr defaults traditional
ip prefix-list markers permit 9.9.0.0/16 le 24
router bgp ${SPEAKER.asn}
 bgp router-id ${SPEAKER.address}
 no bgp ebgp-requires-policy
 coalesce-time 0
${peers.map(neighbourOf).join('\n')}
 address-family ipv4 unicast
${peers.map((peer) => channelOf(peer, isReflector)).join('\n')}
 exit-address-family
!
route-map none deny 10
!
`;
}

function neighbourOf({ address, asn }: PeerPlan): string {
  return ` neighbor ${address} remote-as ${asn}
 neighbor ${address} passive
 neighbor ${address} update-source ${SPEAKER.address}
 neighbor ${address} advertisement-interval 0`;
}

function channelOf({ address, asn, told }: PeerPlan, isReflector: boolean): string {
  const lines = [`neighbor ${address} activate`];
  if (isReflector && asn === SPEAKER.asn) lines.push(`neighbor ${address} route-reflector-client`);
  if (told === 'markers') lines.push(`neighbor ${address} prefix-list markers out`);
  if (told === 'nothing') lines.push(`neighbor ${address} route-map none out`);
  return lines.map((line) => `  ${line}`).join('\n');
}
