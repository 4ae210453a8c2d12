import { join } from 'node:path';
import { ATTACHED, Daemon, OUR_ASN, quietly, type SeenRoute, type Session } from './daemon.ts';

/** FRR's bgpd alone, without zebra: nothing of it reaches the kernel. */
export class Frr extends Daemon {
  readonly name = 'FRR';
  readonly octet = 112;

  async start(session: Session): Promise<void> {
    const { self } = this.ends;
    const file = (name: string): string => join(self.directory, name);
    await this.run({
      files: { 'frr.conf': this.#configuration(session) },
      command:
        `/usr/lib/frr/bgpd -f ${file('frr.conf')} -i ${file('frr.pid')} --vty_socket ${self.directory} -P 0 -Z -S --log stdout`.split(
          ' ',
        ),
      isReady: async () => (await this.#show('show version')) !== '',
    });
  }

  override async refresh(session: Session): Promise<void> {
    await this.#show(`clear bgp ${this.ourAddressOf(session.transport)} soft in`);
  }

  override async shutDown(session: Session, message: string): Promise<void> {
    const { lab, self } = this.ends;
    const peer = this.ourAddressOf(session.transport);
    const lines = [`router bgp ${session.asn}`, `neighbor ${peer} shutdown message ${message}`];
    const words = ['configure terminal', ...lines].flatMap((line) => ['-c', line]);
    await lab.exec(self.name, ['vtysh', '--vty_socket', self.directory, '-d', 'bgpd', ...words]);
  }

  async seen(session: Session, family: 4 | 6): Promise<ReadonlyMap<string, SeenRoute>> {
    const text = await this.#show(`show bgp ipv${family} unicast json detail`);
    const { routes = {} } = JSON.parse(text || '{}') as { routes?: Record<string, FrrPath[]> };
    const peer = this.ourAddressOf(session.transport);
    return new Map(
      Object.entries(routes).flatMap(([prefix, paths]) => {
        const path = paths.find((each) => each.peer?.peerId === peer);
        return path === undefined ? [] : [[prefix, readPath(path)]];
      }),
    );
  }

  #show(command: string): Promise<string> {
    const { self, lab } = this.ends;
    return quietly(
      lab.exec(self.name, ['vtysh', '--vty_socket', self.directory, '-d', 'bgpd', '-c', command]),
    );
  }

  #configuration(session: Session): string {
    const { asn, transport, families, password, hasTtlSecurity, routes = [] } = session;
    const peer = this.ourAddressOf(transport);
    const blocks = families.map((family) => {
      const networks = [this.announced(family), ...(family === 4 ? routes : [])];
      return ` address-family ipv${family} unicast
${networks.map((network) => `  network ${network} route-map attached`).join('\n')}
  neighbor ${peer} activate
  neighbor ${peer} send-community all
  neighbor ${peer} soft-reconfiguration inbound
${family === 6 && transport === 4 ? `  neighbor ${peer} route-map sixth out\n` : ''} exit-address-family`;
    });
    return `frr defaults traditional
router bgp ${asn}
 bgp router-id ${this.ends.self.address}
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 no bgp network import-check
 bgp graceful-restart
 bgp graceful-restart preserve-fw-state
 bgp graceful-restart restart-time 120
 neighbor ${peer} remote-as ${OUR_ASN}
 neighbor ${peer} update-source ${this.address(transport)}
 neighbor ${peer} timers connect 1
 neighbor ${peer} advertisement-interval 0
${hasTtlSecurity ? ` neighbor ${peer} ttl-security hops 1` : ` neighbor ${peer} disable-connected-check`}
${password === undefined ? '' : ` neighbor ${peer} password ${password}\n`}${session.hasExtendedNextHop ? ` neighbor ${peer} capability extended-nexthop\n` : ''}${blocks.join('\n')}
!
route-map attached permit 10
 set community ${ATTACHED.community}
 set large-community ${ATTACHED.large}
 set metric ${ATTACHED.med}
 set local-preference ${ATTACHED.preference}
!
route-map sixth permit 10
 set ipv6 next-hop global ${this.address(6)}
!
`;
  }
}

type FrrPath = {
  readonly aspath?: { readonly string?: string };
  readonly origin?: string;
  readonly metric?: number;
  readonly locPrf?: number;
  readonly community?: { readonly string?: string };
  readonly largeCommunity?: { readonly string?: string };
  readonly nexthops?: readonly { readonly ip?: string; readonly scope?: string }[];
  readonly peer?: { readonly peerId?: string };
};

function readPath(path: FrrPath): SeenRoute {
  const asPath = path.aspath?.string ?? '';
  return {
    nextHop: path.nexthops?.find(({ scope }) => scope !== 'link-local')?.ip ?? '',
    asPath: asPath === 'Local' ? '' : asPath,
    origin: path.origin ?? '',
    communities: (path.community?.string ?? '').split(' ').filter(Boolean).toSorted(),
    largeCommunities: (path.largeCommunity?.string ?? '').split(' ').filter(Boolean).toSorted(),
    med: path.metric,
    localPreference: path.locPrf,
  };
}
